"""The names of CPEX 0.1.4 for an isolated plugin's environment and its worker (Z3, Z6, Z7a, W40)."""

from __future__ import annotations

import hashlib
import json
import sys
import threading
from pathlib import Path

import pytest

from cpex.framework import PluginConfig
from cpex.framework.isolated._published import PublishedVenv
from cpex.framework.isolated.venv_comm import VenvProcessCommunicator

WORKER = """
import json, os, sys
for line in sys.stdin:
    task = json.loads(line)
    answer = {"request_id": task["request_id"]}
    if task["task_type"] == "fail":
        answer |= {"status": "error", "message": "boo"}
    elif task["task_type"] == "environment":
        answer["names"] = sorted(os.environ)
    elif task["task_type"] == "garbage":
        print("garbage", flush=True)
    elif task["task_type"] == "silence":
        continue
    sys.stdout.write(json.dumps(answer) + "\\n")
    sys.stdout.flush()
    if task["task_type"] == "shutdown":
        break
"""


@pytest.fixture
def worker(tmp_path: Path) -> str:
    path = tmp_path / "worker.py"
    path.write_text(WORKER)
    return str(path)


@pytest.fixture
def venv(tmp_path: Path) -> str:
    (tmp_path / "venv/bin").mkdir(parents=True)
    (tmp_path / "venv/bin/python").symlink_to(sys.executable)
    return str(tmp_path / "venv")


def test_an_environment_has_an_interpreter(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=f"^Python executable not found at {tmp_path}/bin/python$"):
        VenvProcessCommunicator(str(tmp_path))


def test_tasks_are_answered(venv: str, worker: str) -> None:
    comm = VenvProcessCommunicator(venv)
    assert not comm.is_alive()
    assert comm.send_task(worker, {"task_type": "garbage"}).keys() == {"request_id"}
    assert comm.is_alive()
    process = comm.process
    names = comm.send_task(worker, {"task_type": "environment"})["names"]
    assert "PLUGINS_CONFIG_FILE" in names
    assert "PATH" not in names
    answers: list[object] = []
    threads = [
        threading.Thread(target=lambda: answers.append(comm.send_task(worker, {"task_type": "x"}))) for _ in "1234"
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 4
    assert comm.process is process
    comm.stop_worker()
    assert not comm.is_alive()
    assert process is not None and process.returncode == 0


def test_what_goes_wrong_is_told(venv: str, worker: str) -> None:
    """Z6."""
    comm = VenvProcessCommunicator(venv)
    with pytest.raises(RuntimeError, match="^Worker process error: boo$"):
        comm.send_task(worker, {"task_type": "fail"})
    with pytest.raises(RuntimeError, match=r"^Worker process timed out after 0\.2 seconds$"):
        comm.send_task(worker, {"task_type": "silence"}, timeout=0.2)
    with pytest.raises(RuntimeError, match=r"^task_data exceeds max_content_size\.  \d+$"):
        comm.send_task(worker, {"task_type": "x" * 100}, max_content_size=100)
    with pytest.raises(RuntimeError, match=r"^Failed to install requirements from .*bad\.txt$"):
        Path(worker).with_name("bad.txt").write_text("==\n")
        comm.install_requirements(str(Path(worker).with_name("bad.txt")))
    comm.install_requirements("missing.txt")
    comm.stop_worker()


class Published(PublishedVenv):
    def __init__(self, folder: Path) -> None:
        self._config = PluginConfig(
            name="p", kind="isolated_venv", version="1.0", config={"class_name": "guard.plugin.Guard"}
        )
        self.plugin_dirs = [str(folder)]


def test_the_cache_is_valid_as_long_as_nothing_changes(tmp_path: Path, venv: str) -> None:
    """Z3."""
    plugin = Published(tmp_path)
    requirements = tmp_path / "r.txt"
    requirements.write_text("one\n")
    assert plugin.plugin_path == tmp_path / "guard"
    assert plugin._get_cache_metadata_path(".venv") == tmp_path / "guard/.cpex/venv_cache/.venv_metadata.json"
    assert plugin._compute_requirements_hash(None) == hashlib.sha256().hexdigest()
    assert plugin._compute_requirements_hash(requirements) == hashlib.sha256(b"one\n").hexdigest()
    assert not plugin._is_venv_cache_valid(venv, str(requirements))
    plugin._save_cache_metadata(venv, str(requirements))
    assert plugin._is_venv_cache_valid(venv, str(requirements))
    path = plugin._get_cache_metadata_path(venv)
    written = json.loads(path.read_text())
    assert written.keys() == {
        "venv_path",
        "requirements_file",
        "requirements_hash",
        "manifest_version",
        "manifest_hash",
        "python_version",
    }
    for name, is_valid in (("manifest_version", True), ("manifest_hash", True), ("requirements_hash", False)):
        path.write_text(json.dumps({key: value for key, value in written.items() if key != name}))
        assert plugin._is_venv_cache_valid(venv, str(requirements)) is is_valid, name
        path.write_text(json.dumps({**written, name: "other"}))
        assert not plugin._is_venv_cache_valid(venv, str(requirements)), name
    path.write_text("{")
    assert not plugin._is_venv_cache_valid(venv, str(requirements))
    plugin._save_cache_metadata(venv, str(requirements))
    assert plugin._manifest_path() == tmp_path / "guard/guard-plugin-Guard.plugin-manifest.yaml"
    plugin._manifest_path().write_text("name: p\n")
    assert not plugin._is_venv_cache_valid(venv, str(requirements))
    plugin.remove_venv()
    assert not path.exists()


async def test_an_empty_environment_is_made_once(tmp_path: Path) -> None:
    plugin = Published(tmp_path)
    venv = str(tmp_path / "new")
    assert await plugin.create_venv(venv)
    assert Path(venv, "bin/python").exists()
    plugin._save_cache_metadata(venv, None)
    assert not await plugin.create_venv(venv)
