"""`kind: isolated_venv` from a configuration file: real environments, real processes (J: Z1-Z8; B3, B14, B16)."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from cpex.framework import GlobalContext, PluginError, PluginResult, PluginViolationError, TenantPluginManager
from cpex.framework.extensions import Extensions, HttpExtension, MetaExtension, SecurityExtension
from cpex.framework.hooks.tools import ToolPreInvokePayload
from cpex.framework.isolated import metrics
from cpex.framework.isolated._failure import WorkerOutput

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="isolated plugins need Unix")

Host = Callable[..., Any]

HERE = Path(__file__).parent


class Guard:
    """A manager with one isolated plugin."""

    def __init__(self, manager: TenantPluginManager) -> None:
        self.manager = manager

    async def call(self, name: str, *, context: GlobalContext | None = None, **args: Any) -> PluginResult[Any]:
        payload = ToolPreInvokePayload(name=name, args=args)
        context = context or GlobalContext(request_id="r")
        result, self.contexts = await self.manager.invoke_hook("tool_pre_invoke", payload, context)
        return result

    async def told(self, name: str = "tell", **args: Any) -> dict[str, Any]:
        return (await self.call(name, **args)).metadata or {}

    async def pid(self) -> int:
        return int((await self.told())["pid"])

    @property
    def status(self) -> list[dict[str, Any]]:
        plugin: Any = self.manager.get_plugin("Probe")
        return [asdict(worker) for worker in plugin.workers]


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a project with the plugin; its environment is built once."""
    folder = tmp_path_factory.mktemp("project")
    package = folder / "plugins" / "probe"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    shutil.copy(HERE / "isolated_plugin.py", package / "plugin.py")
    return folder


def write_config(project: Path, settings: dict[str, Any], **entry: Any) -> Path:
    config = {"class_name": "probe.plugin.Probe", "script_path": "plugins", **settings}
    plugin = {"name": "Probe", "kind": "isolated_venv", "hooks": ["tool_pre_invoke"], "config": config, **entry}
    path = project / "config.yaml"
    path.write_text(json.dumps({"plugins": [plugin]}))
    return path


@pytest_asyncio.fixture
async def host(project: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Host]:
    monkeypatch.chdir(project)
    monkeypatch.setenv("PLUGINS_ALLOWED_DIRS", str(project))
    guards: list[Guard] = []

    async def start(settings: dict[str, Any] | None = None, **entry: Any) -> Guard:
        manager = TenantPluginManager(str(write_config(project, settings or {}, **entry)))
        guards.append(Guard(manager))
        await manager.initialize()
        return guards[-1]

    yield start
    for guard in guards:
        await guard.manager.shutdown()


