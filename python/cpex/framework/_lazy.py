"""Submodules that are imported when somebody first asks their package for them."""

from __future__ import annotations

from collections.abc import Callable, Collection
from importlib import import_module
from types import ModuleType


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
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return import_module(f"{package}.{name}")

    return load
