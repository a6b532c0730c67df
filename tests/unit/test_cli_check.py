"""`cpex check`: what each code is given for and what it is not given for, the formats, and hostile files."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from cpex import _core
from cpex.framework import GlobalContext
from cpex.framework.hooks.registry import hook_names, register_all_hooks
from cpex.framework.loader import _special
from cpex.framework.models import PluginCondition
from cpex.framework.settings import settings as settings_of_cpex
from cpex.tools.check._checked import RULES, Loading, check
from cpex.tools.check._codes import ELSEWHERE, Code, Severity
from cpex.tools.check._conditions import SUBJECTS
from cpex.tools.cli import app

# They register themselves once in a process: not in a test, whose traces are removed.
register_all_hooks()

PLUGINS = """
import sys
from cpex.framework import Plugin, PluginResult, PluginViolation, hook
from cpex.framework.hooks.policies import HookPayloadPolicy

MISSPELT = {
    "tool_pre_invok": HookPayloadPolicy(writable_fields=frozenset({"args"})),
    "tool_pre_invoke": HookPayloadPolicy(writable_fields=frozenset({"argz", "name"})),
    "a_hook_of_the_host": HookPayloadPolicy(writable_fields=frozenset({"x"})),
}
POLICIES = {"tool_pre_invoke": HookPayloadPolicy(writable_fields=frozenset({"args"}))}
NO_POLICIES = {"tool_pre_invoke": {"args"}}

def decide(payload):
    return PluginResult(continue_processing=False, violation=PluginViolation(reason="no"))

class Any(Plugin):  # its source does not say what it may do
    async def tool_pre_invoke(self, payload, context):
        return decide(payload)
    tool_post_invoke = prompt_pre_fetch = identity_resolve = http_pre_request = tool_pre_invoke

class Watcher(Plugin):
    async def tool_pre_invoke(self, payload, context):
        return PluginResult()

class NameGuard(Plugin):
    async def tool_pre_invoke(self, payload, context):
        if payload.name == "shell":
            return PluginResult(continue_processing=False, violation=PluginViolation(reason="no"))
        return PluginResult()

class ArgsGuard(Plugin):
    async def tool_pre_invoke(self, payload, context):
        return PluginResult(continue_processing=not payload.args)

class ArgsWriter(Plugin):
    async def tool_pre_invoke(self, payload, context):
        changed = payload.model_copy(update={"args": {}})
        return PluginResult(modified_payload=changed)

class Custom(Plugin):
    @hook(["my_hook", "tool_pre_invoke_v2"])
    async def answer(self, payload, context):
        return PluginResult()

class Misspelt(Plugin):
    @hook("tool_pre_invok")
    async def answer(self, payload, context):
        return PluginResult()

class WithExtensions(Plugin):
    async def tool_pre_invoke(self, payload, context, extensions):
        return PluginResult()

class NotAsync(Plugin):
    def tool_pre_invoke(self, payload, context):
        return PluginResult()

class ThreeTooMany(Plugin):
    async def tool_pre_invoke(self, payload):
        return PluginResult()

class BadConstructor(Plugin):
    def __init__(self, config):
        super().__init__(config)
        print("a plugin prints")
        raise ValueError(f"limit must be positive, token {config.config['token']}")

class NoPlugin:
    def __init__(self, config):
        pass
    async def initialize(self):
        pass
    async def tool_pre_invoke(self, payload, context):
        pass

class Exits(Plugin):
    def __init__(self, config):
        sys.exit(3)

class BadStart(Watcher):
    async def initialize(self):
        raise RuntimeError("no connection")
