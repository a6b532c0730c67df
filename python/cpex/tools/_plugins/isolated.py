"""The environment of its own that an `isolated_venv` plugin gets (Z2–Z4)."""

import hashlib
import json
import platform
import shutil
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cpex.framework._files import replace_file
from cpex.framework.models import PluginManifest
from cpex.framework.utils import manifest_filename_for_class, parse_class_name

from .environment import Environment
from .manifests import dump_manifest

_VENV = ".venv"
_STATE = ".cpex"
_METADATA = Path(_STATE, "venv_cache", ".venv_metadata.json")


@dataclass(frozen=True, slots=True)
class IsolatedPlugin:
    """A plugin in a folder of its own, named like the first segment of its class path.

    Attributes:
        manifest: Its manifest, of kind ``isolated_venv``.
        folder: Its folder, absolute.
    """

    manifest: PluginManifest
    folder: Path

    @classmethod
    def below(cls, plugin_folder: str, manifest: PluginManifest) -> "IsolatedPlugin":
        """Places a plugin.

        Args:
            plugin_folder: The folder of all such plugins.
            manifest: The plugin's manifest.

        Returns:
            The plugin; nothing is created.

        Raises:
            ValueError: If `default_config.class_name` is not the path of a class.
        """
        class_name = manifest.default_config.get("class_name")
        module = parse_class_name(class_name)[0] if isinstance(class_name, str) else ""
        package = module.partition(".")[0]
        if not package.isidentifier():
            raise ValueError(
                f"{manifest.name}: default_config.class_name of an isolated_venv plugin names its class, "
                f"such as package.module.ClassName, not {class_name!r}"
            )
        return cls(manifest, Path(plugin_folder, package).absolute())

    @property
    def environment(self) -> Environment:
        """Its environment."""
        return Environment(str(venv_python(self.folder / _VENV)))

    @contextmanager
    def rebuilt(self) -> Iterator[Environment]:
        """Makes an empty environment for the block to fill. If the block fails, all is as it was before.

        Yields:
            The environment.
        """
        is_new = not self.folder.exists()
        self.folder.mkdir(parents=True, exist_ok=True)
        aside = [(self.folder / name, self.folder / f"{name}.previous") for name in (_VENV, _STATE)]
        for current, previous in aside:
            shutil.rmtree(previous, ignore_errors=True)
            if current.exists():
                current.rename(previous)
        try:
            venv.EnvBuilder(with_pip=True, symlinks=True).create(self.folder / _VENV)
            yield self.environment
        except BaseException:
            for current, previous in aside:
                shutil.rmtree(current, ignore_errors=True)
                if previous.exists():
                    previous.rename(current)
            if is_new:
                shutil.rmtree(self.folder, ignore_errors=True)
            raise
        for _, previous in aside:
            shutil.rmtree(previous, ignore_errors=True)

    def requirements(self, package: Path) -> Path | None:
        """Finds its requirements file.

        Args:
            package: Folder of its installed package.

        Returns:
            The file, or None if the manifest names none.

        Raises:
            FileNotFoundError: If the manifest names one that is not there.
            ValueError: If it lies outside of the package and of the plugin's folder.
        """
        named = self.manifest.default_config.get("requirements_file")
        if not named:
            return None
        for folder in (package, self.folder):
            path = Path(folder, named).resolve()
            if not path.is_relative_to(folder.resolve()):
                raise ValueError(f"Invalid requirements_file path: '{named}' leads out of the plugin's folder")
            if path.is_file():
                return path
        raise FileNotFoundError(f"requirements_file '{named}' of {self.manifest.name} is not in its package")

    def commit(self, requirements: Path | None) -> None:
        """Writes its manifest, and what the environment was made from: the worker need not build it again.

        Args:
            requirements: The file that was installed, if any.
        """
        manifest = self.folder / manifest_filename_for_class(self.manifest.default_config["class_name"])
        replace_file(manifest, dump_manifest(self.manifest))
        metadata = {
            "venv_path": str(self.folder / _VENV),
            "requirements_file": str(requirements) if requirements else None,
            "requirements_hash": _sha256(requirements),
            "manifest_version": self.manifest.version,
            "manifest_hash": _sha256(manifest),
            "python_version": platform.python_version(),
        }
        path = self.folder / _METADATA
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, json.dumps(metadata, indent=2))

    def remove(self) -> None:
        """Removes its environment and what `commit` wrote; files of others stay."""
        shutil.rmtree(self.folder / _STATE, ignore_errors=True)
        shutil.rmtree(self.folder / _VENV, ignore_errors=True)
        (self.folder / manifest_filename_for_class(self.manifest.default_config["class_name"])).unlink(missing_ok=True)
        if self.folder.is_dir() and not any(self.folder.iterdir()):
            self.folder.rmdir()


def venv_python(folder: Path) -> Path:
    """Names the interpreter of a virtual environment.

    Args:
        folder: The environment.

    Returns:
        Its interpreter.
    """
    windows = folder / "Scripts" / "python.exe"
    return windows if windows.exists() else folder / "bin" / "python"


def _sha256(path: Path | None) -> str:
    return hashlib.sha256(path.read_bytes() if path else b"").hexdigest()
