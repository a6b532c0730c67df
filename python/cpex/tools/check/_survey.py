"""Loads the plugins of a config one by one, as a manager does, and keeps what came of each."""

import logging
import sys
from asyncio import CancelledError
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cpex.framework import Plugin, PluginConfig, PluginContext, PluginPayload, PluginResult, TenantPluginManager
from cpex.framework._loading import LoadFailure, PluginLoading, UnavailablePlugin, failure_details, failure_text
from cpex.framework._switches import ALLOWED_DIRS, allowed_dirs
from cpex.framework.base import HookRef
from cpex.framework.constants import ISOLATED_VENV_PLUGIN_TYPE, WASM_PLUGIN_TYPE
from cpex.framework.hooks.policies import HookPayloadPolicy
from cpex.framework.loader._special import SPECIAL_KINDS, class_of, special_type
from cpex.framework.loader.plugin import PluginLoader
from cpex.framework.models import Config
from cpex.framework.utils import import_module

from .._load import import_roots

logger = logging.getLogger("cpex.framework.manager")

_READ_BY_CONSTRUCTOR = frozenset({ISOLATED_VENV_PLUGIN_TYPE, WASM_PLUGIN_TYPE})
"""Kinds of plugins that run elsewhere whose constructor reads the `config` of the entry, and contacts nobody."""


@dataclass(frozen=True, slots=True)
class Survey:
    """What came of loading the plugins of a config.

    Attributes:
        manager: Holds those that could be loaded, in the order in which they run.
        failures: The others, by their index among the entries.
        started: `initialize()` was called, too.
    """

    manager: TenantPluginManager
    failures: dict[int, LoadFailure]
    started: bool

    def hooks(self) -> list[str]:
        """Returns the hooks that loaded plugins answer, in the order of their registration."""
        return list(self.manager._registry._hooks)

    def hook_refs(self, plugin: str) -> dict[str, HookRef]:
        """Returns the hooks of a loaded plugin; none if it is not loaded, or runs elsewhere."""
        ref = self.manager._registry.get_plugin(plugin)
        if ref is None or isinstance(ref.plugin, (UnavailablePlugin, _Remote)):
            return {}
        return self.manager._registry._hooks_by_name.get(plugin, {})


async def survey(
    config: Config,
    plugins: Iterable[tuple[int, PluginConfig]],
    policies: dict[str, HookPayloadPolicy],
    start: bool,
) -> Survey:
    """Loads plugins; one that fails does not keep the next from being tried.

    Args:
        config: The config they belong to: its directories count.
        plugins: Their entries, each with its index.
        policies: The host's hook policies.
        start: Call `initialize()` of each. Without it a plugin is imported and constructed, and its hooks are bound,
            but one that runs elsewhere is not contacted.

    Returns:
        What came of it.

    Raises:
        ValueError: If a switch, of the environment or under `plugin_settings`, has a value that it does not take.
    """
    alone = Config(
        plugin_dirs=[folder for folder in config.plugin_dirs if is_folder(folder)],
        plugin_settings={ALLOWED_DIRS: allowed_dirs(config)},
    )
    manager = TenantPluginManager(alone, hook_policies=policies)
    manager._loader = PluginLoader() if start else _Constructor()
    loading = PluginLoading(manager._loader, manager._registry, logger, lambda: False)
    await loading.run(alone)
    failures: dict[int, LoadFailure] = {}
    for index, plugin in plugins:
        known = len(loading.failures)
        try:
            await loading.run(Config(plugins=[plugin]))
        except (Exception, SystemExit, CancelledError) as error:
            if len(loading.failures) == known:  # otherwise an application does not start; the failure is recorded
                text = failure_text(error, plugin) if isinstance(error, Exception) else f"ends the process: {error!r}"
                details = failure_details(error, plugin) if isinstance(error, Exception) else None
                failure = LoadFailure(plugin.name, plugin.kind, manager._loader.phase, text, details=details)
                loading.failures.append(failure)
        if len(loading.failures) > known:
            failures[index] = loading.failures[-1]
    return Survey(manager, failures, start)


def is_folder(path: str) -> bool:
    """Tells whether a path, however it is written, is that of a folder."""
    try:
        return Path(path).is_dir()
    except (OSError, ValueError):
        return False


async def dismiss(done: Survey) -> None:
    """Shuts the plugins of a survey down, if they were started."""
    if done.started:
        await done.manager._registry.shutdown()


class _Constructor(PluginLoader):
    """Makes plugins without starting them."""

    async def load_and_instantiate_plugin(self, config: PluginConfig) -> Plugin | None:
        self.phase = "import"
        if config.kind in SPECIAL_KINDS:
            make_remote = special_type(config)
            if config.kind in _READ_BY_CONSTRUCTOR:
                self.phase = "construct"
                make_remote(config.model_copy())
            return _Remote(config.model_copy())
        make_plugin = class_of(config.kind)
        self.phase = "construct"
        plugin: Plugin = make_plugin(config.model_copy())
        return plugin


class _Remote(Plugin):
    """Holds the place of a plugin that runs elsewhere and is not contacted."""

    async def invoke_hook(self, hook_type: str, payload: PluginPayload, context: PluginContext) -> PluginResult[Any]:
        raise NotImplementedError(f"{self.name} is not running")


@contextmanager
def import_path(folder: Path) -> Iterator[None]:
    """Makes the modules of a folder importable, behind what is installed; forgets them at the end.

    Args:
        folder: The folder.
    """
    path, before = sys.path.copy(), set(sys.modules)
    sys.path += import_roots(folder)
    try:
        yield
    finally:
        sys.path[:] = path
        for name in set(sys.modules) - before:
            file = getattr(sys.modules[name], "__file__", None)
            if file and Path(file).is_relative_to(folder):
                del sys.modules[name]
        import_module.cache_clear()
