"""What a clumsy user gets: a message that names the file, line, field and the right form, and nothing half loaded.

The types of the exceptions are those of the published package, wherever it raises one.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from cpex.framework import (
    ConfigLoader,
    GlobalContext,
    Plugin,
    PluginConfig,
    PluginContext,
    PluginError,
    PluginManager,
    PluginResult,
    TenantPluginManager,
    ToolPreInvokePayload,
    hook,
)
from cpex.framework._switches import is_strict
from cpex.framework.base import HookRef, PluginRef
from cpex.framework.hooks.policies import HookPayloadPolicy
from cpex.framework.loader.config import ConfigSyntaxError, ConfigTemplateError
from cpex.framework.manager import PluginExecutor
from cpex.framework.models import Config
from cpex.framework.settings import settings

HOOK = "tool_pre_invoke"
ENTRY = "plugins:\n- name: a\n  kind: a.B\n"
PAYLOAD, REQUEST = ToolPreInvokePayload(name="t"), GlobalContext(request_id="1")
POLICY = HookPayloadPolicy(frozenset({"args"}))
TEXT_FOR_A_SET = HookPayloadPolicy("args")  # type: ignore[arg-type]


class Good(Plugin):
    """Answers."""

    async def tool_pre_invoke(self, payload: Any, context: PluginContext) -> PluginResult[Any]:
        return PluginResult()


class NoPlugin:
    """Is not derived from `Plugin`."""


class LikeAPlugin:
    """Is made like one, and is none."""

    def __init__(self, config: Any) -> None:
        self.config = config


class LooksLikeAPlugin:
    """Has the methods of one, and neither its name nor its `shutdown`."""

    def __init__(self, config: Any) -> None:
        pass

    async def initialize(self) -> None:
        pass

    async def tool_pre_invoke(self, payload: Any, context: PluginContext) -> PluginResult[Any]:
        return PluginResult()


class DoesAllOfIt:
    """Is not derived from `Plugin` and does what the manager asks of one."""

    def __init__(self, config: Any) -> None:
        self.config, self.name, self.hooks, self.priority = config, config.name, config.hooks, config.priority
        self.mode, self.tags, self.conditions = config.mode, config.tags, config.conditions

    async def initialize(self) -> None:
        pass

    async def shutdown(self) -> None:
        pass

    async def tool_pre_invoke(self, payload: Any, context: PluginContext) -> PluginResult[Any]:
        return PluginResult(metadata={"did": "all of it"})


class Forgets(Plugin):
    """Does not call the constructor it is derived from."""

    def __init__(self, config: Any) -> None:
        pass


class Sync(Plugin):
    """Has a hook that is no coroutine function."""

    def tool_pre_invoke(self, payload: Any, context: PluginContext) -> PluginResult[Any]:
        return PluginResult()


class TooFew(Plugin):
    """Has a hook without a context."""

    async def tool_pre_invoke(self, payload: Any) -> PluginResult[Any]:
        return PluginResult()


def manager_of(*kinds: str, **options: Any) -> TenantPluginManager:
    entries = [{"name": f"p{number}", "kind": kind, "hooks": [HOOK]} for number, kind in enumerate(kinds)]
    return TenantPluginManager(Config.model_validate({"plugins": entries}), **options)


def kind_of(plugin: type) -> str:
    return f"{__name__}.{plugin.__name__}"


LIST, STRING, MAPPING = "Input should be a valid list", "Input should be a valid string", "Input should be a valid dict"


@pytest.mark.parametrize(
    ("text", "place", "field", "wanted"),
    [
        ("plugins: hello\n", "1:10", "plugins", LIST),
        ("plugins: {name: a}\n", "1:10", "plugins", LIST),
        ("plugins: [hello]\n", "1:11", "plugins[0]", "Input should be a valid dictionary or instance of PluginConfig"),
        ("plugins: [null]\n", "1:11", "plugins[0]", "Input should be a valid dictionary or instance of PluginConfig"),
        ("plugins:\n- kind: a.B\n", "2:3", "plugins[0].name", "Field required"),
        ("plugins:\n- name: a\n", "2:3", "plugins[0].kind", "Field required"),
        ("plugins:\n- name: 5\n  kind: a.B\n", "2:9", "plugins[0].name", STRING),
        ("plugins:\n- name:\n  kind: a.B\n", "2:7", "plugins[0].name", STRING),
        (f"{ENTRY}  hooks: {HOOK}\n", "4:10", "plugins[0].hooks", LIST),
        (f"{ENTRY}  hooks: [null]\n", "4:11", "plugins[0].hooks[0]", STRING),
        (f"{ENTRY}  mode: sequental\n", "4:9", "plugins[0].mode", 'did you mean "sequential"?'),
        (f"{ENTRY}  mode: Audit\n", "4:9", "plugins[0].mode", 'did you mean "audit"?'),
        (f"{ENTRY}  on_error: ignor\n", "4:13", "plugins[0].on_error", 'did you mean "ignore"?'),
        (f"{ENTRY}  on_missing: den\n", "4:15", "plugins[0].on_missing", 'did you mean "deny"?'),
        (f"{ENTRY}  priority: high\n", "4:13", "plugins[0].priority", "Input should be a valid integer"),
        (f"{ENTRY}  tags: x\n", "4:9", "plugins[0].tags", LIST),
        (f"{ENTRY}  config: [1]\n", "4:11", "plugins[0].config", MAPPING),
        (f"{ENTRY}  conditions: {{tools: [a]}}\n", "4:15", "plugins[0].conditions", LIST),
        (f"{ENTRY}  conditions:\n  - tools: a\n", "5:12", "plugins[0].conditions[0].tools", "a valid set"),
        (f"{ENTRY}  capabilities: [read_header]\n", "4:17", "plugins[0].capabilities", 'mean "read_headers"?'),
        (f"{ENTRY}  timeout_ms: -1\n", "4:15", "plugins[0].timeout_ms", "Input should be greater than 0"),
        (f"{ENTRY}  required: maybe\n", "4:13", "plugins[0].required", "Input should be a valid boolean"),
        (f"{ENTRY}plugin_dirs: ./x\n", "4:14", "plugin_dirs", LIST),
        (f"{ENTRY}plugin_dirs: [5]\n", "4:15", "plugin_dirs[0]", STRING),
        (f"{ENTRY}plugin_settings: x\n", "4:18", "plugin_settings", MAPPING),
    ],
)
def test_values_of_a_wrong_type(
    text: str, place: str, field: str, wanted: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The error is pydantic's; file, line, column and field are in its notes and in the log."""
    path = tmp_path / "plugins.yaml"
    path.write_text(text)
    with pytest.raises(ValidationError) as caught:
        ConfigLoader.load_config(str(path))
    (said,) = caplog.messages
    assert said.startswith(f"{path}:{place}: {field}: ")
    assert wanted in said
    assert said in caught.value.__notes__


