"""What a worker needs of the host: this package and its requirements, as far as the plugin's environment lacks them."""

from __future__ import annotations

import importlib.metadata
import json
import sys
import sysconfig
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import cpex
from cpex import _core

ABI: Final = f"{sysconfig.get_config_var('SOABI') or sys.implementation.cache_tag}"
"""Of the host's interpreter: compiled modules can be borrowed by an interpreter with the same one only."""

_OURS: Final = "cpex"
_METADATA: Final = ("METADATA", "PKG-INFO")


class ConflictError(ValueError):
    """What the plugin's requirements install does not go with what this package needs."""


@dataclass(frozen=True, slots=True)
class Borrowed:
    """What is borrowed from the host.

    Attributes:
        modules: The folder that each top-level module is in, by its name.
        distributions: The folder of each distribution's metadata, by its normalized name.
    """

    modules: Mapping[str, str]
    distributions: Mapping[str, str]

    def as_json(self) -> str:
        """Write it for `_borrow`."""
        return json.dumps({"modules": dict(self.modules), "distributions": dict(self.distributions)})

    @property
    def paths(self) -> tuple[Path, ...]:
        """The folders and files of it all."""
        found = (_module_path(Path(folder), name) for name, folder in self.modules.items())
        return (*(path for path in found if path is not None), *map(Path, self.distributions.values()))


def borrowed_by(environment: Path, abi: str) -> Borrowed:
    """Find what an environment has to borrow.

    Args:
        environment: The environment.
        abi: That of its interpreter.

    Returns:
        What it borrows: this package always, of what it requires what the environment lacks.

    Raises:
        ConflictError: If a requirement is satisfied neither there nor here.
    """
    site = [str(folder) for folder in _site_packages(environment)]
    if abi != ABI:
        return _nothing(site, abi)
    modules, distributions = {_OURS: str(Path(cpex.__file__).parents[1])}, {}
    ours = _found(_OURS)
    if ours is not None and ours.version != _core.__version__:
        ours = None  # of another installation, which a source tree hides
    if ours is not None:
        distributions[_OURS] = str(_metadata_folder(ours))
    open_ = [(f"{_OURS} {_core.__version__}", each) for each in _requirements(ours)]
    seen: set[tuple[str, str]] = set()
    while open_:
        by, requirement = open_.pop()
        name = canonicalize_name(requirement.name)
        if (by, str(requirement)) in seen or name == _OURS:
            continue
        seen.add((by, str(requirement)))
        there = _found(name, site)
        here = there or _found(name)
        if here is None:
            raise ConflictError(f"{by} needs {requirement}, which neither the plugin's environment nor the host has")
        if not requirement.specifier.contains(here.version, prereleases=True):
            where = "the plugin's requirements install" if there else "the host has"
            raise ConflictError(f"{by} needs {name}{requirement.specifier}, and {where} {name} {here.version}")
        if there is None:
            folder = str(here.locate_file(""))
            modules.update(dict.fromkeys(_top_level(here), folder))
            distributions[name] = str(_metadata_folder(here))
            label = f"{name} {here.version}, which the worker has from the host,"
            open_.extend((label, each) for each in _applying(here.requires or [], requirement.extras))
    return Borrowed(modules, distributions)


def _nothing(site: list[str], abi: str) -> Borrowed:
    """An interpreter of another kind cannot load what the host has: its environment holds this package itself."""
    ours = _found(_OURS, site)
    if ours is None or ours.version != _core.__version__:
        held = f"{_OURS} {ours.version}" if ours else f"no {_OURS}"
        raise ConflictError(
            f"config.environment.python is {abi} and the host {ABI}, so nothing can be borrowed from the host; "
            f"the requirements have to install {_OURS}=={_core.__version__}, and they install {held}"
        )
    return Borrowed({}, {})


def _site_packages(environment: Path) -> list[Path]:
    return [*environment.glob("lib/*/site-packages"), *environment.glob("Lib/site-packages")]


def _found(name: str, path: list[str] | None = None) -> importlib.metadata.Distribution | None:
    paths = sys.path if path is None else path
    return next(iter(importlib.metadata.Distribution.discover(name=name, path=paths)), None)


def _requirements(ours: importlib.metadata.Distribution | None) -> Iterator[Requirement]:
    """What this package requires: as its metadata says, or in a source tree, its project file."""
    if ours is not None:
        return _applying(ours.requires or [], set())
    project = Path(cpex.__file__).parents[2] / "pyproject.toml"
    try:
        listed = tomllib.loads(project.read_text(encoding="utf-8"))["project"]["dependencies"]
    except (OSError, KeyError) as error:
        raise ConflictError(f"what {_OURS} requires is not known: it has neither metadata nor {project}") from error
    return _applying(listed, set())


def _applying(listed: list[str], extras: set[str]) -> Iterator[Requirement]:
    for text in listed:
        requirement = Requirement(text)
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            yield requirement


def _top_level(distribution: importlib.metadata.Distribution) -> set[str]:
    """Names the modules of a distribution that can be imported."""
    names = set()
    for file in distribution.files or ():
        first = file.parts[0]
        if first.endswith((".dist-info", ".egg-info", ".pth")) or first in ("..", "__pycache__"):
            continue
        name = first.partition(".")[0]
        if name.isidentifier():
            names.add(name)
    return names


def _metadata_folder(distribution: importlib.metadata.Distribution) -> Path:
    name = canonicalize_name(distribution.metadata["Name"]).replace("-", "_")
    located = Path(str(distribution.locate_file("")))
    for folder in located.glob("*.*-info"):
        if canonicalize_name(folder.name.partition("-")[0]).replace("-", "_") == name:
            return folder
    return located


def _module_path(folder: Path, name: str) -> Path | None:
    package = folder / name
    return package if package.is_dir() else next(folder.glob(f"{name}.*"), None)
