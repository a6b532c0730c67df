"""Hooks of plugins that nobody registered: a guard at a misspelt one never runs."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import NamedTuple

from cpex.framework._switches import is_strict
from cpex.framework._unavailable import must_not_be_missing
from cpex.framework.hooks.registry import known_hooks
from cpex.framework.loader._special import is_builtin
from cpex.framework.loader._suggest import did_you_mean, misspelt_hook
from cpex.framework.loader.config import place_of
from cpex.framework.models import Config, PluginConfig, PluginMode
from cpex.framework.settings import settings

logger = logging.getLogger(__name__)


class UnknownHook(NamedTuple):
    """A hook in the entry of a plugin that nobody registered.

    Attributes:
        entry: The entry.
        name: The hook.
        is_slip: Whether it nearly is a registered one; otherwise it may be an application's own.
        meant: What messages say of it.
        where: The place, None for an entry of no file.
    """

    entry: PluginConfig
    name: str
    is_slip: bool
    meant: str
    where: str | None

    def __str__(self) -> str:
        at = f"{self.where}: " if self.where else ""
        return f'{at}unknown hook "{self.name}" of plugin {self.entry.name}{self.meant}'


def unknown_hooks(config: Config | None) -> list[UnknownHook]:
    """Find the hooks that nobody registered and that are, or may be, misspelt.

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
            slip = misspelt_hook(hook, known)
            if slip or hook not in known and is_builtin(entry.kind):
                meant = slip or f"; nobody registered it{did_you_mean(hook, known)}"
                where = place_of(entry, config, f"hooks[{index}]")
                found.append(UnknownHook(entry, hook, bool(slip), meant, where))
    return found


def tell_unknown_hooks(unknown: Iterable[UnknownHook]) -> None:
    """Log them, and end the start if a plugin that must not be missing would never run.

    A hook that is like no other may be registered later: only with `PLUGINS_STRICT_CONFIG` does it end the start.

    Args:
        unknown: The hooks that nobody registered.

    Raises:
        RuntimeError: If there is one.
    """
    for hook in unknown:
        logger.warning("%s", hook)
        is_mistake = hook.is_slip and (must_not_be_missing(hook.entry) or settings.fail_on_plugin_error)
        if is_mistake or is_strict():
            at = f" ({hook.where})" if hook.where else ""
            what = f'unknown hook "{hook.name}"{hook.meant}'
            raise RuntimeError(f"Plugin initialization failed: {hook.entry.name} - {what}{at}")
