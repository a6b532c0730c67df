"""Probes: configuration files and what is loaded from them."""

import contextlib
import json
import logging
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from cpex.framework import (
    ConfigLoader,
    Plugin,
    PluginConfig,
    PluginContext,
    PluginManager,
    PluginResult,
    TenantPluginManager,
    hook,
)
from cpex.framework.hooks.policies import HookPayloadPolicy
from cpex.framework.models import Config
from cpex.framework.settings import settings

from .kit import HOOK, Ran, call, entry, invoked, logged, request, started

RAN = f"{Ran.__module__}.Ran"


class Changes(Plugin):
    """Changes the arguments."""

    async def tool_pre_invoke(self, payload: Any, context: PluginContext) -> PluginResult[Any]:
        return PluginResult[Any](modified_payload=payload.model_copy(update={"args": {"changed": 1}}))


class NoPlugin:
    """Is not derived from `Plugin`."""


class FailsToConnect(Plugin):
    """Shows its configuration when it cannot be made."""

    def __init__(self, config: PluginConfig) -> None:
        raise ValueError(f"cannot connect with {config.config}")


def load(folder: Path, text: str) -> Config:
    """Loads a file with this text."""
    path = folder / "plugins.yaml"
    path.write_text(text, encoding="utf-8")
    return ConfigLoader.load_config(str(path))


def configured(folder: Path, value: str) -> Any:
    """Returns the `config` of a plugin, written in YAML."""
    (plugin,) = load(folder, f"plugins:\n- name: a\n  kind: a.B\n  config:\n{value}\n").plugins or []
    return json.loads(json.dumps(plugin.config))


def warnings_of(folder: Path, text: str) -> list[str]:
    """Returns what is logged while a file is loaded or refused, with the folder left out."""
    with logged() as messages, contextlib.suppress(ValidationError):
        load(folder, text)
    return [message.replace(str(folder), "") for message in messages]


async def warnings_at_the_start(folder: Path, text: str) -> list[str]:
    """Returns what is logged while a file is loaded and its plugins are."""
    with logged() as messages:
        await TenantPluginManager(load(folder, text)).initialize()
    return messages


def absent_file(folder: Path) -> tuple[list[Any], list[str]]:
    """Returns the plugins of a file that does not exist, and what is logged meanwhile."""
    with logged() as messages:
        loaded = ConfigLoader.load_config(str(folder / "absent.yaml"))
    return loaded.plugins or [], [message.replace(str(folder), "") for message in messages]


def refusal(folder: Path, text: str) -> tuple[str, str]:
    """Returns the type and the text of the error that a file is refused with."""
    try:
        load(folder, text)
    except Exception as error:
        return type(error).__name__, str(error).replace(str(folder), "")
    return "", ""


async def missing_guard(folder: Path, extra: dict[str, Any]) -> Any:
    """Calls the hook of a plugin that cannot be loaded; its entry has further keys."""
    manager = TenantPluginManager(
        Config.model_validate({"plugins": [{"name": "a", "kind": "none.such.P", "hooks": [HOOK], **extra}]})
    )
    await manager.initialize()
    result = await invoked(manager)
    return [result.continue_processing, result.violation and result.violation.code]


async def half_registered(folder: Path) -> bool:
    """Says whether the hook of a plugin runs that lacks its second one."""
    manager = await started(entry(Ran, hooks=[HOOK, "tool_post_invoke"]))
    return manager.has_hooks_for(HOOK)


async def after_shutdown(folder: Path) -> Any:
    """Returns what a plugin says after the shutdown."""
    manager = await started(entry(Ran))
    await manager.shutdown()
    return (await manager.invoke_hook_for_plugin("a", HOOK, call(), request())).metadata


def second_path(folder: Path) -> list[str]:
    """Returns what is logged when a second manager is made from another file."""
    for name in ("one.yaml", "two.yaml"):
        (folder / name).write_text("plugins: []\n")
    with logged() as messages:
        PluginManager("one.yaml")
        PluginManager("two.yaml")
    return messages


async def observed_later(folder: Path) -> Any:
    """Calls a hook after observability was injected."""
    (folder / "one.yaml").write_text(json.dumps({"plugins": [{"name": "a", "kind": RAN, "hooks": [HOOK]}]}))
    manager = PluginManager("one.yaml")
    await manager.initialize()
    for _ in range(2):
        PluginManager(observability=_NoSpans())
    return (await invoked(manager)).metadata


class _NoSpans:
    def start_span(self, *arguments: Any, **fields: Any) -> None: ...

    def end_span(self, *arguments: Any, **fields: Any) -> None: ...


