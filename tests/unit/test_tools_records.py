"""Two commands that install at once do not lose each other's changes."""

from __future__ import annotations

import fcntl
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from unittest.mock import Mock

import pytest

from cpex.framework.models import PluginManifest
from cpex.tools import cli
from cpex.tools._plugins.records import records_changed_together
from cpex.tools.plugin_registry import PluginRegistry

COMMANDS = 8


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PLUGIN_REGISTRY_FILE", raising=False)
    return tmp_path


def install(number: int) -> None:
    manifest = PluginManifest(
        name=f"plugin-{number}",
        kind="native",
        description="d",
        author="a",
        version="1",
        tags=[],
        available_hooks=["tool_pre_invoke"],
        default_config={},
    )
    with records_changed_together():
        PluginRegistry().update(manifest, "local", Mock(), "Ann", plugin_path=Path())
        cli.update_plugins_config_yaml(manifest)


def test_no_change_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "console", Mock())
    with ThreadPoolExecutor(COMMANDS) as pool:
        list(pool.map(install, range(COMMANDS)))
    expected = {f"plugin-{number}" for number in range(COMMANDS)}
    assert {plugin.name for plugin in PluginRegistry().registry.plugins} == expected
    assert {plugin.name for plugin in cli.ConfigLoader.load_config("plugins/config.yaml").plugins or []} == expected


@pytest.mark.parametrize("held", ["plugins", "data"])
def test_a_command_waits_and_says_so(held: str, monkeypatch: pytest.MonkeyPatch) -> None:
    Path(held).mkdir()
    other = os.open(held, os.O_RDONLY)
    fcntl.flock(other, fcntl.LOCK_EX)
    said: list[str] = []

    def let_go(text: str) -> None:
        said.append(text)
        os.close(other)

    monkeypatch.setattr(cli, "console", Mock(print=let_go))
    with records_changed_together():
        assert said == ["Waiting for another cpex command to finish ..."]


def test_a_folder_that_is_replaced_while_waiting_is_locked_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("data").mkdir()
    other = os.open("data", os.O_RDONLY)
    fcntl.flock(other, fcntl.LOCK_EX)

    def replace(_: str) -> None:
        Path("data").rmdir()
        Path("data").mkdir()
        os.close(other)

    monkeypatch.setattr(cli, "console", Mock(print=replace))
    with records_changed_together():
        handle = os.open("data", os.O_RDONLY)
        with pytest.raises(BlockingIOError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(handle)


def test_a_file_system_without_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fcntl, "flock", Mock(side_effect=OSError("No locks available")))
    install(1)
    assert PluginRegistry().has("plugin-1")


def test_a_failure_leaves_no_folder(folder: Path) -> None:
    with pytest.raises(RuntimeError, match="no"), records_changed_together():
        raise RuntimeError("no")
    assert not list(folder.iterdir())
