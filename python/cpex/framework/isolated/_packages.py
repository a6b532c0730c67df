"""What an installer has put beside a plugin's requirements: the packages of its environment, for every later build."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cpex.framework._files import replace_file

_STATE: Final = Path(".cpex", "packages")
_LIST: Final = "packages.json"


@dataclass(frozen=True, slots=True)
class Packages:
    """Packages that are installed into an environment besides the requirements.

    Attributes:
        archives: Wheels and source archives, absolute.
        editables: Folders of projects whose files are used where they are, absolute.
    """

    archives: tuple[Path, ...] = ()
    editables: tuple[Path, ...] = ()


def packages_of(folder: Path) -> Packages:
    """Read what was kept for a plugin.

    Args:
        folder: The plugin's folder.

    Returns:
        Its packages; none if nothing was kept.

    Raises:
        ValueError: If the list is damaged.
    """
    path = folder / _STATE / _LIST
    try:
        listed = json.loads(path.read_bytes())
        archives = tuple(path.parent / Path(str(name)).name for name in listed["archives"])
        return Packages(archives, tuple(Path(str(name)) for name in listed["editables"]))
    except FileNotFoundError:
        return Packages()
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is damaged: install the plugin again") from error


def keep_packages(folder: Path, packages: Packages) -> None:
    """Keep packages for every build of a plugin's environment; those kept before are forgotten.

    Args:
        folder: The plugin's folder.
        packages: The packages; archives are copied.
    """
    state = folder / _STATE
    shutil.rmtree(state, ignore_errors=True)
    state.mkdir(parents=True)
    for archive in packages.archives:
        shutil.copyfile(archive, state / archive.name)
    listed = {"archives": _names(packages.archives), "editables": [str(path) for path in packages.editables]}
    replace_file(state / _LIST, json.dumps(listed, indent=2))


def _names(paths: Iterable[os.PathLike[str]]) -> list[str]:
    return [Path(path).name for path in paths]
