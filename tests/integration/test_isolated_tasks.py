"""The worker that hosts of CPEX 0.1.x start: tasks as lines of JSON (W40-W47), and such a host itself (W84)."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import cpex

HERE = Path(__file__).parent
WORKER = Path(cpex.__file__).parent / "framework" / "isolated" / "worker.py"
PUBLISHED = os.environ.get("CPEX_PUBLISHED_PYTHON", str(HERE.parents[1] / ".venv-published" / "bin" / "python"))
TOKEN = "eyJhbGciOi.secret.token"

CONFIG = {
    "name": "Probe",
    "kind": "isolated_venv",
    "hooks": ["tool_pre_invoke"],
    "config": {"class_name": "probe.plugin.Probe"},
}

IDENTITY = """
import logging
from cpex.framework import Plugin, PluginResult
from cpex.framework.hooks.identity import IdentityResult


class Identity(Plugin):
    async def identity_resolve(self, payload, context):
        token = payload.raw_token.get_secret_value()
        logging.getLogger("plugin").warning("seen %s", token)
        print("printed", token)
        if payload.client_host == "raise":
            raise RuntimeError(f"not {token}")
        if payload.client_host == "echo":
            return PluginResult(modified_payload=IdentityResult(raw_claims={"token": token}))
        return PluginResult(modified_payload=IdentityResult(raw_claims={"n": len(token), "from": payload.source}))
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    package = tmp_path / "plugins" / "probe"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    shutil.copy(HERE / "isolated_plugin.py", package / "plugin.py")
    (package / "identity.py").write_text(IDENTITY)
    return tmp_path


class Worker:
    """Replies to lines, in the folder of a project."""

    def __init__(self, project: Path) -> None:
        self.project = project
        self.said = ""

    def ask(self, *tasks: dict[str, Any] | str) -> list[dict[str, Any]]:
        lines = [task if isinstance(task, str) else json.dumps(task) for task in tasks]
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        process = subprocess.run(
            [sys.executable, str(WORKER)],
            input="".join(f"{line}\n" for line in lines),
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
            cwd=self.project,
            env=environment,
        )
        self.said = process.stderr
        return [json.loads(line) for line in process.stdout.splitlines()]


@pytest.fixture
def worker(project: Path) -> Worker:
    return Worker(project)


def run(name: str = "echo", **changed: Any) -> dict[str, Any]:
    context = {"state": {}, "global_context": {"request_id": "req-0"}, "metadata": {}}
    task = {
        "task_type": "load_and_run_hook",
        "plugin_dirs": ["plugins"],
        "class_name": "probe.plugin.Probe",
        "config": json.dumps(CONFIG),
        "hook_type": "tool_pre_invoke",
        "plugin_name": "Probe",
        "payload": {"name": name, "args": {}, "headers": None},
        "context": context,
        "request_id": f"of-{name}",
    }
    return task | changed


def resolve(client_host: str | None = None, token: str = TOKEN, **credential: Any) -> dict[str, Any]:
    config = CONFIG | {"name": "Identity", "hooks": ["identity_resolve"]}
    return run(
        class_name="probe.identity.Identity",
        config=json.dumps(config),
        hook_type="identity_resolve",
        payload={"raw_token": "**********", "client_host": client_host},
        credential={"inbound": {"token": token, **credential}},
    )


def test_tasks(worker: Worker) -> None:
    """W41, W44."""
    capabilities, info, unknown, end = worker.ask(
        {"task_type": "capabilities", "request_id": "c"},
        {"task_type": "info", "request_id": "i"},
        {"task_type": "dance", "request_id": "u"},
        {"task_type": "shutdown", "request_id": "s"},
        {"task_type": "info", "request_id": "never"},
    )
    assert capabilities["protocol_version"] == 1
    assert capabilities["features"] == ["credential", "extensions", "modified_extensions"]
    assert info["environment"]["python_executable"] == sys.executable
    assert unknown == {"status": "error", "message": "task type not supported.", "request_id": "u"}
    assert end == {"status": "success", "message": "Shutting down", "request_id": "s"}


def test_hooks(worker: Worker) -> None:
    """W42: every field of a result, and nothing beside it."""
    echoed, denied, printed = worker.ask(
        run(payload={"name": "echo", "args": {"n": 1}}),
        run("deny"),
        run(payload={"name": "print", "args": {"text": "x"}}),
    )
    assert echoed["modified_payload"] == {"name": "echo", "args": {"echoed": {"n": 1}}, "headers": None}
    assert (echoed["request_id"], echoed["metadata"], echoed["executions"]) == ("of-echo", {}, [])
    assert "context" not in echoed
    assert denied["violation"]["code"] == "NO"
    assert (denied["continue_processing"], denied["metadata"]) == (False, None)
    assert printed["continue_processing"]


def test_the_context_is_sent_to_who_wants_it(worker: Worker) -> None:
    """W47."""
    (wanted, failed) = worker.ask(run("write", want=["context"]), run("complain", want=["context"]))
    assert wanted["context"]["state"] == {"n": 1}
    assert failed["error"]["details"] == {"a": [1]}


