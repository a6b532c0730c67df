"""Serves a plugin's process what its environment lacks: this package, and what it needs, from where the host has it.

The first thing such a process runs, so nothing but the standard library is there. Everything else is the environment's:
a module is borrowed only if it is listed. What the plugin starts with the same interpreter finds the list in the
environment variable, and this file as the main module.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import sys
from importlib.machinery import ModuleSpec, PathFinder, all_suffixes
from importlib.util import module_from_spec, spec_from_file_location

VARIABLE = "CPEX_BORROWED"
"""JSON: `modules` that are borrowed, by name, with the folder they are in, `distributions` with their metadata, and the
folder that the `plugin` is in."""

GUARDED = "--guarded"
"""First argument of a program that is to be looked after."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from importlib.metadata import Distribution, DistributionFinder
    from types import ModuleType


class BorrowedFinder:
    """Finds top-level modules, and the metadata of distributions, where the host has them."""

    def __init__(self, modules: dict[str, str], distributions: dict[str, str]) -> None:
        """Lists what is borrowed.

        Args:
            modules: The folder of each top-level module.
            distributions: The folder of the metadata of each distribution, by normalized name.
        """
        self.modules = modules
        self.distributions = distributions

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Finds a borrowed module. What is inside of one is found by it.

        Args:
            fullname: Name of the module.
            path: Where the package that it is in looks.
            target: The module to be reloaded.

        Returns:
            Where it is; None if it is not borrowed.
        """
        folder = self.modules.get(fullname)
        if folder is None:
            return None
        return _found_in(folder, fullname) or PathFinder.find_spec(fullname, [folder], target)

    def find_distributions(self, context: DistributionFinder.Context | None = None) -> Iterable[Distribution]:
        """Finds the metadata of borrowed distributions.

        Args:
            context: Which are asked for.

        Returns:
            Those that are borrowed; none where only certain folders are looked into.
        """
        # Takes as long as all else here, and few programs ask.
        from importlib.metadata import PathDistribution
        from pathlib import Path

        if context is not None and "path" in vars(context):
            return []
        name = None if context is None else context.name
        wanted = self.distributions if name is None else [name.lower().replace("_", "-").replace(".", "-")]
        return [PathDistribution(Path(self.distributions[each])) for each in wanted if each in self.distributions]


class PluginFinder:
    """Finds what is in the folder of a plugin's package, after all else, where that folder cannot be listed."""

    def __init__(self, folder: str) -> None:
        """Looks into one folder.

        Args:
            folder: The folder that the package is in.
        """
        self.folder = folder

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Finds a top-level module.

        Args:
            fullname: Name of the module.
            path: Where the package that it is in looks.
            target: The module to be reloaded.

        Returns:
            Where it is; None if it is not there.
        """
        if path is not None:
            return None
        found = _found_in(self.folder, fullname)
        package = os.path.join(self.folder, fullname)
        if found is None and os.path.isdir(package):
            found = ModuleSpec(fullname, None, is_package=True)
            found.submodule_search_locations = [package]
        return found


def _found_in(folder: str, name: str) -> ModuleSpec | None:
    """In a sandbox a module can be read, but not the list of what is beside it, which `PathFinder` asks for."""
    package = os.path.join(folder, name)
    for suffix in all_suffixes():
        for file, inside in ((os.path.join(package, f"__init__{suffix}"), [package]), (package + suffix, None)):
            if os.path.isfile(file):
                return spec_from_file_location(name, file, submodule_search_locations=inside)
    return None


def install() -> None:
    """Makes what the environment variable lists importable: what is borrowed before all else, the plugin after it."""
    borrowed = json.loads(os.environ.get(VARIABLE, "{}"))
    if borrowed:
        sys.meta_path.insert(0, BorrowedFinder(borrowed["modules"], borrowed["distributions"]))
        sys.meta_path.append(PluginFinder(borrowed["plugin"]))


def guard() -> None:
    """Has this process looked after, as `_guardian`, which is beside this file, says."""
    spec = spec_from_file_location("_cpex_guardian", os.path.join(os.path.dirname(__file__), "_guardian.py"))
    assert spec is not None and spec.loader is not None
    guardian = module_from_spec(spec)
    spec.loader.exec_module(guardian)
    guardian.guard()


# Not only as the main program: a process that the plugin starts imports its main module, which is this one.
if __name__ in ("__main__", "__mp_main__"):
    install()

if __name__ == "__main__":
    del sys.argv[0]
    if sys.argv[0] == GUARDED:
        del sys.argv[0]
        guard()
    # Nothing of what is imported is ever to be collected.
    gc.disable()
    program = importlib.import_module(sys.argv[0])
    gc.freeze()
    gc.enable()
    program.main()