def runs(pid: int) -> bool:
    """Whether a process runs; one that has ended and was not reaped does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


async def until(what: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not what():
            await asyncio.sleep(0.01)


class TestCalls:
    async def test_payload_and_result(self, host: Host) -> None:
        guard = await host()
        args = {"whole": 3, "half": 0.5, "large": 2**53 + 1, "text": "é\u2028\x00", "none": None, "list": [1, {"a": 2}]}
        result = await guard.call("echo", **args)
        assert result.modified_payload is not None
        assert result.modified_payload.args == {"echoed": args}

    async def test_it_runs_in_its_own_environment(self, host: Host, project: Path) -> None:
        told = await (await host()).told()
        assert told["pid"] != os.getpid()
        assert told["prefix"] != sys.prefix
        assert Path(told["prefix"]).is_relative_to(project)
        assert told["stdin"] == ""
        assert told["config"]["class_name"] == "probe.plugin.Probe"

    async def test_a_denial(self, host: Host) -> None:
        result = await (await host()).call("deny")
        assert not result.continue_processing
        assert result.violation is not None
        assert (result.violation.code, result.violation.details) == ("NO", {"n": 1})

    async def test_state_comes_back(self, host: Host) -> None:
        """B16: with what was deleted."""
        guard, context = await host(), GlobalContext(request_id="r", state={"gone": 1, "kept": 2})
        await guard.call("write", context=context)
        assert context.state == {"kept": 2, "who": "probe"}
        (kept,) = guard.contexts.values()
        assert kept.state == {"n": 1}

    @pytest.mark.parametrize("on_error", ["fail", "ignore", "disable"])
    @pytest.mark.parametrize("mode", ["sequential", "transform", "audit", "concurrent"])
    async def test_a_denial_that_it_raises(self, host: Host, mode: str, on_error: str) -> None:
        """P16: whatever the mode and `on_error` say."""
        guard = await host(mode=mode, on_error=on_error)
        with pytest.raises(PluginViolationError, match="not today") as raised:
            await guard.call("deny_loudly")
        violation = raised.value.violation
        assert violation is not None and (violation.code, violation.details) == ("NO", {"n": 1})
        assert "in _deny_loudly" in str(raised.value.__cause__)

    @pytest.mark.parametrize("details", ["none", "object"])
    async def test_a_denial_without_what_can_be_sent(self, host: Host, details: str) -> None:
        guard = await host(on_error="ignore")
        with pytest.raises(PluginViolationError, match="not today") as raised:
            await guard.call("deny_loudly", details=details)
        assert raised.value.violation is None

    async def test_failures(self, host: Host) -> None:
        """B16: with code and details."""
        guard = await host()
        with pytest.raises(PluginError, match="kaboom"):
            await guard.call("raise")
        with pytest.raises(PluginError) as raised:
            await guard.call("complain")
        assert (raised.value.error.message, raised.value.error.code) == ("sorry", "E1")
        assert raised.value.error.details == {"a": [1]}
        with pytest.raises(PluginError, match="returned a str, not a PluginResult"):
            await guard.call("garbage")
        with pytest.raises(PluginError, match="Unable to serialize"):
            await guard.call("unsendable")
        with pytest.raises(PluginError, match=r"^Isolated plugin 'Probe': payload\.args\.what of type object"):
            await guard.call("echo", what=object())
        with pytest.raises(PluginError, match=r"result\.metadata\.n: NaN and Infinity have no JSON"):
            await guard.call("infinite")
        with pytest.raises(PluginError, match=r"SystemExit\(3\)"):
            await guard.call("quit")
        assert guard.status[0]["starts"] == 1

    async def test_sizes(self, host: Host) -> None:
        """B16: what is too large fails alone, and at once."""
        guard = await host(max_content_size=10_000)
        with pytest.raises(PluginError, match="task_data exceeds max_content_size"):
            await guard.call("echo", text="x" * 10_000)
        with pytest.raises(PluginError, match="exceeds the limit"):
            await guard.call("large", size=100_000)
        assert (await guard.call("echo", text="x" * 1000)).modified_payload is not None

    async def test_a_thousand_at_a_time(self, host: Host) -> None:
        guard = await host()
        results = await asyncio.gather(*(guard.call("echo", number=number) for number in range(1000)))
        echoed = [result.modified_payload.args["echoed"]["number"] for result in results]
        assert echoed == list(range(1000))

    async def test_environment_variables(self, host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
        """B16: nothing of the host's but what is named."""
        monkeypatch.setenv("SECRET_OF_THE_HOST", "s")
        monkeypatch.setenv("WANTED", "w")
        monkeypatch.setenv("LC_TIME", "C")
        guard = await host({"pass_env": ["WANTED"]})
        seen = set((await guard.told())["environment"])
        assert {"WANTED", "PATH", "LC_TIME", "VIRTUAL_ENV"} <= seen
        assert "SECRET_OF_THE_HOST" not in seen

    async def test_what_it_prints_is_logged(self, host: Host, caplog: pytest.LogCaptureFixture) -> None:
        guard = await host()
        with caplog.at_level("INFO", logger="cpex.framework.isolated"):
            await guard.call("print", text="a word of the plugin")
            await until(lambda: "a word of the plugin" in caplog.text)

    async def test_what_it_logs_is_logged(self, host: Host, caplog: pytest.LogCaptureFixture) -> None:
        """O4: level, logger and traceback are those of the plugin; what is below the level of the host is not sent."""
        with caplog.at_level("INFO", logger="cpex.framework.isolated"):
            guard = await host()
            await guard.call("say")
            await guard.manager.shutdown()
        told = {record.levelname: record for record in caplog.records if record.name == "classifier.model"}
        assert set(told) == {"WARNING", "ERROR"}
        assert told["WARNING"].getMessage().startswith("no good [plugin: Probe] [process: ")
        error = logging.Formatter("%(message)s").format(told["ERROR"])
        assert error.startswith("lost\n  | ERROR forged")
        # No line of the plugin's passes for a record of the host's.
        assert all(line.startswith("  | ") for line in error.splitlines()[1:])
        assert error.endswith("  | KeyError: 'model'")
        printed = {record.getMessage().partition(" [")[0]: record.levelname for record in caplog.records}
        assert (printed["on stdout"], printed["on stderr"]) == ("INFO", "WARNING")

    async def test_its_traceback(self, host: Host, caplog: pytest.LogCaptureFixture) -> None:
        """It is the cause of the error, as that of a plugin of this process is, and in the log of who debugs."""
        guard = await host()
        with caplog.at_level("DEBUG", logger="cpex.framework.manager"), pytest.raises(PluginError) as raised:
            await guard.call("raise")
        said = "".join(traceback.format_exception(raised.value))
        assert "in _raise" in said and "plugin.py" in said and "RuntimeError: kaboom" in said
        assert "_hosted.py" not in said
        assert raised.value.error.details == {}
        (record,) = (record for record in caplog.records if "failed with error" in record.getMessage())
        assert "in _raise" in logging.Formatter().format(record)
        with pytest.raises(PluginError) as raised:
            await guard.call("garbage")
        assert raised.value.__cause__ is None

    @pytest.mark.parametrize("fd", [1, 2])
    async def test_a_flood_keeps_nobody_waiting(self, host: Host, caplog: pytest.LogCaptureFixture, fd: int) -> None:
        with caplog.at_level("INFO", logger="cpex.framework.isolated"):
            guard = await host(timeout_ms=3000)
            assert (await guard.call("flood", size=5_000_000, fd=fd)).continue_processing
            await guard.manager.shutdown()
        told = [record.getMessage() for record in caplog.records]
        left_out = [text for text in told if "prints too much" in text]
        assert left_out and all("[plugin: Probe] [process: " in text for text in left_out)
        assert sum(int(text.partition("much: ")[2].split()[0]) for text in left_out) > 490_000
        assert any(text.startswith("line 499999 [") for text in told)

    async def test_extensions_go_there_and_back(self, host: Host) -> None:
        """B9: what its capabilities grant, both ways."""
        sent = Extensions(
            http=HttpExtension(headers={"authorization": "secret"}),
            security=SecurityExtension(labels=frozenset({"old"})),
            meta=MetaExtension(tags=frozenset({"t"})),
        )
        guard = await host({"class_name": "probe.plugin.Marker"}, capabilities=["read_labels", "append_labels"])

        async def ask(name: str, extensions: Extensions | None) -> PluginResult[Any]:
            payload, context = ToolPreInvokePayload(name=name), GlobalContext(request_id="r")
            result: PluginResult[Any]
            result, _ = await guard.manager.invoke_hook("tool_pre_invoke", payload, context, extensions=extensions)
            return result

        seen = ((await ask("look", sent)).metadata or {})["seen"]
        assert set(seen) == {"security", "meta"}
        assert (seen["security"]["labels"], seen["meta"]["tags"]) == (["old"], ["t"])
        assert (await ask("look", Extensions())).metadata == {"seen": {}}
        assert (await ask("look", None)).metadata == {"seen": None}
        written = (await ask("label", sent)).modified_extensions
        assert written is not None and written.security is not None
        assert written.security.labels == {"old", "new"}
        assert (written.http, written.meta) == (sent.http, sent.meta)
        assert (await ask("forge", sent)).modified_extensions is None

    async def test_workers_side_by_side(self, host: Host) -> None:
        guard = await host({"workers": 2})
        results = await asyncio.gather(*(guard.told("spin", seconds=0.05) for _ in range(4)))
        assert len({result["pid"] for result in results}) == 2