@pytest.mark.parametrize(
    ("task", "message"),
    [
        (run("raise"), "Unexpected error: RuntimeError('kaboom')"),
        (run("complain"), "Unexpected error: sorry"),
        (run(plugin_dirs=["nowhere"]), "plugin module_path '{project}/nowhere' does not exist."),
        (run(plugin_dirs=["/etc"]), "Unexpected error: plugin module_path '/etc' not in allowed plugin dirs."),
        (run(hook_type="nothing"), "Unexpected error: No payload defined for hook nothing."),
        (run(class_name="probe.plugin.No"), "Unexpected error: module 'probe.plugin' has no attribute 'No'"),
        (run(class_name="os.path.X"), "Plugin module 'os.path' is blocked for security reasons."),
        (run(payload={"args": 1}), "Unexpected error: ToolPreInvokePayload.name: Field required"),
        (run(config="{"), "config is no JSON"),
    ],
)
def test_errors(worker: Worker, task: dict[str, Any], message: str) -> None:
    """W43: with the identifier of the task (B16), and nothing of its payload."""
    failed, well = worker.ask(task, run())
    assert failed["status"] == "error"
    assert message.format(project=worker.project) in failed["message"]
    assert failed["request_id"] == task["request_id"]
    assert well["continue_processing"]


def test_what_is_no_task(worker: Worker) -> None:
    """W43."""
    broken, listed, well = worker.ask("{broken", "[1]", run())
    assert broken["message"].startswith("Invalid JSON input: ")
    assert (broken["request_id"], listed["request_id"]) == ("unknown", "unknown")
    assert well["continue_processing"]


def test_lines_that_are_too_long(worker: Worker) -> None:
    """W43: the limit is known once a plugin is."""
    config = json.dumps(CONFIG | {"max_content_size": 5000})
    well = run(config=config)
    first, long, again, large = worker.ask(
        well,
        well | {"padding": "x" * 100_000},
        well,
        well | {"payload": {"name": "large", "args": {"size": 6000}}},
    )
    assert first["continue_processing"] and again["continue_processing"]
    assert long == {"status": "error", "message": "Task line exceeds max content size", "request_id": "unknown"}
    assert large["message"] == "Serialized response exceeds max content size"
    assert large["request_id"] == well["request_id"]


class TestCredentials:
    """W46."""

    def test_a_token_reaches_the_plugin_and_nobody_else(self, worker: Worker) -> None:
        resolved, raised, echoed = worker.ask(resolve(kind="jwt"), resolve("raise"), resolve("echo"))
        assert resolved["modified_payload"]["raw_claims"] == {"n": len(TOKEN), "from": "bearer"}
        assert raised["status"] == "error"
        assert echoed["message"] == "plugin result echoed the inbound credential"
        assert "seen **********" in worker.said and "printed **********" in worker.said
        assert TOKEN not in worker.said + json.dumps([resolved, raised, echoed])

    def test_the_kind_says_where_it_comes_from(self, worker: Worker) -> None:
        (resolved,) = worker.ask(resolve(kind="x509"))
        assert resolved["modified_payload"]["raw_claims"]["from"] == "custom"

    @pytest.mark.parametrize("credential", [[], {"inbound": 1}, {"inbound": {}}, {"inbound": {"token": " "}}])
    def test_one_that_is_none(self, worker: Worker, credential: Any) -> None:
        (failed,) = worker.ask(resolve() | {"credential": credential})
        assert failed["message"].startswith("Credential reconstruction failed: ")


PUBLISHED_HOST = """
import asyncio
from cpex.framework import GlobalContext, PluginManager
from cpex.framework.hooks.tools import ToolPreInvokePayload


async def main():
    manager = PluginManager("config.yaml")
    await manager.initialize()
    for name, args in [("echo", {"n": 1}), ("deny", {}), ("raise", {})]:
        payload = ToolPreInvokePayload(name=name, args=args)
        try:
            result, _ = await manager.invoke_hook("tool_pre_invoke", payload, GlobalContext(request_id="1"))
        except Exception as error:
            print("raised", "kaboom" in str(error))
        else:
            print(result.modified_payload and result.modified_payload.args, result.violation and result.violation.code)
    await manager.shutdown()


asyncio.run(main())
"""


def test_a_published_host_runs_our_worker(project: Path) -> None:
    """W84: it starts what it finds in its working directory, in an environment that has this package."""
    environment = project / "plugins" / "probe" / ".venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True)
    (site,) = environment.glob("lib/python3.*/site-packages")
    (site / "host.pth").write_text("\n".join(folder for folder in sys.path if folder))
    cache = project / "plugins" / "probe" / ".cpex" / "venv_cache"
    cache.mkdir(parents=True)
    metadata = {
        "venv_path": str(environment),
        "requirements_file": None,
        "requirements_hash": hashlib.sha256(b"").hexdigest(),
        "python_version": platform.python_version(),
    }
    (cache / ".venv_metadata.json").write_text(json.dumps(metadata))
    folder = project / "cpex" / "framework" / "isolated"
    folder.mkdir(parents=True)
    (folder / "worker.py").symlink_to(WORKER)
    (project / "config.yaml").write_text(json.dumps({"plugin_dirs": ["plugins"], "plugins": [CONFIG]}))
    (project / "host.py").write_text(PUBLISHED_HOST)
    command = [PUBLISHED, "-P", "host.py"]
    # Its own package is the published one.
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    process = subprocess.run(command, capture_output=True, text=True, cwd=project, timeout=120, env=variables)
    assert process.stdout.splitlines() == ["{'echoed': {'n': 1}} None", "None NO", "raised True"]
