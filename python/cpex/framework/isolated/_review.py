"""All that can be told of an entry without building or starting anything."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from importlib.machinery import all_suffixes
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from cpex import _core
from cpex.framework.loader._suggest import did_you_mean
from cpex.framework.utils import parse_class_name

from ._faults import MissingError, SettingError
from ._options import EnvironmentOptions, check_programs
from ._packages import Packages, packages_of
from ._place import Place, no_package, place_of
from ._sandbox import missing_paths
from ._workers import WorkerSettings

if TYPE_CHECKING:
    from cpex.framework.models import PluginConfig

_T = TypeVar("_T")

_UNKNOWABLE = ("__getattr__", "exec", "globals", "locals", "setattr", "vars")
"""A module in which one of these stands may have names that nobody reads in it."""


def faults(config: PluginConfig, plugin_dirs: Sequence[str]) -> list[SettingError]:
    """Find what keeps a plugin from being started, as far as its entry and its folder tell it. Nothing is imported.

    Args:
        config: The plugin's entry of the configuration.
        plugin_dirs: The accepted folders of plugins.

    Returns:
        What is wrong, each with its field.
    """
    found: list[SettingError] = []

    def tried(read: Callable[[], _T]) -> _T | None:
        try:
            return read()
        except SettingError as error:
            found.extend((error, *error.others))
        except ValueError as error:
            found.append(SettingError("config", str(error)))
        return None

    settings = tried(lambda: WorkerSettings.of(config))
    options = tried(lambda: EnvironmentOptions.of(config))
    place = tried(lambda: place_of(config, plugin_dirs))
    if place is not None:
        if options is not None:
            tried(lambda: check_programs(place, options))
        if settings is not None:
            found += missing_paths(settings.sandbox, place.project)
        tried(lambda: _check_requirements(place))
        tried(lambda: _check_class(place, (config.config or {})["class_name"]))
    return found


def _check_requirements(place: Place) -> None:
    """Look for what the requirements file includes.

    Raises:
        SettingError: If it cannot be read, or leads out of where it may.
    """
    if place.requirements is None:
        return
    try:
        _core.requirements_files(place.requirements, list(place.roots))
    except ValueError as error:
        raise SettingError("config.requirements_file", str(error)) from None


def _check_class(place: Place, class_name: str) -> None:
    """Look for the plugin's class, where it is code of the project.

    Raises:
        SettingError: If it is not there.
    """
    folder = place.folder
    is_package = any(folder.glob("*.py"))
    is_module = any(path != folder for path in place.code)
    if not is_package and not is_module:
        if place.requirements is None and packages_of(folder) == Packages():
            raise MissingError("config.class_name", no_package(folder))
        return  # it is in a package that is installed
    module, name = parse_class_name(class_name)
    files = _files_of(place.root.joinpath(*module.split(".")))
    if not files:
        hint = _modules_like(module, place.root)
        raise MissingError("config.class_name", f"there is no module '{module}' in {place.root}{hint}")
    names = _names_in(files[0]) if files[0].suffix == ".py" else None
    if names is not None and name not in names:
        raise SettingError("config.class_name", f"module '{module}' has no class '{name}'{did_you_mean(name, names)}")


def _files_of(module: Path) -> list[Path]:
    bases = (module / "__init__", module)
    files = [base.with_name(base.name + suffix) for base in bases for suffix in all_suffixes()]
    return [file for file in files if file.is_file()]


def _modules_like(module: str, root: Path) -> str:
    package, _, last = module.rpartition(".")
    beside = root.joinpath(*package.split("."))
    return did_you_mean(last, sorted(path.stem for path in beside.glob("*.py")))


def _names_in(file: Path) -> list[str] | None:
    """The names that a module has; none if only running it tells."""
    try:
        tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return None
    names: list[str] = []
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name) if name in _UNKNOWABLE:
                return None
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.Name(id=name, ctx=ast.Store()):
                names.append(name)
            case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
                names += [alias.asname or alias.name.partition(".")[0] for alias in aliases]
    return None if {"*", *_UNKNOWABLE} & set(names) else names
