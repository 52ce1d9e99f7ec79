"""All benchmarks, one after the other: ``python -m tests.benchmarks``, which is ``make bench``.

Each ``bench_*.py`` beside this file runs in a process of its own. The rows of tables that they print, and what else
they say, go into RESULTS.md with the machine, the versions and the date.
"""

import argparse
import datetime as dt
import os
import platform
import subprocess
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

HERE = Path(__file__).parent
PACKAGES = ("torch", "numpy", "auraloss", "librosa", "distributed", "dask-jobqueue", "jinja2", "uv")


def machine() -> str:
    model = platform.processor() or platform.machine()
    memory = ""
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), model)
        kilobytes = Path("/proc/meminfo").read_text().split()[1]
        memory = f", {int(kilobytes) / 1e6:.0f} GB"
    load = " ".join(f"{value:.1f}" for value in os.getloadavg())
    return (
        f"{model}, {os.cpu_count()} cores{memory}, {platform.system()} {platform.release()}; load at the start {load}"
    )


def versions() -> str:
    found = [f"Python {platform.python_version()}"]
    for package in PACKAGES:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            found.append(f"no {package}")
    return ", ".join(found)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="of benchmarks, such as crepe (default: all)")
    parser.add_argument("--small", action="store_true", help="see that all of them run; RESULTS.md stays as it is")
    chosen = parser.parse_args()
    now = dt.datetime.now(dt.UTC)
    text = [
        "# Benchmarks",
        "",
        f"Written by `make bench` on {now:%Y-%m-%d %H:%M} UTC. Times are medians; a ratio is the median over pairs",
        "that ran in turn, so that it holds on a machine that is not quite idle. Each file says what it does.",
        "",
        f"- machine: {machine()}",
        f"- versions: {versions()}",
        "",
        "| what | times | ratio | asked for | reached |",
        "| --- | --- | --- | --- | --- |",
    ]
    details, failed = [], []
    for path in sorted(HERE.glob("bench_*.py")):
        name = path.stem.removeprefix("bench_")
        if chosen.names and name not in chosen.names:
            continue
        small = ["--small"] if chosen.small and "--small" in path.read_text() else []
        start = time.perf_counter()
        command = [sys.executable, "-m", f"tests.benchmarks.{path.stem}", *small]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
            assert running.stdout
            lines = []
            for line in running.stdout:
                print(line, end="", flush=True)
                lines.append(line.rstrip())
        failed += [name] if running.returncode else []
        text += [line for line in lines if line.startswith("| ")]
        said = [line for line in lines if not line.startswith("| ")]
        took = f"{path.name}, {time.perf_counter() - start:.0f} s" + (", FAILED" if running.returncode else "")
        details += ["", f"## {took}", "", "```", *said, "```"]
    if not chosen.small and not chosen.names:
        (HERE / "RESULTS.md").write_text("\n".join([*text, *details, ""]), encoding="utf-8")
        print(f"written: {HERE / 'RESULTS.md'}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