"""

HEAD = "plugins:\n  - name: a\n    kind: guards.Any\n    hooks: [tool_pre_invoke]\n"

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """Writes a config; `guards` in it is the module of the plugins above, under a name of its own."""
    module = f"guards_{uuid4().hex}"
    (tmp_path / f"{module}.py").write_text(PLUGINS)
    monkeypatch.chdir(tmp_path)

    def write(text: str) -> Path:
        path = tmp_path / "plugins.yaml"
        path.write_text(text.replace("guards.", f"{module}.").replace("guards:", f"{module}:"))
        return path

    yield write


def run(*arguments: str | Path, stdin: str = "") -> Result:
    return CliRunner().invoke(app, ["check", *map(str, arguments)], input=stdin)


def codes(path: Path, loading: Loading = Loading.CLASSES) -> list[str]:
    return [finding.code.value for finding in check(str(path), loading).findings]


def entry(name: str, kind: str = "Any", hooks: str = "tool_pre_invoke", **more: str) -> str:
    rest = "".join(f", {key}: {value}" for key, value in more.items())
    return f"  - {{name: {name}, kind: guards.{kind}, hooks: [{hooks}]{rest}}}\n"


def entries(*items: str) -> str:
    return "plugins:\n" + "".join(items)


EXTERNAL = (
    "plugins:\n  - {name: a, kind: external, hooks: [tool_pre_invoke], mcp: {proto: STREAMABLEHTTP, url: %s}%s}\n"
)

MCP = "plugins:\n  - {name: a, kind: external, hooks: [tool_pre_invoke], mcp: {%s}}\n"
GRPC = MCP.replace("mcp:", "grpc:")

ISOLATED = (
    "plugins:\n  - {name: a, kind: isolated_venv, hooks: [tool_pre_invoke], "
    "config: {class_name: guards.Any, script_path: %s}}\n"
)

BUILTIN = "plugins:\n  - {name: a, kind: builtin.deny_list, hooks: [%s], config: {words: [x]}}\n"

# code, a config that has it, a near miss that has nothing
CASES = [
    ("syntax", "plugins: [", "plugins: []"),
    ("template", "plugins: []\n# {{ env.", "plugins: []\n# {{ env.X }}"),
    ("not-a-mapping", "- a", "plugins: []"),
    ("unknown-key", HEAD + "    conditons: []", HEAD + "    conditions: []"),
    ("duplicate-key", HEAD + "    mode: audit\n    mode: transform", HEAD + "    mode: transform"),
    ("missing-key", "plugins: [{name: a, hooks: [tool_pre_invoke]}]", HEAD),
    ("invalid-value", HEAD + "    mode: sequental", HEAD + "    mode: sequential"),
    ("no-plugins", "", "plugins: []"),
    ("no-plugins", "# plugins: []", "plugins: []"),
    ("no-plugins", "plugins:\n#  - name: a", "plugins: []"),
    ("legacy-mode", HEAD + "    mode: enforce", HEAD + "    mode: sequential"),
    ("legacy-mode", HEAD + "    mode: permissive", HEAD + "    mode: transform"),
    ("unquoted-version", HEAD + "    version: 1.0", HEAD + '    version: "1.0"'),
    ("unknown-capability", HEAD + "    capabilities: [read_label]", HEAD),
    (
        "capabilities-form",
        entries(entry("a", "WithExtensions", capabilities="read_labels")),
        entries(entry("a", "WithExtensions", capabilities="[read_labels]")),
    ),
    (
        "external-config",
        EXTERNAL % ("http://example.com/mcp", ", config: {a: 1}"),
        EXTERNAL % ("http://example.com", ""),
    ),
    ("blocked-url", EXTERNAL % ("http://127.0.0.1/mcp", ""), EXTERNAL % ("http://localhost/mcp", "")),
    ("external-server", MCP % "proto: SSE, url: 'http://example.com'", MCP % "proto: STDIO, cmd: [server]"),
    ("external-server", MCP % "proto: STDIO, script: no.py", MCP % "proto: STDIO, script: plugins.yaml"),
    ("external-server", MCP % "proto: STDIO, script: hosts, cwd: /", MCP % "proto: STDIO, script: hosts, cwd: /etc"),
    ("external-server", GRPC % "target: 'localhost:70000'", GRPC % "target: 'localhost:65535'"),
    ("external-server", GRPC % "target: 'localhost:0'", GRPC % "target: '[::1]:1'"),
    ("external-server", GRPC % "target: 'dns:///localhost'", GRPC % "target: 'dns:///localhost:50051'"),
    ("external-server", GRPC % "target: 'a:1', endpoints: ['a:1', 'b:x']", GRPC % "endpoints: ['a:1', 'b:2']"),
    ("external-server", GRPC % "endpoints: ['a:99999', 'b:2']", GRPC % "target: 'unix:/tmp/cpex.sock'"),
    ("isolated-plugin", ISOLATED % "nowhere", ISOLATED % "."),
    ("invalid-value", HEAD + "server_settings: {port: 65536}", HEAD + "server_settings: {port: 0}"),
    ("invalid-value", HEAD + "grpc_server_settings: {port: -1}", HEAD + "grpc_server_settings: {port: 65535}"),
    ("plugin-import", HEAD.replace("guards.Any", "extrenal"), EXTERNAL % ("http://example.com", "")),
    (
        "tls-file",
        "plugins:\n  - {name: a, kind: external, hooks: [tool_pre_invoke], "
        "mcp: {proto: STREAMABLEHTTP, url: https://example.com, tls: {ca_bundle: /nowhere.pem}}}",
        "plugins:\n  - {name: a, kind: external, hooks: [tool_pre_invoke], "
        f"mcp: {{proto: STREAMABLEHTTP, url: https://example.com, tls: {{ca_bundle: {Path(__file__)}}}}}}}",
    ),
    ("invalid-setting", HEAD + "plugin_settings: {isolation: allways}", HEAD + "plugin_settings: {isolation: always}"),
    (
        "unset-env",
        HEAD + "    config: {url: '{{ env.CPEX_NOWHERE }}'}",
        HEAD + "    config: {a: '{% if env.CPEX_NOWHERE %}{{ env.CPEX_NOWHERE }}{% endif %}', b: '{{ env.PATH }}'}",
    ),
    (
        "unset-env",
        HEAD + """    config: {url: "{{- env['CPEX_NOWHERE'] -}}"}""",
        HEAD + "    config: {url: '{% raw %}{{ env.CPEX_NOWHERE }}{% endraw %}{# {{ env.CPEX_NOWHERE }} #}'}",
    ),
    ("duplicate-name", HEAD + entry("a", mode="audit"), HEAD + entry("a", mode="disabled")),
    ("unknown-hook", entries(entry("a", hooks="tool_pre_invok")), entries(entry("a", "Custom", hooks="my_hook"))),
    (
        "unknown-hook",
        entries(entry("a", "Misspelt", hooks="tool_pre_invok")),
        entries(entry("a", "Custom", hooks="tool_pre_invoke_v2")),
    ),
    ("unknown-hook", BUILTIN % "tool_pre_invok", BUILTIN % "tool_pre_invoke"),
    ("unknown-hook", BUILTIN % "a_hook_of_the_host", BUILTIN % "cmf.tool_pre_invoke"),
    ("no-hooks", entries(entry("a", hooks="")), HEAD),
    ("repeated-hook", entries(entry("a", hooks="tool_pre_invoke, tool_pre_invoke")), HEAD),
    ("plugin-import", entries(entry("a", "Missing")), HEAD),
    ("plugin-construct", entries(entry("a", "BadConstructor", config="{token: abcd}")), HEAD),
    ("hook-method", entries(entry("a", "NotAsync")), HEAD),
    ("hook-method", entries(entry("a", "ThreeTooMany")), HEAD),
    ("hook-method", entries(entry("a", "Watcher", hooks="agent_pre_invoke")), HEAD),
    (
        "unused-capabilities",
        entries(entry("a", capabilities="[read_labels]")),
        entries(entry("a", "WithExtensions", capabilities="[read_labels]")),
    ),
    (
        "dead-condition",
        entries(entry("a", hooks="identity_resolve", conditions="[{tools: [x]}]")),
        entries(entry("a", hooks="identity_resolve", conditions="[{tenant_ids: [x]}]")),
    ),
    (
        "dead-condition",
        HEAD + "    conditions: [{content_types: [' ']}]",
        HEAD + "    conditions: [{content_types: [a/b]}]",
    ),
    ("empty-condition", HEAD + "    conditions: [{}]", HEAD + "    conditions: []"),
    (
        "empty-condition",
        HEAD + "    conditions: [{tools: [], tenant_ids: [x]}]",
        HEAD + "    conditions: [{tenant_ids: [x]}]",
    ),
    ("ignored-condition", HEAD + "    conditions: [{prompts: [x]}]", HEAD + "    conditions: [{tools: [x]}]"),
    (
        "ignored-condition",
        entries(entry("a", hooks="tool_pre_invoke, prompt_pre_fetch", conditions="[{tools: [x]}]")),
        entries(entry("a", hooks="tool_pre_invoke, prompt_pre_fetch", conditions="[{tools: [x], prompts: [y]}]")),
    ),
    (
        "moot-condition",
        HEAD + "    conditions: [{tools: [x]}, {tools: [x], tenant_ids: [t]}]",
        HEAD + "    conditions: [{tools: [x]}, {tools: [y], tenant_ids: [t]}]",
    ),
    ("disabled-required", HEAD + "    mode: disabled\n    required: true", HEAD + "    required: true"),
    (
        "guard-before-rewrite",
        HEAD + entry("b", mode="transform"),
        HEAD + "    mode: concurrent\n" + entry("b", mode="transform"),
    ),
    (
        "guard-before-rewrite",
        HEAD + entry("b", mode="transform"),
        HEAD + "    conditions: [{tools: [x]}]\n" + entry("b", mode="transform", conditions="[{tools: [y]}]"),
    ),
    (
        "guard-before-rewrite",
        HEAD
        + "    conditions: [{user_patterns: [x]}]\n"
        + entry("b", mode="transform", conditions="[{user_patterns: [y]}]"),
        HEAD + "    conditions: [{tenant_ids: [x]}]\n" + entry("b", mode="transform", conditions="[{tenant_ids: [y]}]"),
    ),
    (
        "guard-before-rewrite",
        entries(entry("a", "ArgsGuard", priority="1"), entry("b", "ArgsWriter", priority="2")),
        entries(entry("a", "NameGuard", priority="1"), entry("b", "ArgsWriter", priority="2")),
    ),
    (
        "guard-before-rewrite",
        entries(entry("a", "ArgsGuard"), entry("b", "ArgsWriter", mode="transform")),
        entries(entry("a", "Watcher"), entry("b", "ArgsWriter", mode="transform")),
    ),
    (
        "priority-tie",
        entries(entry("a", mode="transform"), entry("b", mode="transform")),
        entries(entry("a", mode="transform"), entry("b", mode="transform", priority="7")),
    ),
    (
        "priority-tie",
        entries(entry("a", "ArgsGuard"), entry("b", "ArgsWriter")),
        entries(entry("a", "NameGuard"), entry("b", "ArgsWriter")),
    ),
    (
        "secret-in-clear",
        HEAD + "    config: {db_password: hunter2hunter2}",
        HEAD + "    config: {db_password: '{{ env.DB | d }}', max_tokens: 4096, redaction_text: '[SECRET]'}",
    ),
    (
        "secret-in-clear",
        HEAD + "    config: {url: 'https://bob:hunter2@example.com'}",
        HEAD + "    config: {url: 'https://example.com/a@b', api_key: <your key>}",
    ),
    ("unknown-key", HEAD + "plugin_settings: {isolatoin: always}", HEAD + "plugin_settings: {plugin_timeout: 30}"),
    ("invalid-setting", HEAD + "plugin_settings: {allowed_dirs: /usr}", HEAD + "plugin_settings: {allowed_dirs: []}"),
    ("plugin-dir", HEAD + "plugin_dirs: [nowhere]", HEAD + "plugin_dirs: []"),
    ("plugin-dir", HEAD + "plugin_dirs: [/usr]", HEAD + "plugin_dirs: [/usr]\nplugin_settings: {allowed_dirs: [/usr]}"),
]


@pytest.mark.parametrize(("code", "bad", "good"), CASES, ids=[f"{case[0]}-{at}" for at, case in enumerate(CASES)])
def test_each_code_has_a_case_and_a_near_miss(write: Write, code: str, bad: str, good: str) -> None:
    assert codes(write(bad)) == [code]
    assert [found for found in codes(write(good)) if found != "kind-unavailable"] == []


def test_every_code_has_a_case() -> None:
    elsewhere = {Code.UNREADABLE, Code.NOT_CHECKED, Code.PLUGIN_INITIALIZE, Code.KIND_UNAVAILABLE, *ELSEWHERE}
    assert {case[0] for case in CASES} | elsewhere == set(Code)


def test_every_code_is_documented() -> None:
    page = (Path(__file__).parents[2] / "docs/reference/check.md").read_text()
    documented = re.findall(r"^\| `([a-z-]+)` \| (error|warning|note) \|", page, re.MULTILINE)
    assert documented == [(code.value, code.severity.value) for code in Code]


@pytest.mark.parametrize(
    ("written", "line", "said"),
    [
        ("mcp:\n      url: http://example.com\n      proto: SSE", 7, "write proto: STREAMABLEHTTP"),
        ("mcp:\n      proto: STDIO\n      script: no.py", 7, "it is taken from the working directory, "),
        ("grpc:\n      endpoints:\n        - a:1\n        - a:0", 8, "'a:0' names no port from 1 to 65535"),
    ],
)
def test_a_server_that_cannot_be_reached_is_told_at_its_place(write: Write, written: str, line: int, said: str) -> None:
    path = write(f"plugins:\n  - name: a\n    kind: external\n    hooks: [tool_pre_invoke]\n    {written}\n")
    (finding,) = check(str(path)).findings
    assert (finding.code, finding.line) == (Code.EXTERNAL_SERVER, line)
    assert said in f"{finding.message} {finding.hint}"


@pytest.mark.parametrize("loading", Loading)
def test_a_misspelt_kind_is_told_however_much_is_loaded(write: Write, loading: Loading) -> None:
    path = write(HEAD.replace("guards.Any", "extrenal"))
    finding = next(found for found in check(str(path), loading).findings if found.code is Code.PLUGIN_IMPORT)
    assert (finding.line, finding.hint) == (3, "did you mean external?")


def test_initialize_is_called_only_on_request(write: Write) -> None:
    path = write(entries(entry("a", "BadStart")))
    assert codes(path) == []
    assert codes(path, Loading.EVERYTHING) == ["plugin-initialize"]


def test_a_plugin_that_ends_the_process_is_a_finding(write: Write) -> None:
    assert codes(write(entries(entry("a", "Exits"), entry("b", "Missing")))) == ["plugin-construct", "plugin-import"]


def test_without_loading_nothing_is_imported(write: Write) -> None:
    assert codes(
        write(entries(entry("a", "Exits"), entry("b", "Missing", hooks="tool_pre_invok"))), Loading.NOTHING
    ) == ["unknown-hook"]


OF_RUST = """\
plugins:
  - name: allow
    kind: guards.Exits
    hooks: [tool_pre_invoke, orders.create, tool_pre_invok]
    required: true
  - name: words
    kind: builtin.deny_list
    hooks: [tool_pre_invoke, orders.create, tool_pre_invok]
    config: {word: [x]}
