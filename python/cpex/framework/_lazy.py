"""What a module or package has by name, and imports when somebody first asks for it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from importlib import import_module
from types import ModuleType
from typing import Any


def submodules(package: str, names: Collection[str]) -> Callable[[str], ModuleType]:
    """Make the `__getattr__` of a package that has been imported without its submodules.

    Args:
        package: Name of the package.
        names: The submodules that can be had as attributes.

    Returns:
        A function that imports a submodule, and raises `AttributeError` for any other name.
    """

    def load(name: str) -> ModuleType:
        if name not in names:
            raise _no_attribute(package, name)
        return import_module(f"{package}.{name}")

    return load


def names_from(module: str, homes: Mapping[str, Collection[str]]) -> Callable[[str], Any]:
    """Make the `__getattr__` of a module that has names of other modules without importing them.

    In 0.1.x a name can be imported from every module that uses it, so plugins do.

    Args:
        module: Name of the module.
        homes: The names, by the module that defines them.

    Returns:
        A function that imports the home of a name, and raises `AttributeError` for any other name.
    """
    home_of = {name: home for home, names in homes.items() for name in names}

    def load(name: str) -> Any:
        if name not in home_of:
            raise _no_attribute(module, name)
        return getattr(import_module(home_of[name]), name)

    return load


def _no_attribute(module: str, name: str) -> AttributeError:
    return AttributeError(f"module {module!r} has no attribute {name!r}", name=name)