@pytest.mark.parametrize(
    ("content", "error", "place", "wanted"),
    [
        (b"- 1\n", TypeError, ":1:1", "must be a mapping such as 'plugins: [...]', not list"),
        (b"hello\n", TypeError, ":1:1", "must be a mapping such as 'plugins: [...]', not str"),
        (b"plugins:\n- name: a\n kind: b\n", ConfigSyntaxError, ":3:2", "check the indentation"),
        (b"plugins:\n\t- name: a\n", ConfigSyntaxError, ":2:2", "indent with spaces"),
        (b"plugins: []\n---\nplugins: []\n", ConfigSyntaxError, ":2:1", "remove the `---`"),
        (b"plugins: !!python/name:os.system\n", ConfigSyntaxError, ":1:10", "expected no tag"),
        (b"plugins: []\0\n", ConfigSyntaxError, ":1:12", "write it as an escape"),
        (b"plugins:\n- name: {{ env. }}\n", ConfigTemplateError, ":2:17", "write `{{ env.NAME }}`"),
        (b"plugins:\n- name: {{ nope.x }}\n", ConfigTemplateError, ":2:12", "only `env` is defined"),
        (b"{% if x %}\nplugins: []\n", ConfigTemplateError, ":1:11", "syntax error"),
        (b"plugins:\n- name: \xe9\n", UnicodeDecodeError, ":2", "is UTF-8 text, save it as such"),
        ("plugins: []\n".encode("utf-16"), UnicodeDecodeError, ":1", "is UTF-8 text, save it as such"),
    ],
)
@pytest.mark.parametrize("read", [ConfigLoader.load_config, TenantPluginManager, PluginManager])
def test_files_that_cannot_be_read(
    read: Callable[[str], Any], content: bytes, error: type[Exception], place: str, wanted: str, tmp_path: Path
) -> None:
    path = tmp_path / "plugins.yaml"
    path.write_bytes(content)
    with pytest.raises(error, match=f"{re.escape(f'{path}{place}')}.*{re.escape(wanted)}"):
        read(str(path))
    assert PluginManager._PluginManager__shared_state == {}  # type: ignore[attr-defined]


