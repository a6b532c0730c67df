"""Where an isolated plugin lives: its code, its folder, its requirements (Z1, Z4, B3)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.machinery import all_suffixes
from pathlib import Path
from typing import TYPE_CHECKING

from cpex.framework.loader._suggest import did_you_mean
from cpex.framework.loader.config import file_of
from cpex.framework.utils import find_package_path, manifest_filename_for_class, parse_class_name

from ._faults import MissingError, SettingError

if TYPE_CHECKING:
    from cpex.framework.models import PluginConfig


_CLASS_NAME = "config.class_name"
_SCRIPT_PATH = "config.script_path"
_REQUIREMENTS_FILE = "config.requirements_file"


@dataclass(frozen=True, slots=True)
class Place:
    """The places of one plugin, all absolute.

    Attributes:
        name: Name of the plugin.
        project: The folder that paths of its entry are relative to.
        root: The folder its package is imported from.
        folder: The folder of its package: the environment and its state are kept here.
        requirements: Its requirements file, if it has one.
        roots: The folders that its requirements file, and what that one includes, may lie in.
        manifest: Its manifest; it need not exist.
        version: Its version.
    """

    name: str
    project: Path
    root: Path
    folder: Path
    requirements: Path | None
    roots: tuple[Path, ...]
    manifest: Path
    version: str

    @property
    def code(self) -> tuple[Path, ...]:
        """The folder of its package, and the files of a module with the same name."""
        files = (self.root / f"{self.folder.name}{suffix}" for suffix in all_suffixes())
        return (self.folder, *(file for file in files if file.is_file()))


def place_of(config: PluginConfig, plugin_dirs: Sequence[str]) -> Place:
    """Find the places of a plugin. Nothing is made.

    A relative path is looked for in the working directory, then in the folder of the configuration file, then in the
    one above it (for `plugins/config.yaml`): the first that has it is the project.

    Args:
        config: Its entry of the configuration.
        plugin_dirs: The accepted folders of plugins; the first one counts where the entry has no `script_path`.

    Returns:
        Its places.

    Raises:
        SettingError: If the entry does not say where it is, or what it says leads out of where it may.
        MissingError: If a folder or file that it names is not there.
    """
    settings = config.config or {}
    class_name = _class_name(settings.get("class_name"))
    package = class_name.partition(".")[0]
    script_path = settings.get("script_path")
    if script_path is not None and (not isinstance(script_path, str) or not script_path):
        raise SettingError(_SCRIPT_PATH, f"it is the folder of the plugin, not {script_path!r}")
    named = script_path or next(iter(plugin_dirs), None)
    if named is None:
        raise SettingError(
            _CLASS_NAME,
            f"where is its package '{package}'? Name the folder that contains it as config.script_path, or first under "
            "plugin_dirs; it has to lie in an allowed directory",
        )
    project, root = _project_and_root(config, named, must_exist=script_path is not None)
    _check_allowed(named, root, [project, *map(Path, plugin_dirs)])
    root, folder = _root_and_folder(root, package)
    requirements, roots = _requirements(config, settings.get("requirements_file"), folder, root)
    return Place(
        name=config.name,
        project=project,
        root=root,
        folder=folder,
        requirements=requirements,
        roots=roots,
        manifest=folder / manifest_filename_for_class(class_name),
        version=config.version or "",
    )


def no_package(folder: Path) -> str:
    """Say that a plugin's package is not there.

    Args:
        folder: Where it would be.

    Returns:
        What is wrong, and what may be meant.
    """
    beside = sorted(path.name for path in folder.parent.glob("*/")) if folder.parent.is_dir() else []
    return f"there is no package '{folder.name}' in {folder.parent}{did_you_mean(folder.name, beside)}"


def package_of(class_name: object, section: str = "config") -> str:
    """Name the package of a plugin.

    Args:
        class_name: What its entry, or its manifest, has as `class_name`.
        section: The section it is in, for the message.

    Returns:
        The first segment of the class path.

    Raises:
        SettingError: If it is not the path of a class.
    """
    return _class_name(class_name, section).partition(".")[0]


def _class_name(class_name: object, section: str = "config") -> str:
    module = parse_class_name(class_name)[0] if isinstance(class_name, str) else ""
    if not isinstance(class_name, str) or not module or not all(map(str.isidentifier, class_name.split("."))):
        raise SettingError(
            f"{section}.class_name", f"it names a class, such as package.module.ClassName, not {class_name!r}"
        )
    return class_name


def _project_and_root(config: PluginConfig, named: str, *, must_exist: bool) -> tuple[Path, Path]:
    projects = list(dict.fromkeys(_projects(file_of(config))))
    for project in projects:
        if (project / named).is_dir():
            return project, (project / named).resolve()
    if must_exist:
        looked = ", ".join(str(project) for project in projects)
        raise MissingError(_SCRIPT_PATH, f"'{named}' is no folder in any of: {looked}")
    return projects[0], (projects[0] / named).resolve()


def _projects(file: str | None) -> Iterator[Path]:
    yield Path.cwd()
    if file is not None:
        folder = Path(file).parent
        yield folder
        yield folder.parent


def _check_allowed(named: str, root: Path, folders: Sequence[Path]) -> None:
    from cpex.framework.loader.plugin import allowed_roots

    allowed = [*(folder.resolve() for folder in folders), *allowed_roots()]
    if not any(root.is_relative_to(each) for each in allowed):
        raise SettingError(
            _SCRIPT_PATH,
            f"Invalid script_path: '{named}' leads out of {folders[0]}. Set PLUGINS_ALLOWED_DIRS to allow it",
        )


def _root_and_folder(root: Path, package: str) -> tuple[Path, Path]:
    """Both layouts: the folder is named that contains the package, or the package itself."""
    if root.name == package and not (root / package).is_dir():
        return root.parent, root
    return root, root / package


def _requirements(
    config: PluginConfig, named: object, folder: Path, root: Path
) -> tuple[Path | None, tuple[Path, ...]]:
    if named is None or named == "":
        return None, (folder, root)
    if not isinstance(named, str):
        raise SettingError(_REQUIREMENTS_FILE, f"it is the path of a file, not {named!r}")
    try:
        installed = [find_package_path(config.name)]
    except RuntimeError:
        installed = []
    bases = list(dict.fromkeys([*installed, folder, root]))
    for base in bases:
        path = Path(base, named).resolve()
        if not path.is_relative_to(base.resolve()):
            raise SettingError(_REQUIREMENTS_FILE, f"Invalid requirements_file path: '{named}' leads out of {base}")
        if path.is_file():
            return path, tuple(bases)
    looked = ", ".join(str(base) for base in bases)
    if not folder.is_dir():
        raise MissingError(_CLASS_NAME, no_package(folder))
    raise MissingError(_REQUIREMENTS_FILE, f"'{named}' is in none of: {looked}")