async def neighbouring_folder(folder: Path) -> Any:
    """Loads a plugin from `root-evil` where only `root` is allowed; returns what is loaded and what is said."""
    from cpex.framework.loader import plugin as loader

    (folder / "root-evil").mkdir()
    (folder / "root-evil" / "evil_plugin.py").write_text(f"from {Ran.__module__} import Ran\n")
    allowed, loader.ALLOWED_PLUGIN_DIRS = loader.ALLOWED_PLUGIN_DIRS, {str(folder / "root")}
    plugin = {"name": "a", "kind": "evil_plugin.Ran", "hooks": [HOOK]}
    try:
        with logged() as messages:
            manager = await started(PluginConfig.model_validate(plugin), plugin_dirs=[str(folder / "root-evil")])
    finally:
        loader.ALLOWED_PLUGIN_DIRS = allowed
    return [manager.plugin_count, any("is in none of the allowed directories" in message for message in messages)]


async def dropped_folder(folder: Path) -> Any:
    """Returns what is logged about a directory that is not allowed."""
    with logged() as messages:
        await started(plugin_dirs=["/somewhere/else"])
    return messages


async def negative_pool(folder: Path) -> str:
    """Says where a negative pool fails."""
    try:
        manager = await started(entry(Ran))
    except Exception:
        return "at the start"
    try:
        await invoked(manager)
    except Exception:
        return "at the call"
    return "nowhere"


def one_capability(folder: Path) -> list[str]:
    """Returns the capabilities of an entry that has a text for a list."""
    return sorted(entry(Ran, capabilities="read_headers").capabilities)


def callers_dictionary(folder: Path) -> Any:
    """Returns the caller's dictionary after a configuration was made of it."""
    written = {"name": "a", "kind": "a.B", "mode": "enforce_ignore_error"}
    PluginConfig.model_validate(written)
    return written


async def failure_with_secret(folder: Path) -> list[str]:
    """Returns what is logged about a plugin that shows its configuration when it cannot be made."""
    with logged(logging.DEBUG) as messages:
        await started(entry(FailsToConnect, config={"password": "hunter2", "host": "h"}))
    return [message for message in messages if "cannot connect" in message]


def settings_in_config(folder: Path) -> Any:
    """Returns what becomes of `plugin_settings`, and whether a configuration without them has them in its dump."""
    config = Config.model_validate({"plugin_settings": {"isolation": "always"}})
    return [config.model_dump().get("plugin_settings"), "plugin_settings" in Config().model_dump()]


def _policy(fields: Any) -> HookPayloadPolicy:
    return HookPayloadPolicy(fields)


async def misused_policies(folder: Path, policies: Any) -> str:
    """Says where policies of a wrong type are found out: by a plugin that changes something, at the latest."""
    fields = {hook: _policy(value) if isinstance(value, str) else value for hook, value in policies.items()}
    try:
        manager = TenantPluginManager(Config(plugins=[entry(Changes)]), hook_policies=fields)
    except TypeError:
        return "made"
    await manager.initialize()
    try:
        result = await invoked(manager)
    except Exception:
        return "called"
    return f"never: {result.modified_payload is not None}"


async def misused_timeout(folder: Path) -> str:
    """Says what comes of a timeout that is no number, with errors ignored."""
    try:
        manager = await started(entry(Ran, on_error="ignore"), timeout="soon")
    except TypeError:
        return "refused at the start"
    return "ignored" if (await invoked(manager)).continue_processing else "denied"


def hook_names(folder: Path) -> str:
    """Attaches a method to hooks that are no names."""
    hook([None])  # type: ignore[list-item]
    return "taken"


def encoding(folder: Path) -> bool:
    """Says whether the error for a file that is not UTF-8 names the file."""
    (folder / "plugins.yaml").write_bytes(b"plugins:\n- name: \xe9\n")
    try:
        ConfigLoader.load_config(str(folder / "plugins.yaml"))
    except UnicodeDecodeError as error:
        return f"{folder}/plugins.yaml:2" in str(error)
    return False


async def no_plugin(folder: Path) -> list[bool]:
    """Says whether what is logged about a kind that is no plugin says what one is."""
    with logged(logging.ERROR) as messages:
        await started(
            PluginConfig(name="a", kind=f"{NoPlugin.__module__}.NoPlugin", hooks=[HOOK]),
            PluginConfig(name="b", kind="mistaken", hooks=[HOOK]),
        )
    return [any(text in message for message in messages) for text in ("is no class derived from", "a kind is")]


async def misspelt_policies(folder: Path) -> list[str]:
    """Returns what is logged about policies for a hook and a field that there are not."""
    policies = {
        "tool_pre_invok": HookPayloadPolicy(writable_fields=frozenset({"args"})),
        HOOK: HookPayloadPolicy(writable_fields=frozenset({"argz"})),
        "my_own_hook": HookPayloadPolicy(writable_fields=frozenset({"anything"})),
    }
    manager = TenantPluginManager(Config.model_validate({"plugins": [entry(Ran)]}), hook_policies=policies)
    with logged() as messages:
        await manager.initialize()
    return messages


def manager_with_variables(folder: Path) -> list[str]:
    """Returns what is logged while a manager is made and its variables are read, and the error that ends it."""
    with logged() as messages:
        try:
            TenantPluginManager(Config())
            _ = settings.fail_on_plugin_error
        except ValueError as error:
            messages.append(type(error).__name__)
            messages.extend(getattr(error, "__notes__", [str(error)]))
    return messages
