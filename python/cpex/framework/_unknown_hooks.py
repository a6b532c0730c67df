"""Hooks of plugins that are probably misspelt: a guard at such a hook never runs."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import NamedTuple

from cpex.framework._switches import is_strict
from cpex.framework._unavailable import must_not_be_missing
from cpex.framework.hooks.registry import known_hooks
from cpex.framework.loader._special import is_builtin
from cpex.framework.loader._suggest import did_you_mean, misspelt_hook
from cpex.framework.loader.config import place_of
from cpex.framework.models import Config, PluginConfig, PluginMode


class UnknownHook(NamedTuple):
    """A hook in the entry of a plugin. `meant` is the hook it nearly is; `where` is None for an entry of no file."""

    entry: PluginConfig
    name: str
    meant: str
    where: str | None

    def __str__(self) -> str:
        at = f"{self.where}: " if self.where else ""
        return f'{at}unknown hook "{self.name}" of plugin {self.entry.name}{self.meant}'


def unknown_hooks(config: Config | None) -> list[UnknownHook]:
    """Find the hooks that are probably misspelt.

    Applications may call hooks that nobody registered, and a method answers one or the plugin is not loaded: of these
    only those count that nearly are a known one. A built-in plugin answers whatever it is told to: there all count.

    Args:
        config: The configuration; its plugins have been loaded, as far as they can be.

    Returns:
        The hooks, in the order of the configuration.
    """
    if config is None or not config.plugins:
        return []
    known = known_hooks()
    found = []
    for entry in config.plugins:
        if entry.mode == PluginMode.DISABLED:
            continue
        for index, hook in enumerate(entry.hooks):
            meant = meant_hook(entry.kind, hook, known)
            if meant:
                found.append(UnknownHook(entry, hook, meant, place_of(entry, config, f"hooks[{index}]")))
    return found


def meant_hook(kind: str, hook: str, known: Collection[str]) -> str:
    """Say what was probably meant by a hook.

    Args:
        kind: The kind of the plugin.
        hook: What is written.
        known: The hooks there are.

    Returns:
        What to add to "unknown hook"; empty if the hook is known, or may be an application's own.
    """
    if hook in known:
        return ""
    unregistered = f"; nobody registered it{did_you_mean(hook, known)}" if is_builtin(kind) else ""
    return misspelt_hook(hook, known) or unregistered


def refuse_unknown_hooks(unknown: Iterable[UnknownHook]) -> None:
    """End the start if a plugin that must not be missing would never run, and with `PLUGINS_STRICT_CONFIG` if any.

    Args:
        unknown: The hooks that are probably misspelt.

    Raises:
        RuntimeError: If there is one.
    """
    for hook in unknown:
        if must_not_be_missing(hook.entry) or is_strict():
            at = f" ({hook.where})" if hook.where else ""
            what = f'unknown hook "{hook.name}"{hook.meant}'
            raise RuntimeError(f"Plugin initialization failed: {hook.entry.name} - {what}{at}")