class TestTime:
    async def test_a_call_that_takes_too_long_is_cancelled_there(self, host: Host, tmp_path: Path) -> None:
        guard = await host(timeout_ms=1000)
        before = await guard.pid()
        with pytest.raises(PluginError, match=r"1\.0s timeout|deadline"):
            await guard.call("sleep", seconds=60, note=str(tmp_path / "note"))
        await until((tmp_path / "note").exists)
        assert await guard.pid() == before

    async def test_so_is_one_that_is_cancelled_here(self, host: Host, tmp_path: Path) -> None:
        guard = await host()
        call = asyncio.create_task(guard.call("sleep", seconds=60, note=str(tmp_path / "note")))
        await until(lambda: guard.status[0]["outstanding"] == 1)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await until(lambda: guard.status[0]["outstanding"] == 0)
        assert guard.status[0]["starts"] == 1

    async def test_one_that_does_not_stop_is_killed(self, host: Host) -> None:
        guard = await host({"give_up_timeout": 0.1}, timeout_ms=1000)
        before = await guard.pid()
        with pytest.raises(PluginError, match="timeout"):
            await guard.call("block", seconds=60)
        await until(lambda: guard.status[0]["process"] not in (None, before))
        assert not runs(before)
        assert await guard.pid() != before

    async def test_the_next_call_does_not_die_with_it(self, host: Host, tmp_path: Path) -> None:
        guard = await host()
        before = await guard.pid()
        call = asyncio.create_task(guard.call("block", seconds=60, note=str(tmp_path / "note")))
        await until((tmp_path / "note").exists)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert await guard.pid() != before

    async def test_one_that_blocks_its_event_loop_for_too_long_is_killed(self, host: Host) -> None:
        guard = await host({"hang_timeout": 0.3})
        with pytest.raises(PluginError, match="did not turn") as raised:
            await guard.call("block", seconds=60)
        assert raised.value.error.code == "DISCONNECTED"


