"""What a worker needs of the host: this package and its requirements, as far as the plugin's environment lacks them."""

from __future__ import annotations

import csv
import importlib.metadata
import json
import sys
import sysconfig
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from email.parser import HeaderParser
from functools import cache
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import cpex
from cpex import _core

ABI: Final = f"{sysconfig.get_config_var('SOABI') or sys.implementation.cache_tag}"
"""Of the host's interpreter: compiled modules can be borrowed by an interpreter with the same one only."""

_OURS: Final = "cpex"
_METADATA: Final = (".dist-info", ".egg-info")


class ConflictError(ValueError):
    """What the plugin's requirements install does not go with what this package needs.

    Attributes:
        lasts: Whether it is the same whatever the host has besides.
    """

    def __init__(self, message: str, *, lasts: bool = False) -> None:
        """Say what needs what.

        Args:
            message: What needs what.
            lasts: Whether it is the same whatever the host has besides.
        """
        super().__init__(message)
        self.lasts = lasts


@dataclass(frozen=True, slots=True)
class Borrowed:
    """What is borrowed from the host.

    Attributes:
        modules: The folder that each top-level module is in, by its name.
        distributions: The folder of each distribution's metadata, by its normalized name.
    """

    modules: Mapping[str, str]
    distributions: Mapping[str, str]

    def as_json(self, plugin: Path) -> str:
        """Write it for `_borrow`.

        Args:
            plugin: The folder that the plugin's package is in.

        Returns:
            The value of its variable.
        """
        listed = {"modules": dict(self.modules), "distributions": dict(self.distributions), "plugin": str(plugin)}
        return json.dumps(listed)

    @property
    def paths(self) -> tuple[Path, ...]:
        """The folders and files of it all."""
        found = (_module_path(Path(folder), name) for name, folder in self.modules.items())
        return (*(path for path in found if path is not None), *map(Path, self.distributions.values()))


@dataclass(frozen=True, slots=True)
class _Held:
    """A distribution that the host has."""

    version: str
    requires: tuple[Requirement, ...]
    folder: str
    modules: frozenset[str]
    metadata: str


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
        return _nothing(site)
    modules = {_OURS: str(Path(cpex.__file__).parents[1])}
    distributions: dict[str, str] = {}
    ours = _held(_OURS)
    # One of another version is of another installation, which a source tree hides.
    if ours is not None and ours.version == _core.__version__:
        distributions[_OURS] = ours.metadata
        required = ours.requires
    else:
        required = _required_by_sources()
    there: dict[str, str | None] = {}
    seen: set[tuple[str, frozenset[str]]] = set()
    # What this package itself needs comes first: that conflict is the one to tell.
    us = f"{_OURS} {_core.__version__}"
    unchecked = deque((us, each, frozenset[str]()) for each in required)
    while unchecked:
        by, requirement, extras = unchecked.popleft()
        if not _applies(requirement, extras):
            continue
        name = canonicalize_name(requirement.name)
        if name not in there:
            there[name] = _version(name, site)
        version = there[name]
        if version is not None:
            _check(by, requirement, version, "the plugin's requirements install", lasts=by == us)
            continue
        here = _held(name)
        if here is None:
            raise ConflictError(f"{by} needs {requirement}, which neither the plugin's environment nor the host has")
        _check(by, requirement, here.version, "the host has")
        wanted = frozenset(requirement.extras)
        if (name, wanted) in seen:
            continue
        seen.add((name, wanted))
        modules.update(dict.fromkeys(here.modules, here.folder))
        distributions[name] = here.metadata
        label = f"{name} {here.version}, which the worker has from the host,"
        unchecked.extend((label, each, wanted) for each in here.requires)
    return Borrowed(modules, distributions)


def _check(by: str, requirement: Requirement, version: str, where: str, *, lasts: bool = False) -> None:
    if not requirement.specifier.contains(version, prereleases=True):
        name = canonicalize_name(requirement.name)
        raise ConflictError(f"{by} needs {name}{requirement.specifier}, and {where} {name} {version}", lasts=lasts)


def _applies(requirement: Requirement, extras: frozenset[str]) -> bool:
    marker = requirement.marker
    return marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *extras))


def _nothing(site: list[str]) -> Borrowed:
    """An interpreter of another kind cannot load what the host has: its environment holds this package itself."""
    version = _version(_OURS, site)
    if version != _core.__version__:
        held = f"{_OURS} {version}" if version else f"no {_OURS}"
        raise ConflictError(
            "config.environment.python is of another version than the host's, from which nothing can be borrowed then; "
            f"the requirements have to install {_OURS}=={_core.__version__}, and they install {held}",
            lasts=True,
        )
    return Borrowed({}, {})


def _site_packages(environment: Path) -> list[Path]:
    return [*environment.glob("lib/*/site-packages"), *environment.glob("Lib/site-packages")]


def _version(name: str, site: list[str]) -> str | None:
    found = next(iter(importlib.metadata.Distribution.discover(name=name, path=site)), None)
    return found.version if found is not None else None


@cache
def _held(name: str) -> _Held | None:
    """Look a distribution of the host up, once for all plugins."""
    found = next(iter(importlib.metadata.Distribution.discover(name=name, path=sys.path)), None)
    if found is None:
        return None
    described = _head(found)
    modules, metadata = set(), ""
    for first in _tops(found):
        if first.endswith(_METADATA):
            metadata = first
        elif (stem := first.partition(".")[0]).isidentifier() and not first.endswith(".pth") and stem != "__pycache__":
            modules.add(stem)
    return _Held(
        version=described["Version"],
        requires=tuple(map(Requirement, described.get_all("Requires-Dist") or ())),
        folder=str(found.locate_file("")),
        modules=frozenset(modules),
        metadata=str(found.locate_file(metadata)),
    )


def _head(found: importlib.metadata.Distribution) -> Message[str, str]:
    """Its metadata without the description, which is often long."""
    text = found.read_text("METADATA") or found.read_text("PKG-INFO") or found.read_text("") or ""
    return HeaderParser().parsestr(text.partition("\n\n")[0])


def _tops(found: importlib.metadata.Distribution) -> set[str]:
    """The first segments of the paths of its files."""
    record = found.read_text("RECORD")
    files = [row[0] for row in csv.reader(record.splitlines()) if row] if record else map(str, found.files or ())
    return {file.partition("/")[0] for file in files}


def _required_by_sources() -> tuple[Requirement, ...]:
    """What this package requires where it runs from its sources: as the project file says."""
    import tomllib

    project = Path(cpex.__file__).parents[2] / "pyproject.toml"
    try:
        listed = tomllib.loads(project.read_text(encoding="utf-8"))["project"]["dependencies"]
    except (OSError, KeyError) as error:
        raise ConflictError(f"what {_OURS} requires is not known: it has neither metadata nor {project}") from error
    return tuple(map(Requirement, listed))


def _module_path(folder: Path, name: str) -> Path | None:
    package = folder / name
    return package if package.is_dir() else next(folder.glob(f"{name}.*"), None)
