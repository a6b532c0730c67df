"""`cpex inspect`: who runs for which hook, in the manager's own order, as a table, as JSON and as a flowchart."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from typer.testing import CliRunner, Result

from cpex.framework import GlobalContext, TenantPluginManager
from cpex.framework.hooks.tools import ToolPreInvokePayload
from cpex.framework.loader import _special
from cpex.tools.cli import app

PLUGINS = """
from pathlib import Path
from cpex.framework import Plugin, PluginResult

class Any(Plugin):
    async def tool_pre_invoke(self, payload, context):
        return decide(payload)
    identity_resolve = prompt_pre_fetch = my_hook = tool_pre_invoke

class Watcher(Plugin):
    async def tool_pre_invoke(self, payload, context, extensions):
        return PluginResult()

    async def initialize(self):
        print("started")
"""

CONFIG = """\
plugins:
  - {name: late, kind: guards.Any, hooks: [tool_pre_invoke], mode: fire_and_forget}
  - {name: gate, kind: guards.Any, hooks: [tool_pre_invoke], mode: concurrent, timeout_ms: 250, on_error: ignore}
  - {name: second, kind: guards.Any, hooks: [tool_pre_invoke, my_hook], priority: 20, version: "1.2"}
  - name: first
    kind: guards.Any
    hooks: [tool_pre_invoke, identity_resolve]
    priority: 10
    conditions:
      - {tenant_ids: [acme, other], tools: [search]}
      - {user_patterns: [root]}
  - {name: watcher, kind: guards.Watcher, hooks: [tool_pre_invoke], capabilities: [read_labels, append_delegation]}
  - {name: ghost, kind: guards.Missing, hooks: [tool_pre_invoke]}
  - {name: guard, kind: guards.Missing, hooks: [prompt_pre_fetch], on_missing: deny}
  - {name: remote, kind: external, hooks: [tool_pre_invoke], mode: audit, grpc: {target: "localhost:1"}}
  - {name: sleeping, kind: guards.Any, hooks: [tool_pre_invoke], mode: disabled}
  - {name: broken, kind: guards.Any, hooks: [tool_pre_invoke], mode: sequental}
"""

GOLDEN = """\
flowchart LR
  subgraph h0["tool_pre_invoke"]
    direction LR
    h0in(["request"])
    subgraph h0sequential["sequential: one after another"]
      h0s0["a #34;b#34;<br/>1 · block, rewrite<br/>tool is #60;x#62;<br/>or user contains root"]:::blocking
      h0s1["c<br/>2 · block"]:::blocking
    end
    h0in --> h0s0
    h0s0 --> h0s1
    subgraph h0concurrent["concurrent: all at once"]
      h0c0["d<br/>100 · block"]:::blocking
      h0c1["e<br/>100 · block"]:::blocking
    end
    h0s1 --> h0c0
    h0s1 --> h0c1
    subgraph h0fire_and_forget["fire_and_forget: in the background"]
      h0f0["f<br/>100 · watch"]
    end
    h0out -.-> h0f0
    h0out(["result"])
    h0c0 --> h0out
    h0c1 --> h0out
  end
  classDef skipped stroke-dasharray: 4 4,opacity: 0.5
  classDef blocking stroke-width: 3px
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    name = f"guards_{uuid4().hex}"
    (tmp_path / f"{name}.py").write_text(PLUGINS)
    yield name
    sys.modules.pop(name, None)


@pytest.fixture
def config(tmp_path: Path, module: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(_special, "_TRANSPORTS", (("grpc", "cpex.framework", "Plugin"),))
    path = tmp_path / "plugins.yaml"
    path.write_text(CONFIG.replace("guards.", f"{module}."))
    return path


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["inspect", *map(str, arguments)])


def report(*arguments: str | Path) -> dict[str, Any]:
    result: dict[str, Any] = json.loads(run(*arguments, "--format", "json").stdout)
    return result


def order(hook: dict[str, Any]) -> list[tuple[str, list[str]]]:
    return [(phase["mode"], [turn["plugin"] for turn in phase["plugins"]]) for phase in hook["phases"]]


def test_hooks_list_their_plugins_phase_by_phase(config: Path) -> None:
    hooks = {hook["hook"]: hook for hook in report(config)["hooks"]}
    assert list(hooks) == ["tool_pre_invoke", "my_hook", "identity_resolve", "prompt_pre_fetch"]
    assert order(hooks["tool_pre_invoke"]) == [
        ("sequential", ["first", "second", "watcher"]),
        ("audit", ["remote"]),
        ("concurrent", ["gate"]),
        ("fire_and_forget", ["late"]),
    ]
    assert order(hooks["prompt_pre_fetch"]) == [("sequential", ["guard"])]
    assert hooks["my_hook"]["payload"] is None
    assert hooks["tool_pre_invoke"]["payload"] == "ToolPreInvokePayload"
    assert hooks["tool_pre_invoke"]["rewritten_by"] == ["first", "second"]


