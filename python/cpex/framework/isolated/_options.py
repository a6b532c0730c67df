"""What an entry says of how its environment is built: `config.environment`."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import ConfigDict, Field

from cpex import _core

from ._closure import ABI
from ._faults import NO_VALUE, MissingError, Section, SettingError, validated
from ._keys import misplaced_keys
from ._packages import packages_of
from ._pip_setup import only_pip_has_an_index
from ._place import Place
from ._recipe import Interpreter, Recipe

if TYPE_CHECKING:
    from cpex.framework.models import PluginConfig


_SECTION = "config.environment"

_GUARDIAN = Path(__file__).with_name("_guardian.py")


class EnvironmentOptions(Section):
    """How an environment is built. Paths are relative to the project; what is not said is as pip and uv are set up."""

    model_config = ConfigDict(extra="forbid")

    python: str | None = None
    """The interpreter: a path, or a name that is on the search path; the host's if absent."""
    installer: Literal["auto", "uv", "pip"] = "auto"
    """What installs; `auto` is uv where there is one, but pip if only pip is set up to use another package index."""
    index_url: str | None = None
    """The package index."""
    extra_index_urls: list[str] = []
    """Further package indexes."""
    find_links: list[str] = []
    """Folders, or pages, that packages are looked for in."""
    offline: bool = False
    """Take packages from `find_links` only, or, without any, from the cache of uv."""
    require_hashes: bool = False
    """Install nothing without a hash in the requirements file; nor accept what somebody else has built."""
    only_binary: bool = False
    """Install wheels only: nothing of a package is run to install it."""
    pass_env: list[str] = []
    """Environment variables that the build sees, besides those of pip, uv, proxies and certificates."""
    timeout: Annotated[float, Field(gt=0)] = 600
    """Seconds that a build may take."""

    @classmethod
    def of(cls, config: PluginConfig) -> EnvironmentOptions:
        """Read them.

        Args:
            config: The plugin's entry.

        Returns:
            The options.

        Raises:
            SettingError: If one is unknown, wrong or not where it belongs; no value is in the message.
        """
        written = config.config or {}
        faults = list(misplaced_keys(written, "environment"))
        options = cls()
        try:
            if "environment" in written:
                options = cls._read(written["environment"])
        except SettingError as error:
            faults += [error, *error.others]
        if faults:
            raise SettingError.of(faults)
        return options

    @classmethod
    def _read(cls, section: object) -> EnvironmentOptions:
        if section is None or section == "":
            raise SettingError(_SECTION, NO_VALUE)
        if not isinstance(section, Mapping):
            raise SettingError(_SECTION, f"it holds options, not a {type(section).__name__}")
        return validated(cls, section, _SECTION)


def recipe(place: Place, options: EnvironmentOptions, *, anew: bool = False) -> Recipe:
    """Put together what an environment is made of.

    Args:
        place: Where the plugin is.
        options: How it is built.
        anew: Build even if there is one.

    Returns:
        The recipe.

    Raises:
        MissingError: If there is no such interpreter or installer.
    """
    packages = packages_of(place.folder)
    return Recipe(
        home=str(place.folder),
        requirements=str(place.requirements) if place.requirements else None,
        roots=[str(root) for root in place.roots],
        archives=[str(path) for path in packages.archives],
        editables=[str(path) for path in packages.editables],
        manifest=str(place.manifest),
        manifest_version=place.version,
        interpreter=_interpreter(place, options.python),
        uv=_uv(options),
        index_url=options.index_url,
        extra_index_urls=list(options.extra_index_urls),
        find_links=[_located(place.project, link) for link in options.find_links],
        offline=options.offline,
        require_hashes=options.require_hashes,
        only_binary=options.only_binary,
        pass_env=list(options.pass_env),
        guard=_guard(),
        timeout=options.timeout,
        anew=anew,
    )


def _located(project: Path, link: str) -> str:
    return link if "://" in link else str(project / os.path.expanduser(link))


def check_programs(place: Place, options: EnvironmentOptions) -> None:
    """Look for the programs that a build needs; none is started.

    Args:
        place: Where the plugin is.
        options: How its environment is built.

    Raises:
        MissingError: If there is no such interpreter or installer.
    """
    if options.python is not None:
        _program(place, options.python)
    _uv(options)


def _guard() -> list[str]:
    """What ends a build with this process."""
    if sys.platform != "linux":
        return []
    return [_host()["executable"], "-I", "-S", str(_GUARDIAN), str(os.getpid())]


def _program(place: Place, named: str) -> Path:
    has_folder = os.path.dirname(named)
    found = shutil.which(_located(place.project, named) if has_folder else named)
    if found is None:
        raise MissingError(f"{_SECTION}.python", f"'{named}' is no interpreter that is there")
    return Path(found)


def _interpreter(place: Place, named: str | None) -> Interpreter:
    if named is None:
        return _host()
    try:
        executable, version, abi = _core.ask_interpreter(_program(place, named))
    except MissingError:
        raise
    except OSError as error:
        raise MissingError(f"{_SECTION}.python", f"'{named}' is no interpreter: {error}") from error
    return Interpreter(executable=str(executable), version=version, abi=abi)


@cache
def _host() -> Interpreter:
    executable: str = getattr(sys, "_base_executable", None) or sys.executable
    return Interpreter(executable=executable, version=platform.python_version(), abi=ABI)


def _uv(options: EnvironmentOptions) -> str | None:
    asked = options.installer
    # A package must not come from the public index where a private one of that name was meant.
    if asked == "pip" or (asked == "auto" and options.index_url is None and only_pip_has_an_index()):
        return None
    found = shutil.which("uv") or _packaged_uv()
    if found is None and asked == "uv":
        raise MissingError(f"{_SECTION}.installer", "it is uv, and there is no uv: pip install uv")
    return found


def _packaged_uv() -> str | None:
    try:
        from uv import find_uv_bin
    except ImportError:
        return None
    try:
        return str(find_uv_bin())
    except FileNotFoundError:
        return None
