"""What the plugin installer reads and writes: manifests, versions, the registry of installed plugins."""

import logging
import os
from pathlib import Path
from typing import Any

from packaging.version import InvalidVersion, Version
from pydantic import BaseModel

from cpex.framework._files import replace_file
from cpex.framework._models.config import PluginConfig
from cpex.framework._models.enums import PluginInstallationType, PluginMode
from cpex.framework._models.sources import GitRepo, Monorepo, PyPiRepo

logger = logging.getLogger("cpex.framework.models")

_REGISTRY_FILE = "installed-plugins.json"


def registry_path() -> Path:
    """Says where the registry of installed plugins is.

    Returns:
        ``installed-plugins.json`` in the folder that ``PLUGIN_REGISTRY_FILE`` names, by default ``data``.
    """
    return Path(os.environ.get("PLUGIN_REGISTRY_FILE") or "data") / _REGISTRY_FILE


def _parsed(version: str) -> Version | None:
    try:
        return Version(version)
    except InvalidVersion:
        return None


class PluginManifest(BaseModel, defer_build=True):
    """A plugin's ``plugin-manifest.yaml``."""

    name: str
    kind: str
    description: str
    author: str
    version: str
    tags: list[str]
    available_hooks: list[str]
    default_config: dict[str, Any]
    monorepo: Monorepo | None = None
    package_info: PyPiRepo | None = None
    local: str | None = None
    git_repo: GitRepo | None = None

    def suggest_instance_name(self) -> str:
        """Suggests a name for an instance of the plugin.

        Returns:
            The name in lower case with hyphens for spaces.
        """
        return self.name.lower().replace(" ", "-")

    def create_instance_config(
        self, instance_name: str, mode: PluginMode, priority: int = 100, config: dict[str, Any] | None = None
    ) -> PluginConfig:
        """Makes the configuration entry of an instance.

        Args:
            instance_name: Name of the instance.
            mode: The mode it runs in.
            priority: Its priority.
            config: Settings that replace those of ``default_config``, key by key.

        Returns:
            The entry.
        """
        return PluginConfig(
            name=instance_name,
            kind=self.kind,
            description=self.description,
            author=self.author,
            version=self.version,
            tags=self.tags,
            mode=mode,
            priority=priority,
            hooks=self.available_hooks,
            config={**self.default_config, **(config or {})},
        )


class PluginVersionInfo(BaseModel, defer_build=True):
    """One published version of a plugin. ``min_max_framework_version`` is ``min,max``, both included."""

    version: str
    released: str
    breaking_changes: bool | None = None
    deprecated: bool = False
    manifest_file: str
    changelog: str | None = None
    min_max_framework_version: str | None = "0.1.0,0.1.0"

    def _accepts(self, framework: Version) -> bool:
        bounds = [_parsed(bound) for bound in (self.min_max_framework_version or "").split(",")]
        if len(bounds) != 2:
            return False
        low, high = bounds
        return low is not None and high is not None and low <= framework <= high


class PluginVersionRegistry(BaseModel, defer_build=True):
    """Every published version of a plugin."""

    latest: PluginVersionInfo | None = None
    latest_prerelease: PluginVersionInfo | None = None
    versions: list[PluginVersionInfo]

    def get_version(self) -> PluginVersionInfo | None:
        """The version to install by default.

        Returns:
            ``latest``.
        """
        return self.latest

    def get_latest_compatible(self, framework_version: str) -> PluginVersionInfo | None:
        """Finds the newest version made for a framework version.

        Args:
            framework_version: Version of the framework.

        Returns:
            The version, or None if there is none or the framework version is not one.
        """
        framework = _parsed(framework_version)
        if framework is None:
            logger.warning("Invalid framework version format: %s", framework_version)
            return None
        compatible = [info for info in self.versions if info._accepts(framework)]
        dated = [(parsed, info) for info in compatible if (parsed := _parsed(info.version)) is not None]
        if dated:
            return max(dated, key=lambda entry: entry[0])[1]
        return compatible[0] if compatible else None


class InstalledPluginInfo(BaseModel, defer_build=True):
    """One installed plugin."""

    name: str
    kind: str
    version: str | None = None
    installation_type: PluginInstallationType
    installation_path: str
    installed_at: str
    installed_by: str
    package_source: str | None = None
    editable: bool = False


class InstalledPluginRegistry(BaseModel, defer_build=True):
    """The plugins installed here, kept in a JSON file in the folder ``PLUGIN_REGISTRY_FILE``."""

    plugins: list[InstalledPluginInfo] = []

    def register_plugin(self, plugin: InstalledPluginInfo) -> None:
        """Adds a plugin, in place of one of the same name, and saves.

        Args:
            plugin: The plugin.
        """
        self.plugins = [*(known for known in self.plugins if known.name != plugin.name), plugin]
        self.save()

    def unregister_plugin(self, plugin_name: str) -> bool:
        """Removes a plugin and saves.

        Args:
            plugin_name: Its name.

        Returns:
            Whether there was one.
        """
        remaining = [known for known in self.plugins if known.name != plugin_name]
        if len(remaining) == len(self.plugins):
            return False
        self.plugins = remaining
        self.save()
        return True

    def save(self) -> None:
        """Replaces the registry file as one step, so that a reader never sees half of it."""
        path = registry_path()
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, self.model_dump_json(indent=2))
