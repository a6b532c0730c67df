"""`cpex run`: what it shows, what it writes for machines, what it says about bad input, and its exit status."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from typing import Any
from uuid import uuid4

import pytest
from typer.testing import CliRunner, Result

from cpex.framework.settings import settings
from cpex.tools._totals import Tally
from cpex.tools.cli import app

PLUGINS = """
import os
from cpex.framework import HttpAuthCheckPermissionResultPayload, Plugin, PluginResult, PluginViolation

class Gate(Plugin):
    async def tool_pre_invoke(self, payload, context):
        print("a plugin prints")
        if payload.name == "crash":
            raise RuntimeError("out of order")
        if payload.name == "forbidden":
            violation = PluginViolation(reason="Not today", description="closed", code="CLOSED")
            return PluginResult(continue_processing=False, violation=violation)
        if payload.name == "secret":
            args = {**payload.args, "text": payload.args["text"].replace("hunter2hunter2", "[gone]")}
            return PluginResult(modified_payload=payload.model_copy(update={"args": args}))
        return PluginResult()

class InPlace(Plugin):
    async def tool_pre_invoke(self, payload, context):
        payload.args["added"] = 1
        return PluginResult(modified_payload=payload)

class Memory(Plugin):
    async def tool_pre_invoke(self, payload, context):
        context.set_state("asked", payload.name)
        return PluginResult()

    async def tool_post_invoke(self, payload, context):
        asked = context.get_state("asked")
        return PluginResult(modified_payload=payload.model_copy(update={"result": asked})) if asked else PluginResult()

class Background(Plugin):
    async def tool_pre_invoke(self, payload, context):
        raise RuntimeError("nobody waits for me")

class Native(Plugin):
    async def tool_pre_invoke(self, payload, context):
        os.write(1, b"native noise\\n")
        return PluginResult()

class Permission(Plugin):
    async def http_auth_check_permission(self, payload, context):
        return PluginResult(modified_payload=HttpAuthCheckPermissionResultPayload(granted=True, reason="known"))

class NoPlugin:
    pass

class BadConfig(Plugin):
    def __init__(self, config):
        super().__init__(config)
        raise ValueError("limit must be positive")
