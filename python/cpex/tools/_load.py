"""Opens a plugin config for a run, and explains why it cannot be opened."""

import importlib
import inspect
import re
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from itertools import zip_longest
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

import yaml
from pydantic import ValidationError

from cpex._core import Builtin
from cpex.framework import ConfigLoader, Plugin, PluginConfig, PluginManager, PluginMode, TenantPluginManager
from cpex.framework._loading import LoadFailure
from cpex.framework.decorator import get_hook_metadata
from cpex.framework.hooks.registry import hook_names
from cpex.framework.loader._special import SPECIAL_KINDS, is_builtin
from cpex.framework.loader._suggest import misspelt_hook
from cpex.framework.loader.plugin import no_plugin
from cpex.framework.models import Config

from ._problem import Problem, UnusableError, describe_error, nearest

_PHASES = {
    "construct": ("the constructor fails: ", "check its `config:`"),
    "initialize": ("initialize() fails: ", "what it connects to, or opens, has to be there"),
}


def load_config(path: Path) -> Config:
    """Reads a plugin config; its folder joins the import path, behind what is installed (see `import_roots`).

    Args:
        path: The YAML file.

    Returns:
        The config.

    Raises:
        UnusableError: It is not there, is not YAML, or does not describe plugins.
    """
    where = str(path)
    try:
        path.stat()  # to the loader a missing file is an empty one; a pipe can be opened only once
        config = ConfigLoader.load_config(where)
    except OSError as error:
        what = (error.strerror or str(error)).lower()
        raise UnusableError([Problem(where, f"cannot read the config: {what}", neighbours(path))]) from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"{where}:{mark.line + 1}:{mark.column + 1}" if mark else where
        raise UnusableError([Problem(place, f"not valid YAML: {error.problem or error}")]) from error
    except ValidationError as error:
        raise UnusableError(list(_invalid(error, where))) from error
    except Exception as error:  # templates and the file's encoding fail with types of their own
        lines = str(error).splitlines() or [type(error).__name__]
        raise UnusableError([_located(line, where) for line in lines]) from error
    sys.path += import_roots(path.resolve().parent)
    return config


def import_roots(folder: Path) -> list[str]:
    """Says from where the plugins beside a config are imported.

    Args:
        folder: The config's folder.

    Returns:
        The folder and, if it is a package, the folder from which the package is imported.
    """
    root = folder
    while (root / "__init__.py").is_file():
        root = root.parent
    return [str(folder)] if root == folder else [str(folder), str(root)]


async def open_manager(config: Config, path: Path) -> TenantPluginManager:
    """Loads every enabled plugin of a config.

    Args:
        config: The config.
        path: Where it was read from, for messages.

    Returns:
        The initialized manager; the caller shuts it down.

    Raises:
        UnusableError: A plugin cannot be loaded, or a switch is misspelt. A replay without it would show decisions
            nobody will get.
    """
    try:
        manager = TenantPluginManager(config)
    except ValueError as error:  # that of a settings class says in its notes which variable it is
        texts = getattr(error, "__notes__", None) or [str(error)]
        raise UnusableError([Problem(str(path), *text.split("; ", 1)) for text in texts]) from error
    try:
        await manager.initialize()
    except Exception as error:
        problems = list(failures(manager, config, path)) or [Problem(str(path), str(error))]
        raise UnusableError(problems) from error
    problems = list(failures(manager, config, path))
    if problems:
        await manager.shutdown()
        raise UnusableError(problems)
    return manager


def stand_ins(manager: TenantPluginManager, config: Config, path: Path) -> Iterator[Problem]:
    """Explains which plugins of an open manager could not be loaded and are replaced by a denial.

    Args:
        manager: What `open_manager` returned.
        config: The config.
        path: Where it was read from, for messages.

    Yields:
        One problem for each plugin with `on_missing: deny` that is missing.
    """
    for plugin, failure in _missing(manager, config):
        what, hint = diagnose(plugin, failure)
        yield Problem(f"{path}: plugin {plugin.name!r}", f"{what}; on_missing: deny, so its hooks are denied", hint)


def _located(text: str, where: str) -> Problem:
    located = re.match(r"(?P<place>.*?:\d+:\d+): (?P<what>.*)", text, re.DOTALL)
    if located is not None:
        return Problem(located["place"], located["what"])
    return Problem(where, text, 'the top level is a mapping with "plugins:"')


def neighbours(path: Path) -> str:
    """Returns what might have been meant by a path where nothing is: names like it, or those that there are."""
    folder = path.parent
    if not folder.is_dir():
        return f"there is no folder {folder}"
    names = sorted(file.name for file in folder.iterdir() if file.suffix in (".yaml", ".yml"))
    return nearest(path.name, names) or (f"YAML files in that folder: {', '.join(names)}" if names else "")