@pytest.mark.parametrize("read", [ConfigLoader.load_config, TenantPluginManager, PluginManager])
def test_a_directory_for_a_file(read: Callable[[str], Any], tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError, match=re.escape(str(tmp_path))):
        read(str(tmp_path))


@pytest.mark.parametrize(
    ("kind", "phase", "text"),
    [
        (f"{__name__}.Missing", "import", "has no attribute 'Missing'"),
        ("no_such_module_of_mine.P", "import", "No module named 'no_such_module_of_mine'"),
        ("mistaken", "import", "a kind is 'module.Class', not 'mistaken'"),
        (kind_of(NoPlugin), "construct", f"'{__name__}.NoPlugin' is no class derived from cpex.framework.Plugin"),
        (kind_of(LikeAPlugin), "initialize", f"'{__name__}.LikeAPlugin' is no class derived from"),
        (f"{__name__}.HOOK", "construct", f"'{__name__}.HOOK' is no class derived from cpex.framework.Plugin"),
        (kind_of(LooksLikeAPlugin), "register", f"'{__name__}.LooksLikeAPlugin' is no class derived from"),
        (kind_of(Forgets), "register", "'Forgets' object has no attribute '_config'"),
        (kind_of(Sync), "register", f"Use 'async def {HOOK}(...)' instead of 'def {HOOK}(...)'."),
        (kind_of(TooFew), "register", "Correct signature: async def tool_pre_invoke(self, payload: PayloadType"),
    ],
)
async def test_plugins_that_are_none(kind: str, phase: str, text: str, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is left of it, it is listed, and the others run."""
    manager = manager_of(kind, kind_of(Good))
    await manager.initialize()
    (failure,) = manager.load_failures
    assert (failure.name, failure.kind, failure.phase) == ("p0", kind, phase)
    assert text in failure.error
    assert f"Failed to load plugin p0: {{{failure.error}}}" in caplog.messages
    assert manager.plugin_count == 1
    result, _ = await manager.invoke_hook(HOOK, PAYLOAD, REQUEST)
    assert sorted((entry.plugin, entry.outcome) for entry in result.report) == [("p0", "not_loaded"), ("p1", "ran")]


async def test_a_class_that_does_all_that_a_plugin_does_is_one() -> None:
    """As in the published package."""
    manager = manager_of(kind_of(DoesAllOfIt))
    await manager.initialize()
    result, _ = await manager.invoke_hook(HOOK, PAYLOAD, REQUEST)
    assert result.metadata == {"did": "all of it"}


@pytest.mark.parametrize("answer", [None, {"continue_processing": True}, PAYLOAD, True])
async def test_answers_that_are_no_result(answer: Any) -> None:
    """C31"""

    class Answers(Plugin):
        async def tool_pre_invoke(self, payload: Any, context: PluginContext) -> Any:
            return answer

    executor = PluginExecutor()
    plugin = Answers(PluginConfig(name="p", kind="x.Y", hooks=[HOOK]))
    reference = HookRef(HOOK, PluginRef(plugin))
    with pytest.raises(PluginError) as raised:
        await executor.execute([reference], PAYLOAD, REQUEST, HOOK)
    class_name = type(answer).__name__
    assert f"; the plugin must return a PluginResult, not {class_name}" in str(raised.value)


async def test_policies_that_are_probably_misspelt(caplog: pytest.LogCaptureFixture) -> None:
    """C32: a hook or field that is like none may be the host's own."""
    policies = {
        "tool_pre_invok": POLICY,
        HOOK: HookPayloadPolicy(frozenset({"argz", "args", "zzz"})),
        "a_hook_of_mine": HookPayloadPolicy(frozenset({"anything"})),
    }
    await manager_of(kind_of(Good), hook_policies=policies).initialize()
    assert [message for message in caplog.messages if message.startswith("hook_policies")] == [
        'hook_policies: unknown hook "tool_pre_invok"; did you mean "tool_pre_invoke"?',
        'hook_policies: tool_pre_invoke: ToolPreInvokePayload has no field "argz"; did you mean "args"?',
        'hook_policies: tool_pre_invoke: ToolPreInvokePayload has no field "zzz"',
    ]


@pytest.mark.parametrize(
    ("variable", "value", "text"),
    [
        ("STRICT_CONFIG", "ture", "must be 'true' or 'false', not 'ture'; did you mean \"true\"?"),
        ("COMPAT", "0.1.5", "must be '0.1.4' or unset, not '0.1.5'"),
        ("ISOLATION", "alway", "must be 'always' or 'default', not 'alway'; did you mean \"always\"?"),
    ],
)
@pytest.mark.parametrize("make", [lambda path: PluginManager(path), lambda path: TenantPluginManager(path)])
def test_our_variables_are_checked_before_anything_is_read(
    make: Callable[[str], Any], variable: str, value: str, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """C33"""
    monkeypatch.setenv(f"PLUGINS_{variable}", value)
    with pytest.raises(ValueError, match=f"^{re.escape(f'PLUGINS_{variable} {text}')}$"):
        make("/")  # a folder, which cannot be read
    assert PluginManager._PluginManager__shared_state == {}  # type: ignore[attr-defined]


@pytest.mark.parametrize(("value", "strict"), [("", False), (" Yes ", True), ("0", False), ("off", False), ("1", True)])
def test_values_of_the_strict_switch(value: str, strict: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLUGINS_STRICT_CONFIG", value)
    assert is_strict() is strict


async def test_a_malformed_variable_is_named(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """C33: the error is the published package's."""
    monkeypatch.setenv("PLUGINS_DEFAULT_HOOK_POLICY", "dney")
    settings.cache_clear()
    with pytest.raises(ValidationError) as raised:
        manager_of(kind_of(Good))
    wanted = "PLUGINS_DEFAULT_HOOK_POLICY: Input should be 'allow' or 'deny'; did you mean \"deny\"?"
    assert raised.value.__notes__ == [wanted]
    assert wanted in caplog.messages


def test_a_switch_in_a_file_is_refused_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "plugins.yaml"
    path.write_text("plugins: []\nplugin_settings:\n  isolation: alway\n", encoding="utf-8")
    with pytest.raises(ValueError, match=re.escape(f"{path}:3:14: plugin_settings.isolation must be 'always' or")):
        TenantPluginManager(str(path))


@pytest.mark.parametrize(
    ("policies", "wanted"),
    [
        (["args"], "hook_policies must map hooks to policies"),
        ({HOOK: ["args"]}, f"hook_policies['{HOOK}'] must be a policy such as HookPayloadPolicy(writable_fields="),
        ({HOOK: "args"}, f"hook_policies['{HOOK}'] must be a policy such as HookPayloadPolicy(writable_fields="),
        ({HOOK: TEXT_FOR_A_SET}, f"hook_policies['{HOOK}'].writable_fields must be a set such as {{'args'}}, not text"),
    ],
)
def test_policies_that_are_none(policies: Any, wanted: str) -> None:
    """A text would let every field be written whose name is part of it."""
    with pytest.raises(TypeError, match=re.escape(wanted)):
        manager_of(hook_policies=policies)
    with pytest.raises(TypeError, match=re.escape(wanted)):
        PluginManager(hook_policies=policies)
    assert PluginManager._PluginManager__shared_state == {}  # type: ignore[attr-defined]
    joined = PluginManager()
    with pytest.raises(TypeError, match=re.escape(wanted)):
        PluginManager(hook_policies=policies)
    assert joined.executor.hook_policies == {}


@pytest.mark.parametrize("default", ["alow", 5])
def test_a_default_policy_that_is_none(default: Any) -> None:
    with pytest.raises(ValueError, match=f"{default!r} is not a valid DefaultHookPolicy"):
        manager_of(default_hook_policy=default)


@pytest.mark.parametrize(("timeout", "error"), [("soon", TypeError), (float("nan"), ValueError)])
async def test_timeouts_that_are_no_number(timeout: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="timeout must be a number of seconds or None, not"):
        await manager_of(kind_of(Good), timeout=timeout).initialize()


async def test_a_timeout_below_zero_lets_nobody_run() -> None:
    manager = manager_of(kind_of(Good), timeout=-1)
    await manager.initialize()
    with pytest.raises(PluginError, match="exceeded -1s timeout"):
        await manager.invoke_hook(HOOK, PAYLOAD, REQUEST)


@pytest.mark.parametrize("policies", [None, {HOOK: POLICY}])
@pytest.mark.parametrize("context", [None, {"request_id": "1"}, "1"])
async def test_contexts_that_are_none(context: Any, policies: Any) -> None:
    manager = manager_of(kind_of(Good), hook_policies=policies)
    await manager.initialize()
    wanted = f"the context of a request has a request_id; pass a GlobalContext, not {type(context).__name__}"
    with pytest.raises(AttributeError, match=wanted):
        await manager.invoke_hook(HOOK, PAYLOAD, context)


@pytest.mark.parametrize("name", [None, 5, "tool_pre_invok"])
async def test_hooks_that_nobody_answers(name: Any) -> None:
    """As in the published package: a hook without plugins lets everything pass."""
    manager = manager_of(kind_of(Good))
    await manager.initialize()
    result, table = await manager.invoke_hook(name, PAYLOAD, REQUEST)
    assert (result.continue_processing, result.metadata, table) == (True, {}, None)


@pytest.mark.parametrize(
    ("plugin", "hook_type", "payload", "error", "wanted"),
    [
        ("nobody", HOOK, PAYLOAD, PluginError, f"Unable to find {HOOK} for plugin nobody"),
        ("p0", "nothing", PAYLOAD, PluginError, "Unable to find nothing for plugin p0"),
        ("p0", HOOK, {"name": "t"}, ValueError, "payload must be a PluginPayload, got <class 'dict'>"),
    ],
)
async def test_calls_of_one_plugin(
    plugin: str, hook_type: str, payload: Any, error: type[Exception], wanted: str
) -> None:
    manager = manager_of(kind_of(Good))
    await manager.initialize()
    with pytest.raises(error, match=re.escape(wanted)):
        await manager.invoke_hook_for_plugin(plugin, hook_type, payload, REQUEST)


@pytest.mark.parametrize("names", [None, 5, [None], ["tool_pre_invoke", 5]])
def test_hook_names_of_a_wrong_type(names: Any) -> None:
    with pytest.raises(TypeError, match="@hook takes the name of a hook, such as 'tool_pre_invoke', or several, not"):
        hook(names)


def test_a_pool_below_zero_ends_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """B31: before any plugin is made."""
    monkeypatch.setenv("PLUGINS_EXECUTION_POOL", "-1")
    manager = manager_of(kind_of(Good))
    with pytest.raises(ValueError, match="execution_pool"):
        asyncio.run(manager.initialize())
    assert (manager.plugin_count, manager.initialized) == (0, False)


def test_keys_that_nothing_reads(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """B6, in a condition and at the top."""
    path = tmp_path / "plugins.yaml"
    path.write_text(f"{ENTRY}  conditions:\n  - tool: [a]\nplugin_dir: [x]\n")
    with caplog.at_level(logging.WARNING):
        ConfigLoader.load_config(str(path))
    assert sorted(caplog.messages) == [
        f'{path}:5:5: unknown key "tool" in plugins[0].conditions[0]; did you mean "tools"?',
        f'{path}:6:1: unknown key "plugin_dir"; did you mean "plugin_dirs"?',
    ]
