"""What CPEX 0.1.4 has to say of a plugin's environment (Z3, Z7a), for programs that ask for it by these names."""

from __future__ import annotations

import asyncio
import hashlib
import json
import platform
import shutil
import venv
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cpex.framework._files import replace_file
from cpex.framework.utils import manifest_filename_for_class

from ._place import package_of

if TYPE_CHECKING:
    from cpex.framework.models import PluginConfig


class PublishedVenv:
    """The folder of a plugin as 0.1.4 names what is in it.

    An environment that `initialize()` makes is found by its fingerprint and needs none of this; what it leaves says the
    same, though.
    """

    _config: PluginConfig
    plugin_dirs: list[str]

    @property
    def plugin_path(self) -> Path:
        """The plugin's folder: below the first accepted folder of plugins."""
        return Path(self.plugin_dirs[0], package_of(self._class_name)).resolve()

    @property
    def cache_dir(self) -> Path:
        """Where the metadata of environments is."""
        return self.plugin_path / ".cpex" / "venv_cache"

    @property
    def _class_name(self) -> Any:
        return (self._config.config or {}).get("class_name")

    async def create_venv(
        self, venv_path: str = ".venv", requirements_file: str | None = None, use_cache: bool = True
    ) -> bool:
        """Make an empty environment, unless there is a valid one.

        Args:
            venv_path: The environment.
            requirements_file: What it is for; nothing is installed.
            use_cache: Whether a valid one will do.

        Returns:
            Whether it was made.
        """
        if use_cache and self._is_venv_cache_valid(venv_path, requirements_file):
            return False
        await asyncio.to_thread(_make, Path(venv_path))
        return True

    def remove_venv(self) -> None:
        """Remove the environment and its metadata."""
        for name in (".venv", ".cpex"):
            shutil.rmtree(self.plugin_path / name, ignore_errors=True)

    def _compute_requirements_hash(self, requirements_file: str | Path | None) -> str:
        return _sha256(requirements_file)

    def _manifest_path(self) -> Path:
        return self.plugin_path / manifest_filename_for_class(str(self._class_name))

    def _compute_manifest_hash(self) -> str:
        return _sha256(self._manifest_path())

    def _get_cache_metadata_path(self, venv_path: str | Path) -> Path:
        return self.cache_dir / f"{Path(venv_path).name}_metadata.json"

    def _is_venv_cache_valid(self, venv_path: str | Path, requirements_file: str | Path | None) -> bool:
        try:
            metadata = json.loads(self._get_cache_metadata_path(venv_path).read_bytes())
        except (OSError, ValueError):
            return False
        if not isinstance(metadata, dict) or not Path(venv_path).exists():
            return False
        now = self._cache_metadata(venv_path, requirements_file)
        same = metadata.get("requirements_hash") == now["requirements_hash"]
        return same and all(metadata.get(key, now[key]) == now[key] for key in ("manifest_version", "manifest_hash"))

    def _save_cache_metadata(self, venv_path: str | Path, requirements_file: str | Path | None) -> None:
        path = self._get_cache_metadata_path(venv_path)
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, json.dumps(self._cache_metadata(venv_path, requirements_file), indent=2))

    def _cache_metadata(self, venv_path: str | Path, requirements_file: str | Path | None) -> dict[str, Any]:
        return {
            "venv_path": str(Path(venv_path).absolute()),
            "requirements_file": str(Path(requirements_file).absolute()) if requirements_file else None,
            "requirements_hash": self._compute_requirements_hash(requirements_file),
            "manifest_version": self._config.version,
            "manifest_hash": self._compute_manifest_hash(),
            "python_version": platform.python_version(),
        }


def _make(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)
    venv.EnvBuilder(with_pip=True, symlinks=True).create(folder)


def _sha256(path: str | Path | None) -> str:
    content = Path(path).read_bytes() if path and Path(path).is_file() else b""
    return hashlib.sha256(content).hexdigest()
