"""Every attack of the corpus, really run: as this user, with each weaker sandbox, and as an unprivileged user."""

import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from grader.rerun import sandbox
from grader.rerun.attacks import ATTACKS, Fired, fire
from grader.rerun.limits import Watchdog
from grader.rerun.sandbox import Sandbox

NOBODY = 65534
WAYS = {
    "the strongest": lambda: next(iter(sandbox.working()), None),
    "the strongest without a cgroup": lambda: next(iter(sandbox.working()), None),
    "Landlock alone": lambda: next((box for box in sandbox.working() if box.level == "landlock"), None),
}

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the sandbox is Linux's")


def fire_all(box: Sandbox, folder: Path, *, watchdog: bool) -> dict[str, Fired]:
    with ThreadPoolExecutor(4) as pool:
        attacks = [
            pool.submit(fire, attack, box, folder / name, Watchdog() if watchdog else None)
            for name, attack in ATTACKS.items()
        ]
        return {fired.attack: fired for fired in (attack.result() for attack in attacks)}


@pytest.fixture(scope="module", params=WAYS)
def fired(request, tmp_path_factory) -> dict[str, Fired]:
    box = WAYS[request.param]()
    if box is None:
        pytest.skip("no such sandbox works on this machine (bubblewrap missing, or a kernel without Landlock)")
    os.environ["GRADER_SECRET"] = "a token of the TA's"
    try:
        folder = tmp_path_factory.mktemp("attacks")
        mounts = Path("/proc/self/mounts").read_text()
        result = fire_all(box, folder, watchdog="without a cgroup" in request.param)
        assert Path("/proc/self/mounts").read_text() == mounts
        assert list(folder.iterdir()) == []
        return result
    finally:
        del os.environ["GRADER_SECRET"]


@pytest.mark.parametrize("name", ATTACKS)
def test_contained(name: str, fired: dict[str, Fired]) -> None:
    one = fired[name]
    assert one.contained, f"{one.breaches}\n{one.outcome}"


def test_limits_are_named_for_what_they_stopped(fired: dict[str, Fired]) -> None:
    ended = {name: one.outcome.limit for name, one in fired.items()}
    expected = {"endless-sleep": "wall", "endless-loop": "cpu", "endless-output": "log", "fill-memory": "memory",
                "fill-output": "output"}  # fmt: skip
    assert {name: ended[name] for name in expected} == expected


def test_escape_sequences_never_reach_the_terminal(fired: dict[str, Fired]) -> None:
    assert "\x1b" not in fired["endless-output"].outcome.log
    assert "\x07" not in fired["endless-output"].outcome.log


def test_the_corpus_covers_the_hazards() -> None:
    assert len(ATTACKS) >= 20
    assert all(attack.tries for attack in ATTACKS.values())


def test_an_attack_that_succeeds_is_called_a_breach(tmp_path: Path) -> None:
    fired = {name: fire(ATTACKS[name], Sandbox("none"), tmp_path / name) for name in ("read-secrets", "network")}
    assert any("the secret came out" in breach for breach in fired["read-secrets"].breaches)
    assert any("connected to 127.0.0.1" in breach for breach in fired["network"].breaches)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_contained_for_an_unprivileged_user(tmp_path_factory) -> None:
    health = doctor_as_nobody(tmp_path_factory.mktemp("unprivileged"))
    attacks = {attack["name"]: attack for attack in health["attacks"]}
    assert attacks.keys() == ATTACKS.keys()
    assert {name: attack["breaches"] for name, attack in attacks.items() if not attack["contained"]} == {}
    assert health["safe"]
    assert "as this user" in next(item["found"] for item in health["items"] if item["name"] == "sandbox")


def doctor_as_nobody(folder: Path) -> dict:
    """`grader doctor --json`, run as nobody with a copy of the code that nobody can read."""
    shutil.copytree(Path(sandbox.__file__).parents[1], folder / "grader")
    for opened in (folder, *folder.parents):
        if opened.owner() == "root" and str(opened).startswith("/tmp"):
            opened.chmod(opened.stat().st_mode | 0o055)
    shutil.copy(Path(sandbox.__file__).parents[2] / "rubric.yaml", folder)
    packages = next(Path(path) for path in sys.path if path.endswith("site-packages"))
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for python in (sys.executable, f"/usr/bin/{version}", f"/usr/local/bin/{version}"):
        command = [python, "-m", "grader", "doctor", "--json"]
        options = {
            "user": NOBODY,
            "group": NOBODY,
            "extra_groups": [],
            "cwd": folder,
            "capture_output": True,
            "text": True,
        }
        environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": f"{folder}:{packages}", "HOME": "/", "GRADER_SECRET": "x"}
        try:
            if subprocess.run([python, "-c", "import pydantic"], env=environment, **options).returncode != 0:
                continue
        except OSError:
            continue
        ran = subprocess.run(command, env=environment, **options)
        assert ran.stdout, ran.stderr
        health = json.loads(ran.stdout)
        if not health["attacks"]:
            pytest.skip("no sandbox works for an unprivileged user here")
        return health
    pytest.skip("no Python that an unprivileged user may run has this project's packages")