def _invalid(error: ValidationError, where: str) -> Iterator[Problem]:
    notes = getattr(error, "__notes__", ())
    for detail, note in zip_longest(error.errors(include_url=False, include_context=False), notes):
        if detail is None:
            return
        place = where if note is None else _located(note, where).where
        hint = f"modes: {', '.join(PluginMode)}" if detail["loc"][-1:] == ("mode",) else ""
        yield Problem(place, describe_error(detail, ""), hint)


def failures(manager: PluginManager, config: Config, path: Path) -> Iterator[Problem]:
    """Explains which plugins of a manager could not be loaded and are replaced by nothing.

    Args:
        manager: The manager.
        config: Its config.
        path: Where it was read from, for messages.

    Yields:
        One problem for each.
    """
    for plugin, failure in _missing(manager, config):
        if plugin.on_missing is None:
            what, hint = diagnose(plugin, failure)
            yield Problem(f"{path}: plugin {plugin.name!r}", what, hint)


def _missing(manager: PluginManager, config: Config) -> Iterator[tuple[PluginConfig, LoadFailure]]:
    entries = {(plugin.name, plugin.kind): plugin for plugin in config.plugins or []}
    for failure in manager.load_failures:
        yield entries[failure.name, failure.kind], failure


def diagnose(plugin: PluginConfig, failure: LoadFailure) -> tuple[str, str]:
    """Explains why a plugin cannot be loaded.

    Args:
        plugin: Its entry of the config.
        failure: What the manager says of it.

    Returns:
        What is wrong and what would be right; the latter may be empty.
    """
    reason = failure.error
    if plugin.kind in SPECIAL_KINDS:
        return reason.removeprefix(f"Plugin {plugin.name!r}: "), ""
    if is_builtin(plugin.kind):
        return reason, ""
    module_name, _, class_name = plugin.kind.rpartition(".")
    if not module_name:
        is_short = f"builtin.{plugin.kind}" in Builtin.kinds()
        right = f"write builtin.{plugin.kind}" if is_short else nearest(plugin.kind, SPECIAL_KINDS)
        return no_class_path(plugin.kind), right or "write it as package.module.Class"
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        missing = error.name or module_name
        if missing != module_name and not module_name.startswith(f"{missing}."):
            return f"module {module_name!r} needs the module {missing!r}, which is not installed", ""
        return f"no module named {missing!r} (kind: {plugin.kind})", _where_modules_are(missing)
    except (Exception, SystemExit) as error:
        return f"module {module_name!r} fails on import: {type(error).__name__}: {error}", ""
    found = getattr(module, class_name, None)
    if found is None:
        members = inspect.getmembers(module, inspect.isclass)
        classes = [name for name, item in members if issubclass(item, Plugin) and item is not Plugin]
        others = f"plugin classes there: {', '.join(classes)}" if classes else ""
        return f"module {module_name!r} has no class {class_name!r}", nearest(class_name, classes) or others
    if reason.endswith("already registered"):
        return reason, "give each plugin a name of its own"
    if isinstance(found, type) and not issubclass(found, Plugin):
        return no_plugin(plugin.kind), f"write class {class_name}(Plugin)"
    said, hint = _PHASES.get(failure.phase, ("", ""))
    return f"{said}{reason}", hint or _meant_hook(plugin) or _misspelt_method(plugin, found, reason)


def no_class_path(kind: str) -> str:
    """Returns what is wrong with a kind without a dot."""
    return f"kind {kind!r} is not a class path"


def _meant_hook(plugin: PluginConfig) -> str:
    known = hook_names()
    suggestions = (nearest(hook, known) for hook in plugin.hooks if hook not in known)
    return next(filter(None, suggestions), "")


def _misspelt_method(plugin: PluginConfig, found: Any, reason: str) -> str:
    """Names the method that was probably meant to answer the hook that has none."""
    unanswered = [hook for hook in plugin.hooks if f"has no hook: {hook!r}" in reason]
    for name, method in inspect.getmembers(found, inspect.isfunction):
        metadata = get_hook_metadata(method)
        for answered in metadata.hook_types if metadata else [name]:
            if misspelt_hook(answered, unanswered):
                return f"{found.__name__}.{name} answers {answered!r}"
    return ""


def _where_modules_are(missing: str) -> str:
    package, _, _ = missing.rpartition(".")
    if package:
        inside = [f"{package}.{module.name}" for module in iter_modules(importlib.import_module(package).__path__)]
        return nearest(missing, inside) or f"modules in {package}: {', '.join(inside)}"
    install = f"install the package that provides {missing!r}, or name its folder in plugin_dirs"
    return f"{nearest(missing, packages_distributions())} {install}".strip()