"""


def test_without_importing_only_plugins_of_cpex_are_loaded(write: Write) -> None:
    path = write(OF_RUST)
    found = [(finding.code.value, finding.line) for finding in check(str(path), Loading.BUILTIN).findings]
    assert found == [
        ("not-checked", 3),
        ("unknown-hook", 4),
        ("not-checked", 8),
        ("unknown-hook", 8),
        ("plugin-construct", 9),
    ]


def test_notes_are_no_problems(write: Write) -> None:
    path = write(HEAD + "    mode: enforce_ignore_error\n")
    done = run("--no-import", "--strict", path)
    assert done.exit_code == 0
    assert "mode 'enforce_ignore_error' is the old name of 'sequential'" in done.stdout
    assert "= write mode: sequential and on_error: ignore" in done.stdout
    assert done.stdout.endswith("1 file checked: nothing to mend, 2 notes\n")
    assert "::notice file=" in run("--no-import", "--format", "github", path).stdout
    report = json.loads(run("--no-import", "--format", "json", path).stdout)
    assert (report["errors"], report["warnings"], report["notes"]) == (0, 0, 2)
    assert run("--no-import", "--start", path).exit_code == 2


def test_a_misspelt_method_is_named(write: Write) -> None:
    (finding,) = check(str(write(entries(entry("a", "Misspelt"))))).findings
    assert finding.code is Code.HOOK_METHOD
    assert finding.hint == "Misspelt.answer answers 'tool_pre_invok'"


RICH = """\
# A config with many mistakes.
plugins:
  - name: gate
    kind: guards.ArgsGuard
    hooks: [tool_pre_invoke, agent_pre_invok]
    priority: 10
    conditons: []
  - name: rewrite
    kind: guards.ArgsWriter
    hooks: [tool_pre_invoke]
    mode: transform
    version: 1.0
  - name: rewrite
    kind: guards.Missing
    hooks: [tool_pre_invoke]
  - name: broken
    kind: guards.BadConstructor
    hooks: [tool_pre_invoke]
    required: true
    config: {token: "s3cr3t-in-clear"}
  - name: late
    kind: guards.ArgsWriter
    hooks: [tool_pre_invoke]
    priority: 20