"""

ALLOWED = {"hook": "tool_pre_invoke", "payload": {"name": "search", "args": {"q": "x"}}}
BLOCKED = {"hook": "tool_pre_invoke", "payload": {"name": "forbidden"}}
MODIFIED = {"hook": "tool_pre_invoke", "payload": {"name": "secret", "args": {"text": "it is hunter2hunter2, ok"}}}
FAILED = {"hook": "tool_pre_invoke", "payload": {"name": "crash"}}

Invoke = Callable[..., Result]


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(sys, "path", sys.path.copy())
    name = f"guards_{uuid4().hex}"
    (tmp_path / f"{name}.py").write_text(PLUGINS)
    yield name
    sys.modules.pop(name, None)


@pytest.fixture
def config(tmp_path: Path, module: str) -> Callable[..., Path]:
    def write(*kinds: str, **fields: Any) -> Path:
        plugins = [
            {"name": kind.lower(), "kind": f"{module}.{kind}", "hooks": ["tool_pre_invoke"], **fields} for kind in kinds
        ]
        path = tmp_path / "plugins.yaml"
        path.write_text(json.dumps({"plugins": plugins}))
        return path

    return write


@pytest.fixture
def session(tmp_path: Path) -> Callable[..., Path]:
    def write(*lines: dict[str, Any] | str) -> Path:
        path = tmp_path / "session.jsonl"
        path.write_text("".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines))
        return path

    return write


def run(*arguments: object, stdin: str | None = None) -> Result:
    return CliRunner().invoke(app, ["run", *map(str, arguments)], input=stdin)


def entries(result: Result, kind: str) -> list[dict[str, Any]]:
    return [entry for line in result.stdout.splitlines() if (entry := json.loads(line))["type"] == kind]


def test_shows_each_decision_and_who_made_it(config: Any, session: Any) -> None:
    result = run(config("Gate"), session(ALLOWED, BLOCKED, MODIFIED))
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert any("1 ✓ allowed" in line and "search" in line for line in lines)
    assert any("2 ✗ blocked" in line and "gate" in line for line in lines)
    assert any("CLOSED  Not today: closed" in line for line in lines)
    assert any("3 ~ modified" in line and "gate" in line for line in lines)
    assert any("args.text  hu••• (14 characters) → [gone]" in line for line in lines)
    assert "3 invocations: 1 allowed · 1 modified · 1 blocked" in result.stdout


def test_never_repeats_what_a_plugin_removed(config: Any, session: Any) -> None:
    for flags in [[], ["--json"]]:
        assert "hunter2" not in run(config("Gate"), session(MODIFIED), *flags).output


def test_says_why_a_time_is_missing(config: Any, session: Any) -> None:
    """The engine measures parallel plugins together."""
    said = "concurrent and background plugins"
    assert said in run(config("Gate", mode="concurrent"), session(ALLOWED)).stdout
    assert said not in run(config("Gate"), session(ALLOWED)).stdout


def test_a_class_that_is_no_plugin_is_explained(config: Any, session: Any) -> None:
    result = run(config("NoPlugin"), session(ALLOWED))
    assert result.exit_code == 2
    assert "NoPlugin' is no class derived from cpex.framework.Plugin" in result.stderr
    assert "write class NoPlugin(Plugin)" in result.stderr


@pytest.mark.parametrize("name", ["PLUGINS_COMPAT", "PLUGINS_STRICT_CONFIG", "PLUGINS_DEFAULT_HOOK_POLICY"])
def test_a_misspelt_switch_is_explained(config: Any, session: Any, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "dney")
    settings.cache_clear()
    result = run(config("Gate"), session(ALLOWED))
    settings.cache_clear()
    assert result.exit_code == 2
    assert name in result.stderr
    assert "Traceback" not in result.output


def test_fits_into_a_hundred_columns(config: Any, session: Any) -> None:
    long_name = {"hook": "tool_pre_invoke", "payload": {"name": "tool " * 60}}
    result = run(config("Gate"), session(long_name, BLOCKED, MODIFIED))
    assert max(map(len, result.stdout.splitlines())) <= 100


def test_json_writes_results_and_a_summary(config: Any, session: Any) -> None:
    result = run(config("Gate"), session(ALLOWED, BLOCKED, MODIFIED), "--json")
    assert result.exit_code == 0
    invocations = entries(result, "invocation")
    assert [entry["decision"] for entry in invocations] == ["allowed", "blocked", "modified"]
    assert [entry["plugins"] for entry in invocations] == [[], ["gate"], ["gate"]]
    assert invocations[1]["code"] == "CLOSED"
    assert invocations[2]["changes"] == [{"path": "args.text", "old": "hu••• (14 characters)", "new": "[gone]"}]
    (summary,) = entries(result, "summary")
    assert summary["invocations"] == 3
    assert summary["decisions"] == {"allowed": 1, "modified": 1, "blocked": 1, "failed": 0}
    assert summary["plugins"]["gate"]["total"] == 3


def test_json_leaves_stdout_to_the_results(config: Any, session: Any) -> None:
    command = [sys.executable, "-m", "cpex", "run", config("Gate", "Native"), session(ALLOWED), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert [json.loads(line)["type"] for line in done.stdout.splitlines()] == ["invocation", "summary"]
    assert "native noise" in done.stderr
    assert "a plugin prints" in done.stderr


@pytest.mark.parametrize("flags", [[], ["--json"]])
def test_only_hides_the_others_but_counts_them(config: Any, session: Any, flags: list[str]) -> None:
    result = run(config("Gate"), session(ALLOWED, BLOCKED, MODIFIED), "--only", "blocked,modified", *flags)
    assert result.exit_code == 0
    assert "search" not in result.stdout
    assert "forbidden" in result.stdout
    assert "1 allowed" in result.stdout or '"allowed": 1' in result.stdout


def test_only_takes_decisions(config: Any, session: Any) -> None:
    result = run(config("Gate"), session(ALLOWED), "--only", "bloked")
    assert result.exit_code == 2
    assert "'bloked' is none of allowed" in result.output


def test_reads_standard_input(config: Any) -> None:
    result = run(config("Gate"), "-", "--json", stdin=f"{json.dumps(ALLOWED)}\n\n{json.dumps(BLOCKED)}\n")
    assert result.exit_code == 0
    assert [entry["line"] for entry in entries(result, "invocation")] == [1, 3]


def test_a_failing_plugin_is_named_and_the_rest_goes_on(config: Any, session: Any) -> None:
    result = run(config("Gate"), session(FAILED, ALLOWED), "--json")
    assert result.exit_code == 1
    failed, allowed = entries(result, "invocation")
    assert (failed["decision"], failed["plugins"]) == ("failed", ["gate"])
    assert "out of order" in failed["reason"]
    assert allowed["decision"] == "allowed"


def test_an_error_in_the_background_is_a_note(config: Any, session: Any) -> None:
    result = run(config("Background", mode="fire_and_forget"), session(ALLOWED), "--json")
    assert result.exit_code == 0
    (entry,) = entries(result, "invocation")
    assert entry["decision"] == "allowed"
    assert "background failed in the background" in entry["notes"][0]


def test_sees_edits_in_place(config: Any, session: Any) -> None:
    (entry,) = entries(run(config("InPlace"), session(ALLOWED), "--json"), "invocation")
    assert entry["decision"] == "modified"
    assert entry["changes"] == [{"path": "args.added", "old": "", "new": "1"}]


HEADERS = {"cookie": "a=b", "x-client": "mine"}


def test_headers_are_compared_with_headers(config: Any, session: Any, tmp_path: Path) -> None:
    """At the hooks of HTTP plugins return a part of the payload, or something else."""
    plugins = tmp_path / "headers.yaml"
    settings = "{headers: {X-Client: {value: cpex, overwrite: true}, X-New: {value: '1'}}, remove: [Cookie]}"
    hooks = "[http_pre_request, http_post_request]"
    plugins.write_text(f"plugins: [{{name: h, kind: builtin.header_injector, hooks: {hooks}, config: {settings}}}]")
    request = {"path": "/", "method": "GET", "headers": HEADERS}
    response = {**request, "headers": {"host": "h"}, "response_headers": {"x-client": "theirs"}}
    lines = [{"hook": "http_pre_request", "payload": request}, {"hook": "http_post_request", "payload": response}]
    results = entries(run("--json", plugins, session(*lines)), "invocation")
    assert [sorted(change["path"] for change in result["changes"]) for result in results] == [
        ["headers.X-Client", "headers.X-New", "headers.cookie", "headers.x-client"],
        ["response_headers.X-Client", "response_headers.X-New", "response_headers.x-client"],
    ]


def test_what_is_no_part_of_the_payload_is_shown_as_new(config: Any, session: Any) -> None:
    hook = "http_auth_check_permission"
    asked = {"hook": hook, "payload": {"user_email": "a@b.c", "permission": "p"}}
    (result,) = entries(run("--json", config("Permission", hooks=[hook]), session(asked)), "invocation")
    assert [change["path"] for change in result["changes"]] == ["granted", "reason"]


def test_lines_of_one_request_share_plugin_contexts(config: Any, session: Any) -> None:
    after = {"hook": "tool_post_invoke", "payload": {"name": "search", "result": "r"}}
    same = {"context": {"request_id": "r-1"}}
    path = config("Memory", hooks=["tool_pre_invoke", "tool_post_invoke"])
    result = run(path, session({**ALLOWED, **same}, {**after, **same}, ALLOWED, after), "--json")
    decisions = [entry["decision"] for entry in entries(result, "invocation")]
    assert decisions == ["allowed", "modified", "allowed", "allowed"]


@pytest.mark.parametrize(
    ("line", "place", "said"),
    [
        ('{"hook": "tool_pre_invoke", ', "session.jsonl:2:28", ["not JSON"]),
        ("[1]", "session.jsonl:2", ["expected an object, got a list"]),
        ('{"hook": 5, "payload": {}}', "session.jsonl:2", ["'hook' must be a string, got a number"]),
        ('{"hook": "tool_pre_invoke"}', "session.jsonl:2", ["'payload' is missing"]),
        ('{"hok": "tool_pre_invoke", "payload": {}}', "session.jsonl:2", ["unknown key 'hok'", "did you mean hook?"]),
        (
            '{"hook": "tool_pre_invok", "payload": {}}',
            "session.jsonl:2",
            ["unknown hook 'tool_pre_invok'", "did you mean tool_pre_invoke"],
        ),
        (
            '{"hook": "tool_pre_invoke", "payload": {"nmae": "x"}}',
            "session.jsonl:2",
            ["unknown field payload.nmae", "did you mean name?", "takes name: str, args: dict[str, Any] | None"],
        ),
        (
            '{"hook": "tool_pre_invoke", "payload": {"name": "x", "args": [1]}}',
            "session.jsonl:2",
            ["payload.args: input should be a valid dictionary, got a list", "args: dict[str, Any] | None"],
        ),
        ('{"hook": "tool_pre_invoke", "payload": {}}', "session.jsonl:2", ["payload.name is missing"]),
        (
            '{"hook": "tool_pre_invoke", "payload": {"name": "x", "name": "y"}}',
            "session.jsonl:2",
            ["key 'name' is given twice"],
        ),
        (
            '{"hook": "tool_pre_invoke", "payload": {"name": "x"}, "context": {"usr": "a"}}',
            "session.jsonl:2",
            ["unknown field context.usr", "did you mean user"],
        ),
    ],
)
def test_a_bad_line_is_explained_and_the_rest_goes_on(
    config: Any, session: Any, line: str, place: str, said: list[str]
) -> None:
    result = run(config("Gate"), session(ALLOWED, line, BLOCKED), "--json")
    assert result.exit_code == 1
    assert [entry["line"] for entry in entries(result, "invocation")] == [1, 3]
    (problem,) = entries(result, "problem")
    assert problem["line"] == 2
    assert problem["where"].endswith(place)
    for text in said:
        assert text in f"{problem['what']} {problem['hint']}"
        assert text.split(",")[0] in " ".join(result.stderr.split())


def test_a_line_that_is_not_text_is_explained(config: Any, tmp_path: Path) -> None:
    path = tmp_path / "session.jsonl"
    path.write_bytes(b"\xff\xfe\n" + json.dumps(ALLOWED).encode())
    result = run(config("Gate"), path)
    assert result.exit_code == 1
    assert "session.jsonl:1: not UTF-8 text" in result.stderr


def test_says_which_config_is_missing(tmp_path: Path, config: Any, session: Any) -> None:
    config("Gate")
    result = run(tmp_path / "plugin.yaml", session(ALLOWED))
    assert result.exit_code == 2
    assert "no such file" in result.stderr
    assert "did you mean plugins.yaml?" in result.stderr


def test_says_which_session_is_missing(tmp_path: Path, config: Any) -> None:
    result = run(config("Gate"), tmp_path / "nothing.jsonl")
    assert result.exit_code == 2
    assert "cannot read the session: no such file" in " ".join(result.stderr.split())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("plugins:\n  - name: x\n   kind: y\n", "plugins.yaml:3:4"),
        ("- a\n- b\n", "plugins.yaml"),
        ("plugins:\n  - name: x\n", "kind"),
        ("plugins:\n  - {name: x, kind: a.B, mode: enforced}\n", "sequential"),
    ],
)
def test_says_what_is_wrong_with_the_config(tmp_path: Path, session: Any, text: str, said: str) -> None:
    path = tmp_path / "plugins.yaml"
    path.write_text(text)
    result = run(path, session(ALLOWED))
    assert result.exit_code == 2
    assert said in "".join(result.stderr.split("\n"))
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("no_such_package_anywhere.Gate", ["no module named 'no_such_package_anywhere'", "plugin_dirs"]),
        ("{module}.Gat", ["has no class 'Gat'", "did you mean Gate?"]),
        ("{module}.BadConfig", ["limit must be positive"]),
        ("Gate", ["is not a class path", "package.module.Class"]),
        ("deny_list", ["is not a class path", "write builtin.deny_list"]),
        ("isolated_venv", ["config.class_name: it names a class"]),
    ],
)
def test_says_which_plugin_cannot_be_loaded(
    tmp_path: Path, module: str, session: Any, kind: str, said: list[str]
) -> None:
    path = tmp_path / "plugins.yaml"
    plugin = {"name": "guard", "kind": kind.format(module=module), "hooks": ["tool_pre_invoke"]}
    path.write_text(json.dumps({"plugins": [plugin]}))
    result = run(path, session(ALLOWED))
    assert result.exit_code == 2
    assert "plugin 'guard'" in result.stderr
    for text in said:
        assert text in " ".join(result.stderr.split())


def test_suggests_the_hook_that_was_meant(config: Any, session: Any) -> None:
    result = run(config("Gate", hooks=["tool_pre_invok"]), session(ALLOWED))
    assert result.exit_code == 2
    assert "has no hook: 'tool_pre_invok'" in " ".join(result.stderr.split())
    assert "did you mean tool_pre_invoke" in " ".join(result.stderr.split())


def test_tells_of_a_built_in_plugin_that_never_runs(tmp_path: Path, session: Any) -> None:
    path = tmp_path / "plugins.yaml"
    plugin = {"name": "words", "kind": "builtin.deny_list", "hooks": ["tool_pre_invok"], "config": {"words": ["x"]}}
    path.write_text(json.dumps({"plugins": [plugin]}))
    result = run(path, session(ALLOWED))
    assert result.exit_code == 0
    assert 'unknown hook "tool_pre_invok" of plugin words; did you mean' in " ".join(result.stderr.split())


def test_a_name_can_be_taken_once(config: Any, session: Any) -> None:
    result = run(config("Gate", "Memory", name="guard"), session(ALLOWED))
    assert result.exit_code == 2
    assert "plugin 'guard': Plugin guard already registered" in " ".join(result.stderr.split())


def test_a_required_plugin_is_blamed_alone(config: Any, session: Any) -> None:
    result = run(config("Absent", "Gate", required=True), session(ALLOWED))
    assert result.exit_code == 2
    assert "plugin 'absent'" in result.stderr
    assert "plugin 'gate'" not in result.stderr


def test_a_missing_plugin_can_deny(config: Any, session: Any) -> None:
    result = run(config("Absent", "Gate", on_missing="deny"), session(ALLOWED), "--json")
    assert result.exit_code == 0
    assert "has no class 'Absent'; on_missing: deny, so its hooks are denied" in " ".join(result.stderr.split())
    assert [entry["decision"] for entry in entries(result, "invocation")] == ["blocked"]


def test_reads_the_config_from_a_pipe(config: Any, session: Any, tmp_path: Path) -> None:
    text = config("Gate").read_text()
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = Thread(target=pipe.write_text, args=(text,), daemon=True)
    writer.start()
    result = run(pipe, session(BLOCKED), "--json")
    writer.join(timeout=10)
    assert result.exit_code == 0
    assert [entry["plugins"] for entry in entries(result, "invocation")] == [["gate"]]


def test_says_that_there_is_nothing_to_run(config: Any, session: Any) -> None:
    result = run(config(), session(ALLOWED))
    assert result.exit_code == 0
    assert "no plugins to run" in result.stderr


def test_a_config_that_is_a_folder_is_explained(tmp_path: Path, session: Any) -> None:
    result = run(tmp_path, session(ALLOWED))
    assert result.exit_code == 2
    assert "cannot read the config: is a directory" in " ".join(result.stderr.split())


def test_disabled_plugins_are_not_loaded(config: Any, session: Any) -> None:
    result = run(config("BadConfig", mode="disabled"), session(ALLOWED))
    assert result.exit_code == 0
    assert "0 plugins" in result.stdout


def test_without_the_extra_it_says_what_to_install() -> None:
    code = "import sys; sys.modules['typer'] = None; from cpex.tools.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert 'pip install "cpex[cli]"' in done.stderr
    assert "Traceback" not in done.stderr


def test_console_script_shows_its_version() -> None:
    done = subprocess.run([sys.executable, "-m", "cpex", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("cpex ")


def test_times_are_summed_up_without_keeping_them() -> None:
    tally = Tally()
    for duration in [*range(1_000, 2_001), 10**9, 0]:
        tally.add("ran", duration)
    assert tally.total == 1_003
    assert tally.median_ns == pytest.approx(1_500, rel=0.02)
    assert Tally().median_ns == 0