def test_the_order_is_that_of_a_manager(config: Path, module: str, tmp_path: Path) -> None:
    """M15, P1: nothing is ordered anew."""
    loadable = tmp_path / "loadable.yaml"
    text = config.read_text()
    loadable.write_text("".join(line for line in text.splitlines(True) if not re.search("remote|broken", line)))

    async def ask() -> list[tuple[str, bool]]:
        manager = TenantPluginManager(str(loadable))
        await manager.initialize()
        payload, context = ToolPreInvokePayload(name="search"), GlobalContext(request_id="1", tenant_id="acme")
        answer = [
            (ref.plugin_ref.name, why is None) for ref, why in manager.eligible("tool_pre_invoke", payload, context)
        ]
        await manager.shutdown()
        return answer

    hooks = report(loadable, "--tenant", "acme", "--tool", "search", "--hook", "tool_pre_invoke")["hooks"]
    shown = [(turn["plugin"], turn["runs"]) for phase in hooks[0]["phases"] for turn in phase["plugins"]]
    assert shown == asyncio.run(ask())
    assert len(shown) == 5


def test_every_entry_has_a_status(config: Path) -> None:
    plugins = {plugin["name"]: plugin for plugin in report(config)["plugins"]}
    assert {name: plugin["status"] for name, plugin in plugins.items()} == {
        "late": "loaded",
        "gate": "loaded",
        "second": "loaded",
        "first": "loaded",
        "watcher": "loaded",
        "ghost": "not loaded",
        "guard": "denying",
        "remote": "not started",
        "sleeping": "disabled",
        "broken": "invalid",
    }
    assert "Missing" in plugins["ghost"]["problem"]
    assert (plugins["gate"]["timeout_ms"], plugins["gate"]["on_error"]) == (250, "ignore")
    assert plugins["watcher"]["may_see"] == ["security.labels", "delegation"]
    assert plugins["watcher"]["may_write"] == ["delegation"]
    assert plugins["second"]["version"] == "1.2"


@pytest.mark.parametrize(
    ("options", "skipped"),
    [
        (["--tenant", "acme", "--tool", "search"], None),
        (["--tenant", "acme"], None),
        (["--user", "root"], None),
        (["--tenant", "acme", "--tool", "shell", "--user", "bob"], "condition user_patterns does not match"),
        (["--server", "s"], "condition user_patterns does not match"),
    ],
)
def test_a_request_says_who_would_run(config: Path, options: list[str], skipped: str | None) -> None:
    """C1, C2, C4, C5; a tool that is not said matches."""
    (hook,) = report(config, "--hook", "tool_pre_invoke", *options)["hooks"]
    first = hook["phases"][0]["plugins"][0]
    assert (first["plugin"], first["runs"], first["skipped"]) == ("first", skipped is None, skipped)
    assert hook["phases"][0]["plugins"][1]["runs"]


def test_a_tool_never_matches_on_identity_resolve(config: Path) -> None:
    """C5: its payload names no tool."""
    (hook,) = report(config, "--hook", "identity_resolve", "--tenant", "acme", "--tool", "search")["hooks"]
    assert not hook["phases"][0]["plugins"][0]["runs"]


def test_the_table_says_it_in_words(config: Path) -> None:
    result = run(config, "--tenant", "none")
    assert result.exit_code == 1
    text = result.stdout
    assert "tenant is acme or other, and tool is search" in text
    assert "or user contains root" in text
    assert "may be rewritten by first, then second" in text
    assert "sees security.labels; writes delegation" in text
    assert re.search(r"1 +sequential +10 +first +block, rewrite .*does not match", text)
    assert re.search(r"3 +sequential +100 +watcher +block +always +runs", text)
    assert "\x1b" not in text


def test_initialize_is_called_only_on_request(tmp_path: Path, module: str) -> None:
    path = tmp_path / "one.yaml"
    path.write_text(f"plugins: [{{name: a, kind: {module}.Watcher, hooks: [tool_pre_invoke]}}]")
    quiet, started = run(path), run(path, "--start")
    assert (quiet.exit_code, started.exit_code) == (0, 0)
    assert "started" not in quiet.output
    assert "started" in started.stderr
    assert "started" not in started.stdout


