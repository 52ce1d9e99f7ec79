"""What `grader doctor` says, where things work and where they do not. (The corpus as nobody: tests/hostile/.)"""

import json

import pytest
from click.testing import CliRunner

from grader.cli import main
from grader.rerun import attacks, doctor, sandbox
from grader.rerun.attacks import Fired
from grader.rerun.doctor import Health, Item
from grader.rerun.job import Outcome
from grader.rerun.limits import Usage

OUTCOME = Outcome(0, None, Usage(1, 1, 1, 1, 1), "", {}, 20.0)


def test_without_a_sandbox_it_refuses_and_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "working", lambda: ())
    monkeypatch.setattr(sandbox.bubblewrap, "program", lambda: None)
    monkeypatch.setattr(doctor.landlock, "abi", lambda: 0)
    result = CliRunner().invoke(main, ["doctor"])
    assert result.exit_code == 2
    assert "apt install bubblewrap" in result.stdout
    assert "boot with lsm=landlock" in result.stdout
    assert "do not rerun students' code here" in result.stdout
    told = json.loads(CliRunner().invoke(main, ["doctor", "--json"]).stdout)
    assert told["safe"] is False
    assert told["attacks"] == []
    assert {item["name"]: item["state"] for item in told["items"]}["sandbox"] == "off"


def test_one_breach_is_enough() -> None:
    names = list(attacks.ATTACKS)
    fired = [Fired(name, (), OUTCOME) for name in names]
    items = (Item("sandbox", "on", "bubblewrap"),)
    assert Health(items, tuple(fired)).safe
    fired[3] = Fired(names[3], ("the secret came out",), OUTCOME)
    health = Health(items, tuple(fired))
    assert not health.safe
    said = "\n".join(doctor.lines(health))
    assert f"attacks contained: {len(names) - 1} of {len(names)}" in said
    assert "the secret came out" in said
    assert attacks.ATTACKS[names[3]].tries in said
    assert next(one for one in health.as_json()["attacks"] if not one["contained"])["name"] == names[3]


def test_a_bubblewrap_that_does_not_work_gives_its_reason(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    broken = tmp_path / "bwrap"
    broken.write_text("#!/bin/sh\necho 'bwrap: Unknown option --size' >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setattr(sandbox.bubblewrap, "program", lambda: str(broken))
    monkeypatch.setattr(sandbox, "working", lambda: ())
    item = doctor._bubblewrap()
    assert item.state == "off"
    assert "Unknown option --size" in item.found
    assert "0.8 or newer" in item.fix


def test_a_watchdog_is_called_weak(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox.cgroup, "make", lambda *_: None)
    monkeypatch.setattr(sandbox.scope, "available", lambda: False)
    item = doctor._limits()
    assert item.state == "weak"
    assert item.fix
