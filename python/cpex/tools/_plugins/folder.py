"""The catalog on disk: the manifests and versions of known plugins, one folder each."""

import logging
from datetime import UTC, datetime
from pathlib import Path

from packaging.version import InvalidVersion, Version
from pydantic import ValidationError

from cpex.framework._files import replace_file
from cpex.framework.models import PluginManifest, PluginVersionInfo, PluginVersionRegistry

from .manifests import MANIFEST, VERSIONS, dump_manifest, parse_manifest

logger = logging.getLogger("cpex.tools.catalog")


class CatalogFolder:
    """Known plugins, as files below a folder.

    Attributes:
        catalog_folder: The folder.
        plugin_folder: Folder with the plugins that have an environment of their own.
        manifests: What `load` found.
    """

    def __init__(self, catalog_folder: str, plugin_folder: str) -> None:
        """Names the folders; reads nothing.

        Args:
            catalog_folder: Folder of the manifests.
            plugin_folder: Folder of the plugins.
        """
        self.catalog_folder = catalog_folder
        self.plugin_folder = plugin_folder
        self.manifests: list[PluginManifest] = []

    def create_folder(self, base_path: str | Path, rel_path: str | Path) -> None:
        """Creates a folder, with those above it.

        Args:
            base_path: A folder.
            rel_path: The folder to create, from there.

        Raises:
            ValueError: If it is not below `base_path`.
        """
        _inside(base_path, rel_path).mkdir(parents=True, exist_ok=True)

    def create_output_folder(self) -> None:
        """Creates the folder of the catalog."""
        Path(self.catalog_folder).mkdir(parents=True, exist_ok=True)

    def create_catalog_folder(self, path: str) -> None:
        """Creates a folder of the catalog.

        Args:
            path: The folder, from the catalog's.
        """
        self.create_folder(self.catalog_folder, path)

    def create_plugin_folder(self, path: str) -> None:
        """Creates the folder of a plugin.

        Args:
            path: The folder, from the plugins'.
        """
        self.create_folder(self.plugin_folder, path)

    def save_content(self, base_path: str | Path, content: str, path: str | Path) -> None:
        """Writes a file as one step.

        Args:
            base_path: A folder.
            content: The text.
            path: The file, from there; its folder exists.

        Raises:
            ValueError: If it is not below `base_path`.
        """
        replace_file(_inside(base_path, path), content)

    def save_catalog_content(self, content: str, path: str | Path) -> None:
        """Writes a file of the catalog.

        Args:
            content: The text.
            path: The file, from the catalog's folder.
        """
        self.save_content(self.catalog_folder, content, path)

    def save_plugin_content(self, content: str, path: str | Path) -> None:
        """Writes a file of a plugin.

        Args:
            content: The text.
            path: The file, from the plugins' folder.
        """
        self.save_content(self.plugin_folder, content, path)

    def save_manifest(self, manifest: PluginManifest, path: str | Path) -> None:
        """Writes a manifest.

        Args:
            manifest: The manifest.
            path: The file, from the catalog's folder.
        """
        self.save_catalog_content(dump_manifest(manifest), path)

    def load(self) -> None:
        """Reads every manifest of the catalog. One that cannot be read is logged and left out."""
        folder = Path(self.catalog_folder)
        self.manifests = []
        if not folder.is_dir():
            logger.info("Output folder '%s' does not exist. No manifests to load.", folder)
            return
        for path in sorted(folder.rglob(MANIFEST)):
            try:
                self.manifests.append(parse_manifest(path.read_text(encoding="utf-8"), path.parent.name, convert=None))
            except (OSError, UnicodeDecodeError, RuntimeError) as error:
                logger.error("Failed to load manifest from '%s': %s", path, error)

    def find(self, plugin_name: str) -> PluginManifest | None:
        """Finds a plugin by its name.

        Args:
            plugin_name: The whole name, in upper or lower case.

        Returns:
            Its manifest, or None.
        """
        self.load()
        wanted = plugin_name.lower()
        return next((manifest for manifest in self.manifests if manifest.name.lower() == wanted), None)

    def search(self, plugin_name: str | None) -> list[PluginManifest] | None:
        """Finds plugins by a part of their name, or by a tag.

        Args:
            plugin_name: Part of a name, or a tag, in upper or lower case; None finds all.

        Returns:
            Their manifests, or None if there are none.
        """
        self.load()
        wanted = (plugin_name or "").lower()
        found = [
            manifest
            for manifest in self.manifests
            if wanted in manifest.name.lower() or wanted in map(str.lower, manifest.tags)
        ]
        return found or None

    def update_plugin_version_registry(
        self, manifest: PluginManifest, relpath: Path, package: Path | None = None
    ) -> None:
        """Adds a plugin's version to those the catalog knows.

        Args:
            manifest: The plugin.
            relpath: Folder the plugin is in.
            package: Folder of its package, if that is another one. If there is a `versions.json`, what it says of a
                version counts.
        """
        path = Path(manifest.name, VERSIONS)
        known = _versions(Path(self.catalog_folder, path))
        published = _versions(Path(package or relpath, VERSIONS))
        versions = {info.version: info for info in [*known, *published]}
        versions.setdefault(
            manifest.version,
            PluginVersionInfo(
                version=manifest.version,
                released=datetime.now(UTC).replace(tzinfo=None).isoformat() + "Z",
                manifest_file=str(relpath),
            ),
        )
        newest_first = sorted(versions.values(), key=version_key, reverse=True)
        releases = [info for info in newest_first if not version_key(info).is_prerelease]
        previews = [info for info in newest_first if version_key(info).is_prerelease]
        registry = PluginVersionRegistry(
            latest=next(iter(releases or newest_first)),
            latest_prerelease=next(iter(previews), None),
            versions=newest_first,
        )
        self.create_catalog_folder(manifest.name)
        self.save_catalog_content(registry.model_dump_json(indent=2), path)


def version_key(item: PluginVersionInfo | PluginManifest) -> Version:
    """Gives the version of a manifest or an entry, for ordering; one that is none sorts first.

    Args:
        item: The manifest or entry.

    Returns:
        Its version.
    """
    try:
        return Version(item.version)
    except InvalidVersion:
        return Version("0.dev0")


def _versions(path: Path) -> list[PluginVersionInfo]:
    try:
        return PluginVersionRegistry.model_validate_json(path.read_bytes()).versions
    except FileNotFoundError:
        return []
    except (OSError, ValidationError) as error:
        logger.warning("Cannot read the versions in '%s', they are written anew: %s", path, type(error).__name__)
        return []


def _inside(base: str | Path, path: str | Path) -> Path:
    target = Path(base, path)
    if not target.resolve().is_relative_to(Path(base).resolve()):
        raise ValueError(f"'{path}' leads out of '{base}'")
    return target
