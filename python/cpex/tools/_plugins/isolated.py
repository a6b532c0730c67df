"""An `isolated_venv` plugin as `cpex plugin` installs it: its environment, and what that is made of (Z2-Z4)."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from cpex import _core
from cpex.framework._files import replace_file
from cpex.framework.errors import PluginError
from cpex.framework.isolated._environment import Environment, build_at
from cpex.framework.isolated._options import EnvironmentOptions
from cpex.framework.isolated._packages import Packages, keep_packages
from cpex.framework.isolated._place import Place, package_of, place_of
from cpex.framework.models import PluginConfig, PluginManifest, PluginMode
from cpex.framework.utils import manifest_filename_for_class

from .manifests import dump_manifest
from .rollback import files_restored_on_failure

_VENV = ".venv"
_STATE = ".cpex"
_COPIED = Path(_STATE, "copied.txt")


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
        package = package_of(manifest.default_config.get("class_name"), "default_config")
        return cls(manifest, Path(plugin_folder, package).absolute())

    @contextmanager
    def built(self, packages: Packages, contents: Path | None) -> Iterator[Environment]:
        """Builds its environment for the block. If that, or the block, fails, all is as it was before.

        What the environment is made of stays in the folder: the application builds it again from there if need be.

        Args:
            packages: The packages it holds besides the requirements.
            contents: The folder of the plugin in what was downloaded, where its requirements file is looked for first.

        Yields:
            The environment.

        Raises:
            RuntimeError: If it cannot be built.
        """
        # What is to go if it fails: the first of these that was not there.
        new = next((path for path in (self.folder, self.folder / _STATE) if not path.exists()), None)
        self.folder.mkdir(parents=True, exist_ok=True)
        environment = None
        with ExitStack() as undo:
            # None that is there now is removed before it is clear that none has to come back.
            undo.callback(_core.hold_environments(self.folder).clear)
            try:
                copied = self._requirements_in(contents)
                undo.enter_context(files_restored_on_failure(*self._files(copied)))
                self._write(packages, contents, copied)
                environment = self._build()
                yield environment
            except BaseException:
                if environment is not None:
                    shutil.rmtree(self.folder / _VENV, ignore_errors=True)
                if new is not None:
                    shutil.rmtree(new, ignore_errors=True)
                raise

    def remove(self) -> None:
        """Removes its environment and what installing wrote; files of others stay."""
        for name in self._copied():
            (self.folder / name).unlink(missing_ok=True)
        shutil.rmtree(self.folder / _STATE, ignore_errors=True)
        shutil.rmtree(self.folder / _VENV, ignore_errors=True)
        self._manifest_file.unlink(missing_ok=True)
        if self.folder.is_dir() and not any(self.folder.iterdir()):
            self.folder.rmdir()

    @property
    def _manifest_file(self) -> Path:
        return self.folder / manifest_filename_for_class(self.manifest.default_config["class_name"])

    def _copied(self) -> list[str]:
        """Lists the files that an earlier installation has copied out of the package."""
        path = self.folder / _COPIED
        names = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        return [name for name in names if (self.folder / name).resolve().is_relative_to(self.folder.resolve())]

    def _requirements_in(self, contents: Path | None) -> list[str]:
        """Lists the requirements file of a package and what it includes, but for what somebody else has put here."""
        named = self.manifest.default_config.get("requirements_file")
        if not isinstance(named, str) or contents is None or contents.resolve() == self.folder.resolve():
            return []
        contents = contents.resolve()
        path = (contents / named).resolve()
        if not path.is_relative_to(contents):
            raise ValueError(f"Invalid requirements_file path: '{named}' leads out of the plugin's folder")
        if not path.is_file():
            return []
        files = [Path(file).relative_to(contents) for file in _core.requirements_files(path, [contents])]
        ours = self._copied()
        return [str(file) for file in files if str(file) in ours or not (self.folder / file).exists()]

    def _files(self, copied: list[str]) -> list[Path]:
        state = self.folder / _STATE
        files = [self._manifest_file, self.folder / _COPIED, state / "packages", state / "venv_cache"]
        return [*files, *(self.folder / name for name in {*copied, *self._copied()})]

    def _write(self, packages: Packages, contents: Path | None, copied: list[str]) -> None:
        for name in self._copied():
            if name not in copied:
                (self.folder / name).unlink(missing_ok=True)
        for name in copied:
            assert contents is not None
            target = self.folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            replace_file(target, Path(contents, name).read_bytes())
        keep_packages(self.folder, packages)
        replace_file(self.folder / _COPIED, "".join(f"{name}\n" for name in copied))
        replace_file(self._manifest_file, dump_manifest(self.manifest))

    def _build(self) -> Environment:
        manifest = self.manifest
        settings = {key: value for key, value in manifest.default_config.items() if key != "script_path"}
        entry = PluginConfig(
            name=manifest.name,
            kind=manifest.kind,
            version=manifest.version,
            mode=PluginMode.SEQUENTIAL,
            config=settings,
        )
        place: Place = place_of(entry, [str(self.folder.parent)])
        try:
            return build_at(place, EnvironmentOptions.of(entry))
        except PluginError as error:
            message, stderr = error.error.message, (error.error.details or {}).get("stderr") or ""
            # All of it, in place of the last lines that the message quotes.
            told = message if stderr.strip() in message else f"{message.splitlines()[0]}\n{stderr}"
            raise RuntimeError(told) from error
