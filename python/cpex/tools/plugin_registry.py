"""Which plugins are installed here: the registry file, read once and written at each change."""

import json
import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from cpex.framework._lazy import names_from
from cpex.framework.models import (
    InstalledPluginInfo,
    InstalledPluginRegistry,
    PluginInstallationType,
    PluginManifest,
)
from cpex.framework.utils import find_package_path

from .settings import get_plugin_registry_path

if TYPE_CHECKING:
    from .catalog import PluginCatalog

__all__ = ["PluginRegistry"]

if not TYPE_CHECKING:
    # The catalog imports this module.
    __getattr__ = names_from(__name__, {"cpex.tools.catalog": ("PluginCatalog",)})

logger = logging.getLogger(__name__)


class PluginRegistry:
    """The installed plugins.

    Attributes:
        registry: What the file holds.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Reads the file. One that cannot be read is put aside, as `.json.corrupted`, and the registry is empty.

        Args:
            args: Not read.
            kwargs: Not read.
        """
        self.registry = _read(get_plugin_registry_path())

    def get(self, plugin_name: str) -> InstalledPluginInfo | None:
        """Finds an installed plugin.

        Args:
            plugin_name: Its name.

        Returns:
            Its record, or None.
        """
        return next((plugin for plugin in self.registry.plugins if plugin.name == plugin_name), None)

    def has(self, plugin_name: str) -> bool:
        """Says whether a plugin is installed.

        Args:
            plugin_name: Its name.

        Returns:
            Whether it is.
        """
        return self.get(plugin_name) is not None

    def update(
        self,
        manifest: PluginManifest,
        installation_type: str,
        catalog: "PluginCatalog",
        git_user_name: str,
        plugin_path: Path | None = None,
        editable: bool = False,
    ) -> None:
        """Records an installation, in place of an earlier one of the same plugin, and writes the file.

        Args:
            manifest: The plugin.
            installation_type: How it was installed: monorepo, pypi, test-pypi, git or local.
            catalog: The catalog it was installed from.
            git_user_name: Who installed it.
            plugin_path: The folder it is in; by default that of the installed package of its name.
            editable: Whether it is installed from sources that may change.

        Raises:
            RuntimeError: If there is neither `plugin_path` nor such a package.
        """
        path = plugin_path or find_package_path(manifest.name)
        origin = "pypi" if installation_type == "test-pypi" else installation_type
        self.registry.register_plugin(
            InstalledPluginInfo(
                name=manifest.name,
                kind=manifest.kind,
                version=manifest.version,
                installation_type=PluginInstallationType(origin),
                installation_path=str(Path(path).resolve()),
                installed_at=datetime.now(UTC).isoformat().replace("+00:00", "Z"),
                installed_by=git_user_name,
                package_source=_source(manifest, origin),
                editable=editable,
            )
        )

    def remove(self, plugin_name: str) -> bool:
        """Forgets a plugin and writes the file.

        Args:
            plugin_name: Its name.

        Returns:
            Whether there was one.
        """
        return self.registry.unregister_plugin(plugin_name)


def _source(manifest: PluginManifest, installation_type: str) -> str | None:
    match installation_type:
        case "monorepo" if manifest.monorepo:
            return manifest.monorepo.package_source
        case "git" if manifest.git_repo:
            ref = manifest.git_repo.git_branch_tag_commit
            return f"{manifest.name} @ {manifest.git_repo.git_repository}" + (f"@{ref}" if ref else "")
        case "pypi" if manifest.package_info:
            return manifest.package_info.pypi_package
    return manifest.local


def _read(path: Path) -> InstalledPluginRegistry:
    if not path.is_file():
        return InstalledPluginRegistry()
    try:
        return InstalledPluginRegistry.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except (json.JSONDecodeError, UnicodeDecodeError, ValidationError) as error:
        logger.error("Corrupted plugin registry file at %s: %s. Starting with empty registry.", path, _fault(error))
    aside = path.with_suffix(".json.corrupted")
    path.replace(aside)
    logger.info("Backed up corrupted registry to %s", aside)
    return InstalledPluginRegistry()


def _fault(error: ValueError) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    return str(error)
