"""`cpex doctor`: what this machine can contain a plugin with, tried and told."""

import json
import sys
from typing import Any

import pytest
from typer.testing import CliRunner

from cpex.tools import _doctor
from cpex.tools.cli import app

NOTHING: dict[str, dict[str, Any]] = {
    "support": {
        "system": "Elsewhere",
        "landlock": 0,
        "seccomp": False,
        "broker": False,
        "process_namespace": False,
        "network_namespace": False,
        "mount_namespace": False,
        "namespaces_denied": "Operation not permitted",
        "counters": [],
        "fewest_tasks": 0,
    },
    "profiles": {
        "default": [{"gap": "everything", "means": "nothing is contained", "why": "no Linux"}],
        "strict": [{"gap": "everything", "means": "nothing is contained", "why": "no Linux"}],
    },
}


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that supports nothing."""
    monkeypatch.setattr(_doctor, "sandbox_support", lambda: json.dumps(NOTHING))


def test_this_machine_is_told_for_machines() -> None:
    result = CliRunner().invoke(app, ["doctor", "--json"])
    told = json.loads(result.stdout)
    assert result.exit_code == 0
    assert told["cpex"]
    assert set(told["profiles"]) == {"default", "strict"}
    assert told["support"].keys() == json.loads(json.dumps(NOTHING["support"])).keys()


@pytest.mark.skipif(sys.platform != "linux", reason="Landlock and seccomp are Linux's")
def test_this_machine_is_told_for_people() -> None:
    result = CliRunner().invoke(app, ["doctor"], env={"COLUMNS": "200"})
    told = json.loads(CliRunner().invoke(app, ["doctor", "--json"]).stdout)
    assert result.exit_code == 0
    assert f"Landlock, ABI {told['support']['landlock']}" in result.stdout or told["support"]["landlock"] == 0
    assert f"profile strict: {'not loaded' if told['profiles']['strict'] else 'complete'}" in result.stdout


@pytest.mark.usefixtures("elsewhere")
def test_what_is_missing_is_told_with_its_reason() -> None:
    result = CliRunner().invoke(app, ["doctor"], env={"COLUMNS": "200"})
    assert result.exit_code == 0
    assert "profile default: runs, with gaps" in result.stdout
    assert "profile strict: not loaded" in result.stdout
    assert "nothing is contained (no Linux)" in result.stdout
    assert "yes" not in result.stdout


def test_a_machine_that_cannot_count_few_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """With very many processors, and a host that is root."""
    support = NOTHING["support"] | {"counters": ["process_ids"], "fewest_tasks": 1024}
    monkeypatch.setattr(_doctor, "sandbox_support", lambda: json.dumps(NOTHING | {"support": support}))
    result = CliRunner().invoke(app, ["doctor"], env={"COLUMNS": "200"})
    assert "the process ids of a namespace, to no fewer than 1024" in result.stdout


@pytest.mark.usefixtures("elsewhere")
@pytest.mark.parametrize("profile", ["default", "strict"])
def test_a_profile_can_be_required(profile: str) -> None:
    assert CliRunner().invoke(app, ["doctor", "--require", profile]).exit_code == 1
    assert CliRunner().invoke(app, ["doctor", "--require", "lax"]).exit_code == 2