class TestSupervision:
    async def test_a_worker_that_ends_is_replaced(self, host: Host) -> None:
        guard = await host()
        with pytest.raises(PluginError, match="ended with status 3") as raised:
            await guard.call("exit", status=3)
        assert raised.value.error.code == "DISCONNECTED"
        assert (await guard.call("echo")).continue_processing
        assert guard.status[0]["starts"] == 2

    async def test_its_last_words(self, host: Host, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level("INFO", logger="cpex.framework.isolated"):
            guard = await host()
            with pytest.raises(PluginError, match="status 4") as raised:
                await guard.call("last_words")
        said = raised.value.__cause__
        assert isinstance(said, WorkerOutput)
        assert said.stdout == [*(f"line {line}" for line in range(381, 400)), "LAST WORDS"]
        assert said.stderr == ["ERROR classifier: dying"]
        assert str(said).endswith("\n  LAST WORDS\nstderr:\n  ERROR classifier: dying")
        # These go to whoever has called, and it may be about calls of others.
        assert not raised.value.error.details
        assert "LAST WORDS" in caplog.text and "dying" in caplog.text

    async def test_its_last_traceback(self, host: Host) -> None:
        guard = await host()
        with pytest.raises(PluginError, match="signal 11") as raised:
            await guard.call("crash")
        assert isinstance(raised.value.__cause__, WorkerOutput)
        assert "in _crash" in "".join(raised.value.__cause__.stderr)

    async def test_on_error_judges_it(self, host: Host) -> None:
        guard = await host(on_error="ignore")
        assert (await guard.call("exit", status=1)).continue_processing

    async def test_calls_in_flight_end_with_it(self, host: Host) -> None:
        guard = await host()
        pid = await guard.pid()
        calls = [asyncio.create_task(guard.call("sleep", seconds=60, note="/dev/null")) for _ in range(50)]
        await until(lambda: guard.status[0]["outstanding"] == 50)
        os.kill(pid, signal.SIGKILL)
        ended = await asyncio.gather(*calls, return_exceptions=True)
        assert all(isinstance(end, PluginError) and "signal 9" in str(end) for end in ended)
        assert await guard.pid() != pid

    async def test_shutdown_leaves_nothing(self, host: Host) -> None:
        guard = await host()
        forked = await guard.told("fork")
        assert all(runs(process) for process in started(forked))
        await guard.manager.shutdown()
        assert not any(runs(process) for process in started(forked))

    async def test_a_worker_that_ends_leaves_nothing(self, host: Host) -> None:
        guard = await host()
        forked = await guard.told("fork")
        with pytest.raises(PluginError, match="signal 11"):
            await guard.call("crash")
        await until(lambda: not any(runs(process) for process in started(forked)))

    @pytest.mark.skipif(sys.platform != "linux", reason="only Linux says how much memory a process has")
    async def test_a_worker_that_takes_too_much_memory_is_killed(self, host: Host) -> None:
        guard = await host({"memory_limit": "300MB"})
        with pytest.raises(PluginError, match=r"bytes of memory, more than 300000000"):
            await guard.call("hoard", size=400_000_000)

    async def test_an_idle_worker_is_ended(self, host: Host) -> None:
        guard = await host({"idle_timeout": 0.2})
        pid = await guard.pid()
        await until(lambda: not runs(pid))
        assert guard.status[0]["process"] is None
        assert await guard.pid() != pid

    async def test_a_call_that_ends_it_does_not_take_it_from_others(self, host: Host) -> None:
        guard = await host({"restart": {"failures": 2, "wait": 60}})
        for _ in range(3):
            assert (await guard.call("echo")).continue_processing
            with pytest.raises(PluginError, match="status 1"):
                await guard.call("exit", status=1)
        assert (await guard.call("echo")).continue_processing
        assert (guard.status[0]["breaker"], guard.status[0]["faults"]) == ("closed", 3)

    async def test_a_plugin_that_ends_again_and_again_is_left_alone(self, host: Host) -> None:
        guard = await host({"restart": {"failures": 2, "wait": 60}})
        for _ in range(2):
            with pytest.raises(PluginError, match="status 1"):
                await guard.call("exit", status=1)
        with pytest.raises(PluginError, match=r"failed 2 times in a row .* tried after \d+\.\ds") as raised:
            await guard.call("echo")
        assert raised.value.error.code == "BREAKER_OPEN"
        assert guard.status[0]["breaker"] == "open"
        told = dict(line.rsplit(" ", 1) for line in metrics().splitlines() if 'plugin="Probe"' in line)
        assert told['cpex_isolated_breakers{plugin="Probe",state="open"}'] == "1"
        assert told['cpex_isolated_breakers{plugin="Probe",state="closed"}'] == "0"
        assert told['cpex_isolated_breaker_changes_total{plugin="Probe",to="open"}'] == "1"
        assert told['cpex_isolated_workers{plugin="Probe"}'] == "0"
        assert told['cpex_isolated_calls_total{plugin="Probe"}'] == "2"
        assert told['cpex_isolated_calls_in_flight{plugin="Probe"}'] == "0"
        assert told['cpex_isolated_restarts_total{plugin="Probe"}'] == "1"
        assert told['cpex_isolated_faults_total{plugin="Probe"}'] == "2"

    @pytest.mark.parametrize("tool", ["fork", "block"])
    async def test_a_killed_host_leaves_nothing(self, host: Host, project: Path, tool: str) -> None:
        write_config(project, {})
        with KilledHost() as killed:
            told = await killed.told()
            forked = await killed.told("fork") if tool == "fork" else told
            if tool == "block":
                await killed.ask("block", seconds=600)
            assert all(runs(process) for process in started(forked))
        await until(lambda: not any(runs(process) for process in started(forked)))

    @pytest.mark.skipif(sys.platform != "linux", reason="sandboxes are Linux's")
    async def test_nor_a_file(self, host: Host, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """What a killed host has left is removed by the next one; a host that lives keeps what it has."""
        monkeypatch.setenv("TMPDIR", str(tmp_path))
        settings = {"sandbox": {"profile": "default", "network": ["localhost:1"]}}
        write_config(project, settings)
        with KilledHost() as killed:
            await killed.told()
            (left,) = tmp_path.iterdir()
            with KilledHost() as other:
                await other.told()
                assert left in tmp_path.iterdir()
        with KilledHost() as third:
            await third.told()
            (there,) = tmp_path.iterdir()
            assert there != left
            third.end()
        assert list(tmp_path.iterdir()) == []


class KilledHost:
    """A host that is a process, and is killed."""

    PROGRAM = """
import asyncio, json, sys
from cpex.framework import GlobalContext, PluginManager
from cpex.framework.hooks.tools import ToolPreInvokePayload

async def main():
    manager = PluginManager("config.yaml")
    await manager.initialize()
    for line in sys.stdin:
        name, args = json.loads(line)
        payload = ToolPreInvokePayload(name=name, args=args)
        result, _ = await manager.invoke_hook("tool_pre_invoke", payload, GlobalContext(request_id="r"))
        print(json.dumps(result.metadata), flush=True)
    await manager.shutdown()

asyncio.run(main())
"""

    def __enter__(self) -> KilledHost:
        command = [sys.executable, "-c", self.PROGRAM]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        return self

    def __exit__(self, *_: object) -> None:
        with self.process:
            self.process.kill()

    async def ask(self, name: str, **args: Any) -> None:
        assert self.process.stdin is not None
        print(json.dumps([name, args]), file=self.process.stdin, flush=True)

    async def told(self, name: str = "tell") -> dict[str, Any]:
        await self.ask(name)
        assert self.process.stdout is not None
        told: dict[str, Any] = json.loads(await asyncio.to_thread(self.process.stdout.readline))
        return told

    def end(self) -> None:
        """In good order."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        assert self.process.wait(timeout=30) == 0


def started(told: dict[str, Any]) -> list[int]:
    """A worker, and what it has started."""
    return [told[name] for name in ("pid", "child", "daemon") if name in told]


class TestLoading:
    async def test_a_plugin_that_fails_to_start(self, host: Host) -> None:
        guard = await host({"fails": True})
        (failure,) = guard.manager.load_failures
        assert (failure.name, failure.phase) == ("Probe", "initialize")
        assert "no model here" in failure.error

    async def test_one_whose_class_is_not_there(self, host: Host) -> None:
        guard = await host({"class_name": "probe.plugin.Nothing"})
        (failure,) = guard.manager.load_failures
        assert "config.class_name: module 'probe.plugin' has no class 'Nothing'" in failure.error

    async def test_one_that_must_not_be_missing(self, host: Host) -> None:
        with pytest.raises(RuntimeError):
            await host({"fails": True}, required=True)

    @pytest.mark.parametrize("settings", [{"fails": True}, {"sandbx": "strict"}, {"environment": {"python": "false"}}])
    @pytest.mark.parametrize(
        ("entry", "passes"),
        [
            ({}, False),
            ({"on_error": "ignore"}, True),
            ({"on_error": "ignore", "on_missing": "deny"}, False),
            ({"mode": "fire_and_forget"}, True),
        ],
    )
    async def test_what_becomes_of_its_calls(
        self, host: Host, settings: dict[str, Any], entry: dict[str, Any], passes: bool
    ) -> None:
        """B16c: what their failures would do."""
        guard = await host(settings, **entry)
        assert len(guard.manager.load_failures) == 1
        result = await guard.call("echo")
        assert result.continue_processing == passes
        assert (result.violation is None) == passes
        assert result.violation is None or result.violation.code == "PLUGIN_UNAVAILABLE"

    @pytest.mark.skipif(sys.platform != "linux", reason="sandboxes are Linux's")
    async def test_a_sandbox(self, host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """It is this plugin's process that is contained; what leads out of sandboxes is tried by their own tests."""
        monkeypatch.setenv("PLUGINS_CONFIG_FILE", "config.yaml")
        guard = await host({"sandbox": "default", "pass_env": ["WANTED"]})
        told = await guard.told()
        assert not {"PLUGINS_CONFIG_FILE", "PLUGINS_ALLOWED_DIRS"} & set(told["environment"])
        with pytest.raises(PluginError):
            await guard.call("touch", path=str(tmp_path / "file"))
        assert not (tmp_path / "file").exists()
        pid = guard.status[0]["process"]
        await guard.manager.shutdown()
        assert not runs(pid)

    @pytest.mark.skipif(sys.platform != "linux", reason="sandboxes are Linux's")
    async def test_what_lies_beside_a_plugin_is_not_read_from_a_sandbox(self, host: Host, project: Path) -> None:
        neighbour, config = project / "plugins" / "neighbour.py", project / "plugins" / "config.yaml"
        neighbour.write_text("KEY = 'of another plugin'")
        config.write_text("key: of the host")
        free = await host()
        contained = await host({"sandbox": "default"})
        for path in map(str, (neighbour, config)):
            assert "of" in (await free.told("read", path=path))["text"]
            with pytest.raises(PluginError, match="Permission denied"):
                await contained.told("read", path=path)
        assert "class Probe" in (await contained.told("read", path=str(project / "plugins/probe/plugin.py")))["text"]

    @pytest.mark.skipif(sys.platform != "linux", reason="sandboxes are Linux's")
    async def test_a_full_disk_is_no_way_to_stop_the_host(
        self, host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A sandboxed plugin's own folder has a size; while it is full, calls are answered."""
        monkeypatch.setenv("TMPDIR", str(tmp_path))
        guard = await host({"sandbox": {"profile": "strict", "scratch": "8MiB"}})
        filling = asyncio.create_task(guard.told("fill"))
        for _ in range(20):
            assert (await guard.call("echo", n=1)).continue_processing
            await asyncio.sleep(0.05)
        assert not filling.done()
        assert sum(file.stat().st_size for file in tmp_path.rglob("*") if file.is_file()) == 0
        await guard.call("enough")
        told = await filling
        assert told["written"] == 8
        assert told["refused"] > 0
        assert guard.status[0]["faults"] == 0

    @pytest.mark.skipif(sys.platform != "linux", reason="sandboxes are Linux's")
    async def test_a_worker_without_cpu_time_left(self, host: Host) -> None:
        """It is told why it ended, and the next call has another one."""
        guard = await host({"sandbox": {"profile": "default", "cpu_seconds": 5}})
        await guard.call("echo")
        process = guard.status[0]["process"]
        with pytest.raises(PluginError, match="used up its CPU time"):
            await guard.call("spin", seconds=20)
        await guard.call("echo")
        assert guard.status[0]["process"] != process

    async def test_protection_that_nobody_would_read(self, project: Path, host: Host) -> None:
        """It is an error, and not no protection."""
        for settings, told in (
            ({"sandbox": None}, "config.sandbox: a sandbox is `none`, `default`, `strict`, or a mapping"),
            ({"Sandbx": "strict"}, "config.Sandbx: CPEX does not read it; did you mean 'sandbox'?"),
            ({"memory_limit": None}, "config.memory_limit: it has no value"),
            ({"environment": None}, "config.environment: it has no value"),
            ({"require_hashes": True}, "config.require_hashes: CPEX does not read it; it belongs under config.environ"),
            ({"profile": "strict"}, "config.profile: CPEX does not read it; it belongs under config.sandbox"),
            ({"sandbox": "stirct"}, "`stirct` is no profile: write `none`, `default` or `strict`"),
        ):
            (failure,) = (await host(settings)).manager.load_failures
            assert told in failure.error
            assert " at line " not in failure.error
        with pytest.raises(ValueError, match="sandbox is a key of the plugin's `config`"):
            await host(sandbox="strict")

    async def test_what_contains_it_is_told(
        self, host: Host, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        """In the log when it starts, with what it will look for in vain, and in its status."""
        monkeypatch.setenv("THERE", "1")
        monkeypatch.delenv("NOT_THERE", raising=False)
        with caplog.at_level(logging.INFO, "cpex.framework.isolated"):
            guard = await host({"pass_env": ["THERE", "NOT_THERE"], "memory_limit": "1GiB"})
        assert "Probe: sandbox none: all that the host may; memory_limit 1 GiB" in caplog.messages
        warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
        assert warnings == ["Probe: the variable NOT_THERE, which it is to see, is not set"]
        assert [status["sandbox"] for status in guard.status] == ["none"]

    async def test_a_sandbox_that_is_none(self, host: Host) -> None:
        guard = await host({"sandbox": {"netwrok": "none"}})
        (failure,) = guard.manager.load_failures
        assert "config.sandbox" in failure.error
        assert "netwrok" in failure.error

    async def test_a_wrong_setting_is_told_with_its_place(self, host: Host) -> None:
        guard = await host({"workers": 0})
        (failure,) = guard.manager.load_failures
        assert "config.workers: Input should be greater than or equal to 1" in failure.error
        path = await asyncio.to_thread(Path("config.yaml").resolve)
        key = '"workers": '
        column = path.read_text().index(key) + len(key) + 1
        assert failure.where == f"{path}:1:{column}"

    async def test_a_build_that_failed_tells_its_details(self, host: Host) -> None:
        guard = await host({"environment": {"python": "false"}})
        (failure,) = guard.manager.load_failures
        assert failure.error.startswith("config.environment.python: 'false' is no interpreter")
        assert failure.details is None
        await asyncio.to_thread(Path("plugins/probe/broken.txt").write_text, "no such thing\n")
        guard = await host({"requirements_file": "broken.txt"}, on_missing="deny")
        (failure,) = guard.manager.load_failures
        assert failure.details is not None
        assert failure.details["step"] == "install"
        assert failure.details["requirements"].endswith("/plugins/probe/broken.txt")
        assert failure.details["stderr"].strip().splitlines()[-1].strip() in failure.error
        missing: Any = guard.manager.get_plugin("Probe")
        assert missing.workers == []

    def test_event_loops_one_after_the_other(self, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(project)
        manager = TenantPluginManager(str(write_config(project, {})))
        asyncio.run(manager.initialize())
        guard = Guard(manager)
        try:
            for number in range(3):
                result = asyncio.run(guard.call("echo", number=number))
                assert result.modified_payload is not None
                assert result.modified_payload.args == {"echoed": {"number": number}}
        finally:
            asyncio.run(manager.shutdown())

    async def test_event_loops_side_by_side(self, host: Host) -> None:
        guard = await host()

        async def many(first: int) -> list[int]:
            results = await asyncio.gather(*(guard.call("echo", number=first + at) for at in range(100)))
            return [result.modified_payload.args["echoed"]["number"] for result in results]

        def elsewhere(first: int) -> list[int]:
            return asyncio.run(many(first))

        threads = [asyncio.to_thread(elsewhere, at * 100) for at in range(3)]
        assert await asyncio.gather(many(1000), *threads) == [
            list(range(first, first + 100)) for first in (1000, 0, 100, 200)
        ]

    async def test_a_forked_child_has_workers_of_its_own(self, host: Host) -> None:
        guard = await host()
        pid = await guard.pid()
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                os.write(write, str(asyncio.run(guard.pid())).encode())
                asyncio.run(guard.manager.shutdown())
            finally:
                os._exit(0)
        os.close(write)
        started = time.monotonic()
        told = await asyncio.to_thread(lambda: int(os.read(read, 20)))
        os.close(read)
        await asyncio.to_thread(os.waitpid, child, 0)
        assert told != pid, time.monotonic() - started
        assert await guard.pid() == pid
        await until(lambda: not runs(told))