def test_mermaid_is_a_flowchart_that_no_name_breaks_out_of(tmp_path: Path, module: str) -> None:
    """The text was read with Mermaid's own parser, 11.x."""
    path = tmp_path / "chart.yaml"
    entries = [
        ('a "b"', "Any", 'priority: 1, conditions: [{tools: ["<x>"]}, {user_patterns: [root]}]'),
        ("c", "Watcher", "priority: 2"),
        ("d", "Any", "mode: concurrent"),
        ("e", "Any", "mode: concurrent"),
        ("f", "Any", "mode: fire_and_forget"),
    ]
    path.write_text(
        "plugins:\n"
        + "".join(
            f"  - {{name: '{name}', kind: {module}.{kind}, hooks: [tool_pre_invoke], {rest}}}\n"
            for name, kind, rest in entries
        )
    )
    result = run(path, "--format", "mermaid")
    assert result.exit_code == 0
    assert result.stdout == GOLDEN
    assert "skipped:" not in result.stdout
    asked = run(path, "--format", "mermaid", "--user", "bob", "--tool", "y").stdout
    assert 'skipped: condition user_patterns does not match"]:::skipped' in asked


def test_policies_say_which_fields_are_writable(config: Path, module: str, tmp_path: Path) -> None:
    (tmp_path / f"host_{module}.py").write_text(
        "from cpex.framework import HookPayloadPolicy\n"
        "P = {'tool_pre_invoke': HookPayloadPolicy(frozenset({'args'})), 'my_hook': HookPayloadPolicy(frozenset())}\n"
    )
    hooks = {hook["hook"]: hook for hook in report(config, "--policies", f"host_{module}:P")["hooks"]}
    assert hooks["tool_pre_invoke"]["writable_fields"] == ["args"]
    assert hooks["my_hook"]["writable_fields"] == []
    assert hooks["my_hook"]["rewritten_by"] == []
    assert hooks["identity_resolve"]["writable_fields"] is None


def test_a_misspelt_policy_is_said(config: Path, module: str, tmp_path: Path) -> None:
    (tmp_path / f"host_{module}.py").write_text(
        "from cpex.framework import HookPayloadPolicy\n"
        "P = {'tool_pre_invoke': HookPayloadPolicy(frozenset({'argz'}))}\n"
    )
    result = run(config, "--policies", f"host_{module}:P", "--format", "text")
    assert 'ToolPreInvokePayload has no field "argz"' in result.stderr
    assert 'did you mean "args"?' in result.stderr


def test_a_kind_that_cannot_be_run_is_not_loaded(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_special, "_TRANSPORTS", (("grpc", "cpex.nowhere", "Client"),))
    remote = next(plugin for plugin in report(config)["plugins"] if plugin["name"] == "remote")
    assert remote["status"] == "not loaded"
    assert "not part of this release" in remote["problem"]


def test_an_unknown_hook_is_a_usage_error(config: Path) -> None:
    result = run(config, "--hook", "tool_pre_invok")
    assert result.exit_code == 2
    assert "did you mean tool_pre_invoke" in " ".join(result.output.replace("│", " ").split())


def test_bad_input_has_exit_status_2(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("plugins: [")
    for path in (tmp_path / "bad.yaml", tmp_path / "missing.yaml", tmp_path):
        result = run(path)
        assert result.exit_code == 2
        assert result.stdout == ""
        assert re.search(r":\d+:\d+", result.stderr)
    (tmp_path / "empty.yaml").write_text("")
    assert run(tmp_path / "empty.yaml", "--content-type", "a\x01b").exit_code == 2
    assert "every request passes" in run(tmp_path / "empty.yaml").stdout


@pytest.mark.parametrize(("to", "at"), [("text", 1), ("json", 1), ("mermaid", 0)])
def test_hooks_that_only_the_server_knows_are_not_said_to_be_none(tmp_path: Path, to: str, at: int) -> None:
    path = tmp_path / "plugins.yaml"
    path.write_text("plugins: [{name: far, kind: external, unix_socket: {path: /tmp/none.sock}}]")
    shown = run(path, "--format", to).stdout
    assert "every request passes" not in shown
    assert shown.count("its server tells its hooks when it is reached") == at
    assert ("no hook is known before far is reached" in shown) is (to != "json")
    path.write_text(path.read_text().replace("external,", "external, hooks: [tool_pre_invoke],"))
    assert "its server tells its hooks" not in run(path, "--format", to).stdout
