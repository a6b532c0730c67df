"""`mellea[hooks]` on our package and on the published one: the same outcomes on both.

A program that uses Mellea runs in a process of its own against a model behind a socket.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .process import answers, free_port, server

HERE = Path(__file__).parent / "mellea"
FORBIDDEN = "Plugin blocked generation_pre_call: [FORBIDDEN] not that (FORBIDDEN, __main__.guard, generation_pre_call)"
EXPECTED: dict[str, tuple[Any, list[str]]] = {
    "without plugins": ("hi at None", []),
    "modified": ("hi at 0.25", ["cool generation_pre_call tiny"]),
    "blocked": (FORBIDDEN, ["cool generation_pre_call tiny"]),
    "after the scope": ("forbidden at None", []),
    "in phases": ("hi at 0.0", ["cool generation_pre_call tiny", "freeze 0.25 tiny"]),
    "a set": ([FORBIDDEN, "hi at None"], []),
    "in the background": ("hi at None", ["report hi at None"]),
    "a session": (None, ["component Instruction", "reset", "cleanup 0"]),
    "a tool": ("39 F", []),
    "a closed city": ("Plugin blocked tool_pre_invoke: [CLOSED] Bergen is closed", []),
    "a plugin of the framework": ("hi at 0.5", []),
    "in threads": (["hi at 0.25"] * 8, ["cool generation_pre_call tiny"] * 8),
    "shut down": ("hi at None", []),
    "from a file": ("hi at 0.5", []),
}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, str(HERE / "model.py"), str(port)]
    with server(command, lambda: answers(url), tmp_path_factory.mktemp("model") / "model.log", {"PATH": os.defpath}):
        yield f"{url}/v1"


@pytest.fixture(scope="module")
def run(client_python: Path, model: str, tmp_path_factory: pytest.TempPathFactory) -> subprocess.CompletedProcess[str]:
    command = [str(client_python), str(HERE / "agent.py"), model]
    env = {"PATH": os.defpath, "HOME": str(tmp_path_factory.mktemp("home"))}
    done = subprocess.run(command, cwd=env["HOME"], env=env, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done


@pytest.mark.parametrize("scenario", EXPECTED)
def test_plugins_observe_modify_and_block(run: subprocess.CompletedProcess[str], scenario: str) -> None:
    outcome, seen = EXPECTED[scenario]
    assert json.loads(run.stdout.splitlines()[-1])[scenario] == {"outcome": outcome, "seen": seen}


def test_every_scenario_is_expected(run: subprocess.CompletedProcess[str]) -> None:
    assert set(json.loads(run.stdout.splitlines()[-1])) == set(EXPECTED)


def test_dropped_changes_and_failures_are_logged(run: subprocess.CompletedProcess[str]) -> None:
    lines = run.stderr.splitlines()
    assert lines.count("Policy rejected modifications to non-writable fields: ['model']") == 11
    assert lines.count("Policy rejected modifications to non-writable fields: ['success']") == 1
    assert lines.count("Plugin __main__.stumble failed with error: stumbled") == 2
    dropped = "Plugin __main__.rewrite attempted payload modification on hook generation_post_call"
    assert lines.count(f"{dropped} but no policy is defined and default is deny") == 1