"""

GOLDEN = """\
plugins.yaml:5:30: error: unknown hook 'agent_pre_invok' [unknown-hook]
  5 |     hooks: [tool_pre_invoke, agent_pre_invok]
    |                              ^
  = did you mean agent_pre_invoke or agent_post_invoke?

plugins.yaml:7:5: error: unknown key "conditons" in plugins[0] [unknown-key]
  7 |     conditons: []
    |     ^
  = did you mean "conditions"?

plugins.yaml:12:14: error: plugins[1].version: input should be a valid string, got a number [unquoted-version]
  12 |     version: 1.0
     |              ^
  = write it as text: version: "1.0"

plugins.yaml:13:11: error: the name 'rewrite' is taken by the plugin at line 8: this one is not loaded [duplicate-name]
  13 |   - name: rewrite
     |           ^
  = give each plugin a name of its own

plugins.yaml:20:13: error: the constructor fails: limit must be positive, token ***; required: true, so the \
application does not start [plugin-construct]
  20 |     config: {token: •••••••••••••••••}
     |             ^
  = check its `config:`

plugins.yaml:20:21: warning: token looks like a secret that stands in the file [secret-in-clear]
  = put it into a variable of the environment and write {{ env.NAME }}

1 file checked: 5 errors, 1 warning
"""


def test_everything_is_shown_at_once_in_the_order_of_the_file_and_no_secret_is(write: Write) -> None:
    write(RICH)
    result = run("plugins.yaml")
    assert result.exit_code == 1
    assert result.stdout == GOLDEN
    assert "s3cr3t" not in result.output
    assert "a plugin prints" in result.stderr


def test_warnings_count_only_if_asked_for(write: Write) -> None:
    path = write(HEAD + entry("b", mode="transform"))
    assert run(path).exit_code == 0
    assert run("--strict", path).exit_code == 1
    assert run("--strict", "--ignore", "guard-before-rewrite", path).exit_code == 0


def test_a_comment_silences_a_code_on_its_line(write: Write) -> None:
    text = HEAD + "    # cpex: ignore[unknown-key, no-hooks]\n    x: 1\n    y: 2  # cpex: ignore[unknown-key]\n"
    assert codes(write(text)) == []
    assert codes(write(text.replace("unknown-key", "unknown-hook"))) == ["unknown-key", "unknown-key"]


def test_the_policies_of_the_host_say_what_can_be_rewritten(write: Write) -> None:
    path = write(HEAD + entry("b", mode="transform"))
    module = next(path.parent.glob("guards_*.py")).stem
    assert "may rewrite it:" in run(path).stdout
    assert "may rewrite args:" in run("--policies", f"{module}:POLICIES", path).stdout
    for wrong in (f"{module}:NO_POLICIES", f"{module}:NOTHING", "nowhere:POLICIES", "nowhere"):
        assert run("--policies", wrong, path).exit_code == 2


def test_a_host_that_denies_by_default_leaves_nothing_to_rewrite(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cpex.tools.check._reading.settings", SimpleNamespace(default_hook_policy="deny"))
    assert codes(write(HEAD + entry("b", mode="transform"))) == []


def test_a_misspelt_policy_is_a_warning(write: Write) -> None:
    """A policy for no hook protects nothing; one for no field lets nothing through."""
    path = write(HEAD)
    module = next(path.parent.glob("guards_*.py")).stem
    assert "nothing to mend" in run("--policies", f"{module}:POLICIES", path).stdout
    result = run("--policies", f"{module}:MISSPELT", path)
    assert result.exit_code == 0
    assert result.stdout.count("[hook-policy]") == 2
    assert 'did you mean "tool_pre_invoke"?' in result.stdout
    assert 'did you mean "args"?' in result.stdout
    assert " | " not in result.stdout  # no line of the config has to do with it


@pytest.mark.parametrize(
    ("name", "value", "hint"),
    [
        ("PLUGINS_DEFAULT_HOOK_POLICY", "dney", "did you mean deny?"),
        ("PLUGINS_FAIL_ON_PLUGIN_ERROR", "maybe", "write true or false"),
        ("PLUGINS_STRICT_CONFIG", "ture", "true"),
        ("PLUGINS_COMPAT", "0.1.5", "0.1.4"),
        ("PLUGINS_PLUGIN_TIMEOUT", "s3cr3t", ""),
    ],
)
def test_a_variable_with_an_impossible_value_is_an_error(
    write: Write, monkeypatch: pytest.MonkeyPatch, name: str, value: str, hint: str
) -> None:
    path = write(HEAD)
    monkeypatch.setenv(name, value)
    settings_of_cpex.cache_clear()
    result = run(path)
    settings_of_cpex.cache_clear()
    assert result.exit_code == 1
    assert f"{name}" in result.stdout
    assert "[invalid-variable]" in result.stdout
    assert hint in result.stdout
    assert "s3cr3t" not in result.output


def test_a_variable_that_is_nearly_one_of_ours_is_a_warning(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(HEAD)
    monkeypatch.setenv("PLUGINS_OF_THE_HOST", "x")
    monkeypatch.setenv("PLUGINS_ENABLED", "true")
    assert codes(path) == []
    monkeypatch.setenv("PLUGIN_STRICT_CONFG", "true")
    (finding,) = check(str(path)).findings
    assert (finding.code, finding.hint) == (Code.UNKNOWN_VARIABLE, "did you mean PLUGINS_STRICT_CONFIG?")


@pytest.mark.parametrize("loading", [Loading.NOTHING, Loading.CLASSES])
def test_a_kind_that_cannot_be_run_is_an_error(write: Write, monkeypatch: pytest.MonkeyPatch, loading: Loading) -> None:
    """The loader decides: where the kind can be run there is nothing to say."""
    path = write(EXTERNAL % ("http://example.com", ", required: true"))
    monkeypatch.setattr(_special, "_TRANSPORTS", (("mcp", "not_installed.client", "Client"),))
    (finding,) = check(str(path), loading).findings
    assert (finding.code, finding.line) == (Code.KIND_UNAVAILABLE, 2)
    assert "'mcp' needs the package 'not_installed', which is not installed" in finding.message
    assert "does not start" in finding.message
    monkeypatch.setattr(_special, "_TRANSPORTS", (("mcp", "mcp_nowhere.client", "Client"),))
    (finding,) = check(str(path), loading).findings
    assert "needs the package 'mcp_nowhere'" in finding.message
    monkeypatch.setattr(_special, "_TRANSPORTS", (("mcp", "cpex.framework", "Plugin"),))
    assert check(str(path), loading).findings == []


def test_a_class_that_is_no_plugin_is_a_finding_not_a_traceback(write: Write) -> None:
    write(entries(entry("a", "NoPlugin"), entry("b", "Any")))
    result = run("plugins.yaml")
    assert result.exit_code == 1
    assert "NoPlugin' is no class derived from cpex.framework.Plugin" in result.stdout
    assert "write class NoPlugin(Plugin)" in result.stdout
    assert result.stdout.endswith("1 error, 0 warnings\n")


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("hooks: tool_pre_invoke", "write a list: hooks: [tool_pre_invoke]"),
        ("conditions: {}", "write a list: put a dash before each item"),
        ("conditions: [{tenant_ids: acme}]", "write a list: tenant_ids: [acme]"),
        ("tags: 'a: b, c'", "write a list: tags: […]"),
        ("on_missing: denied", "did you mean deny?"),
    ],
)
def test_a_value_that_is_nearly_right_gets_a_hint(write: Write, text: str, hint: str) -> None:
    hooks = "" if text.startswith("hooks") else "hooks: [tool_pre_invoke], "
    (finding,) = check(str(write(f"plugins: [{{name: a, kind: guards.Any, {hooks}{text}}}]"))).findings
    assert (finding.code, finding.hint) == (Code.INVALID_VALUE, hint)


def test_a_misspelt_filter_gets_a_hint(write: Write) -> None:
    (finding,) = check(str(write("plugins: []\nx: {{ env.X | deflt('x') }}"))).findings
    assert finding.code is Code.TEMPLATE
    assert "did you mean default" in finding.hint


@pytest.mark.parametrize("kind", ["NotAsync", "ThreeTooMany"])
def test_a_wrong_method_is_not_blamed_on_the_config(write: Write, kind: str) -> None:
    (finding,) = check(str(write(entries(entry("a", kind))))).findings
    assert "config" not in finding.hint
    (finding,) = check(str(write(entries(entry("a", "BadStart")))), Loading.EVERYTHING).findings
    assert "config" not in finding.hint


def test_json_is_stable(write: Write) -> None:
    write(HEAD + "    conditons: []\n")
    result = run("--format", "json", "plugins.yaml", "nowhere.yaml")
    assert result.exit_code == 2
    report = json.loads(result.stdout)
    assert (report["version"], report["errors"], report["warnings"]) == (1, 2, 0)
    first, second = report["files"]
    assert (first["usable"], second["usable"]) == (True, False)
    assert first["findings"] == [
        {
            "code": "unknown-key",
            "severity": "error",
            "line": 5,
            "column": 5,
            "message": 'unknown key "conditons" in plugins[0]',
            "hint": 'did you mean "conditions"?',
            "plugin": None,
        }
    ]
    assert second["findings"][0]["code"] == "unreadable"
    assert "plugins.yaml" in second["findings"][0]["hint"]


def test_github_annotations_cannot_be_broken_out_of(write: Write) -> None:
    write('plugins:\n  - {name: "a\\n::error::x%", kind: external, hooks: [tool_pre_invoke]}\n')
    lines = run("--format", "github", "plugins.yaml").stdout.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("::error file=plugins.yaml,line=2,col=5,title=cpex invalid-value::")
    assert "a\\n::error::x%25" in lines[0]


def test_no_control_character_reaches_the_terminal(write: Write) -> None:
    write('plugins:\n  - {name: "a\\e[31m", kind: x, hooks: ["h\\e[2J", "h\\e[2J"], conditions: [{"t\\e[2J": 1}]}\n')
    for to in "text", "json", "github", "sarif":
        result = run("--format", to, "plugins.yaml")
        assert result.exit_code == 1
        assert "\x1b" not in result.stdout


def test_a_secret_is_masked_in_every_excerpt(write: Write) -> None:
    """Also where the text is no YAML, so that nothing is known of its keys."""
    for line in (
        'api_key: "hunter2hunter2',
        "{db-password: hunter2hunter2, x: [",
        "a: https://bob:hunter2@example.com/ : x",
        "mode: {password: hunter2}",
    ):
        write(f"plugins:\n  - name: a\n    {line}\n")
        result = run("plugins.yaml")
        assert result.exit_code > 0
        assert "hunter2" not in result.output, line


def test_configs_in_two_folders_do_not_share_their_modules(tmp_path: Path) -> None:
    for name, base in ("one", "cpex.framework"), ("two", "nowhere"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "same_name.py").write_text(f"from {base} import Plugin as Any\n")
        (tmp_path / name / "p.yaml").write_text("plugins: [{name: a, kind: same_name.Any, hooks: [x]}]")
    first, second = (check(str(tmp_path / name / "p.yaml")) for name in ("one", "two"))
    assert "plugin-import" not in [finding.code for finding in first.findings]
    assert "plugin-import" in [finding.code for finding in second.findings]
    assert "same_name" not in sys.modules
    assert str(tmp_path / "one") not in sys.path


def test_sarif_names_rules_and_places(write: Write) -> None:
    write(HEAD + "    conditons: []\n")
    report = json.loads(run("--format", "sarif", "plugins.yaml").stdout)
    (scan,) = report["runs"]
    assert [rule["id"] for rule in scan["tool"]["driver"]["rules"]] == list(Code)
    (result,) = scan["results"]
    assert (result["ruleId"], result["level"]) == ("unknown-key", "error")
    place = result["locations"][0]["physicalLocation"]
    assert place == {"artifactLocation": {"uri": "plugins.yaml"}, "region": {"startLine": 5, "startColumn": 5}}


def test_standard_input_is_a_config_too(write: Write) -> None:
    result = run("-", stdin=write(HEAD + "    conditons: []\n").read_text())
    assert result.exit_code == 1
    assert result.stdout.startswith("<stdin>:5:5: error: unknown key")


def test_hostile_files_are_named_not_raised(tmp_path: Path) -> None:
    hostile = {
        "binary": bytes(range(256)) * 50,
        "large": b"plugins:\n  - name: " + b"a" * 1_000_000,
        "deep": b"[" * 5000,
        "bomb": b"a: &a [x,x,x,x,x,x,x,x,x]\n"
        + b"".join(b"%c: &%c [%s]\n" % (n + 1, n + 1, b",".join([b"*%c" % n] * 9)) for n in range(97, 105)),
        "nul": b"plugins: []\0",
    }
    for name, content in hostile.items():
        path = tmp_path / name
        path.write_bytes(content)
        result = run(path)
        assert result.exit_code == (1 if name == "large" else 2), name
        assert len(result.stdout) < 10_000
    for path in (tmp_path, tmp_path / "missing.yaml", tmp_path / ("x" * 300), Path("a\0b")):
        assert [finding.code for finding in check(str(path)).findings] == [Code.UNREADABLE]


def test_a_file_without_permission_is_named(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    path = write(HEAD)
    monkeypatch.setattr(Path, "read_bytes", refuse)
    (finding,) = check(str(path)).findings
    assert finding.message == "cannot read the config: permission denied"


YAML = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6) | st.integers(), inner, max_size=3),
    max_leaves=8,
)
KEYS = ["name", "kind", "hooks", "mode", "priority", "conditions", "config", "capabilities", "mcp", "required", "tls"]
HOOKS = st.lists(st.sampled_from(["tool_pre_invoke", "identity_resolve", "nope", ""]), max_size=3)
PLUGIN = YAML | st.fixed_dictionaries(
    {"name": st.sampled_from("ab"), "kind": st.sampled_from(["external", "x.Y", "Z", "os.path"]), "hooks": HOOKS},
    optional=dict.fromkeys(KEYS[3:], YAML),
)
TOP = st.dictionaries(
    st.sampled_from(["plugins", "plugin_dirs", "plugin_settings", "server_settings"]), YAML, max_size=3
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(top=TOP, plugins=st.lists(PLUGIN, max_size=4), text=st.none() | st.text(max_size=40) | st.binary(max_size=40))
def test_check_never_raises(
    tmp_path: Path, top: dict[str, object], plugins: list[object], text: str | bytes | None
) -> None:
    path = tmp_path / "fuzz.yaml"
    if text is None:
        text = json.dumps({**top, "plugins": plugins})
    path.write_bytes(text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text)
    for loading in Loading.NOTHING, Loading.CLASSES:
        for finding in check(str(path), loading).findings:
            assert finding.line >= 1
            assert finding.column >= 1


def test_sets_of_names_are_looked_at_where_the_engine_looks_at_them() -> None:
    """C5: the table of the rules is that of the engine."""
    register_all_hooks()
    payload = SimpleNamespace(name="n", target_name="n", raw_token="n", prompt_id="n", uri="n", agent_id="n")
    context = GlobalContext(request_id="1")
    for hook in hook_names():
        for key, hooks in SUBJECTS.items():
            condition = PluginCondition.model_validate({key: ["other"]})
            is_looked_at = not _core.payload_matches(payload, hook, [condition], context)
            assert is_looked_at == (hook in hooks), (key, hook)


def test_the_example_is_clean_but_for_what_is_not_installed() -> None:
    example = Path(__file__).parents[2] / "examples/agent-session/plugins.yaml"
    assert set(codes(example)) <= {"plugin-import"}
    assert codes(example, Loading.NOTHING) == []


def test_severities_and_rules_are_complete() -> None:
    assert {code.severity for code in Code} == set(Severity)
    assert len(set(RULES)) == len(RULES)


def test_stdout_of_the_process_holds_nothing_but_the_report(write: Write) -> None:
    path = write(entries(entry("a", "BadConstructor", config="{token: abcd}")))
    command = [sys.executable, "-m", "cpex", "check", "--format", "json", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert [finding["code"] for finding in json.loads(done.stdout)["files"][0]["findings"]] == ["plugin-construct"]
    assert "a plugin prints" in done.stderr
    assert "\x1b" not in done.stdout
