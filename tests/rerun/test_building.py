"""Source packages: built inside the sandbox, for real; a hostile one gets nothing and cannot pass for another."""

import io
import secrets
import tarfile
from pathlib import Path

import pytest

from grader import rubric
from grader.findings import Whose
from grader.rerun import building, environment, sandbox
from grader.rerun.environment import InstallError, prepare
from grader.rerun.index import IndexSettings
from grader.rerun.job import Job
from grader.rubric import Rerun

RERUN: Rerun = rubric.load().rerun
WITH_SOURCES = RERUN.model_copy(update={"wheels_only": False})
BOX = next(iter(sandbox.working()), None)
needs_box = pytest.mark.skipif(BOX is None or BOX.level != "bubblewrap", reason="needs bubblewrap")


def sdist(folder: Path, name: str, setup: str) -> None:
    """A source package in a folder that serves as an index (--find-links)."""
    files = {
        "setup.py": setup,
        "PKG-INFO": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{name}.py": "x = 1\n",
    }
    with tarfile.open(folder / f"{name}-1.0.tar.gz", "w:gz") as archive:
        for path, text in files.items():
            entry = tarfile.TarInfo(f"{name}-1.0/{path}")
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))


@needs_box
@pytest.mark.network
def test_a_package_without_a_wheel_is_built(tmp_path: Path) -> None:
    made = prepare(["docopt==0.6.2"], tmp_path, WITH_SOURCES, box=BOX)
    assert environment.installed(made.path) == {"docopt": "0.6.2"}
    assert [(entry.kind, entry.after) for entry in made.repairs] == [("built", "docopt==0.6.2")]
    assert all(package.hashes for package in made.packages)


@pytest.mark.network
def test_it_is_refused_where_the_rubric_wants_wheels(tmp_path: Path) -> None:
    with pytest.raises(InstallError, match=r"docopt==0\.6\.2 cannot be installed") as caught:
        prepare(["docopt==0.6.2"], tmp_path, RERUN, box=BOX)
    assert caught.value.whose is Whose.STUDENT


def test_nothing_is_built_without_a_sandbox(tmp_path: Path) -> None:
    for box in (None, sandbox.Sandbox("none")):
        with pytest.raises(InstallError, match="inside a sandbox only") as caught:
            prepare(["thing @ git+https://git.invalid/thing"], tmp_path, WITH_SOURCES, box=box)
        assert caught.value.whose is Whose.ENVIRONMENT


@needs_box
@pytest.mark.network
def test_a_hostile_build_gets_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = tmp_path / "references" / "001.wav"
    secret.parent.mkdir()
    marker = secrets.token_hex(16)
    secret.write_text(marker)
    mark = tmp_path / "written"
    setup = f"""
import os, pathlib, subprocess, sys
from setuptools import setup
got = []
for path in ({str(secret)!r}, "/proc/1/environ", {str(tmp_path)!r}, os.path.expanduser("~/.ssh")):
    try:
        got.append(pathlib.Path(path).read_text() if os.path.isfile(path) else os.listdir(path))
    except OSError:
        pass
try:
    pathlib.Path({str(mark)!r}).write_text("x")
except OSError:
    pass
subprocess.Popen(["setsid", "sleep", "981.5"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
pathlib.Path("evil.py").write_text("got = " + repr([got, dict(os.environ)]))
setup(name="evil", version="1.0", py_modules=["evil"])
"""
    packages = tmp_path / "packages"
    packages.mkdir()
    sdist(packages, "evil", setup)
    monkeypatch.setenv("PIP_FIND_LINKS", f"{packages} {' '.join(environment.index.read().find_links)}")
    monkeypatch.setenv("GRADER_SECRET", marker)
    made = prepare(["evil==1.0"], tmp_path / "state", WITH_SOURCES, box=BOX)
    said = next(made.path.glob("lib/python*/site-packages/evil.py")).read_text()
    assert said.startswith("got = [[")
    assert marker not in said
    assert "GRADER_SECRET" not in said
    assert not mark.exists()
    assert not [process for process in Path("/proc").glob("[0-9]*/cmdline") if b"sleep\x00981.5" in _read(process)]


@needs_box
@pytest.mark.network
def test_a_build_that_never_ends_meets_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packages = tmp_path / "packages"
    packages.mkdir()
    sdist(packages, "slow", "import time\ntime.sleep(600)\n")
    monkeypatch.setenv("PIP_FIND_LINKS", f"{packages} {' '.join(environment.index.read().find_links)}")
    limits = WITH_SOURCES.limits.model_copy(update={"wall_s": 3.0})
    with pytest.raises(InstallError, match="it met the limit of wall"):
        prepare(["slow==1.0"], tmp_path / "state", WITH_SOURCES.model_copy(update={"limits": limits}), box=BOX)


@needs_box
@pytest.mark.network
def test_a_build_that_fails_is_the_students_and_its_log_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packages = tmp_path / "packages"
    packages.mkdir()
    sdist(packages, "broken", "raise SystemExit('fatal: no such compiler: nvcc')\n")
    monkeypatch.setenv("PIP_FIND_LINKS", f"{packages} {' '.join(environment.index.read().find_links)}")
    with pytest.raises(InstallError, match=r"broken==1\.0 cannot be built") as caught:
        prepare(["broken==1.0"], tmp_path / "state", WITH_SOURCES, box=BOX)
    assert "no such compiler: nvcc" in caught.value.log
    assert caught.value.whose is Whose.STUDENT


@pytest.mark.parametrize(
    "left",
    [{"numpy-9.9-py3-none-any.whl": b"PK"}, {"asked-1.0-py3-none-any.whl": None}, {"not a wheel.whl": b"PK"}, {}],
)
def test_only_a_wheel_of_the_package_asked_for_is_taken(tmp_path: Path, left: dict[str, bytes | None]) -> None:
    out = tmp_path / "out"
    out.mkdir()
    for name, content in left.items():
        if content is None:
            (out / name).symlink_to("/etc/passwd")
        else:
            (out / name).write_bytes(content)
    with pytest.raises(building.BuildError):
        building._taken_over(out, "asked", tmp_path, "the log")


def test_passwords_of_the_index_stay_here() -> None:
    settings = IndexSettings(index_url="https://ta:hidden@index.invalid/simple", find_links=("/srv/wheels",))
    options = building._without_passwords(settings.uv_options())
    assert "https://index.invalid/simple" in options
    assert "hidden" not in " ".join(options)


def test_files_are_not_shared_with_the_cache_where_nothing_keeps_code_from_writing() -> None:
    assert environment._link(sandbox.Sandbox("none")) == "copy"
    assert environment._link(BOX) == "hardlink"


@needs_box
@pytest.mark.network
def test_an_environment_cannot_be_written_by_what_runs_in_it(tmp_path: Path) -> None:
    made = prepare(["six==1.16.0"], tmp_path, RERUN, box=BOX)
    before = next(made.path.glob("lib/python*/site-packages/six.py")).read_bytes()
    out = tmp_path / "out"
    out.mkdir()
    attack = "import six; open(six.__file__, 'a').write('stolen = True')"
    poison = f"/env/bin/python -c {attack!r}; rm -rf /env/lib; chmod -R 777 /env; touch /env/new; true".replace(
        "'a'", '"a"'
    )
    assert BOX is not None
    outcome = BOX.run(Job(poison, out, RERUN.limits, {made.path: "/env"}, prefix=made.python))
    assert "Read-only file system" in outcome.log
    assert next(made.path.glob("lib/python*/site-packages/six.py")).read_bytes() == before
    assert not (made.path / "new").exists()


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
