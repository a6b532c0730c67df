"""What the plugin catalog and the installer read from the environment."""

from pathlib import Path

from pydantic_settings import BaseSettings, SettingsConfigDict

from cpex.framework._models.catalog import registry_path

__all__ = ["CatalogSettings", "get_catalog_settings", "get_plugin_registry_path"]


class CatalogSettings(BaseSettings):
    """The ``PLUGINS_*`` variables of the catalog.

    Attributes:
        GITHUB_TOKEN: Token for the GitHub API; without one the catalog is not refreshed.
        GITHUB_API: Host or base URL of the GitHub API.
        REPO_URLS: Comma-separated URLs of the repositories the catalog lists.
        REGISTRY_FOLDER: Not read; the registry's folder is ``PLUGIN_REGISTRY_FILE``.
        CATALOG_FOLDER: Folder with the manifests of known plugins.
        FOLDER: Folder with the plugins that have an environment of their own.
        VERIFY_PACKAGE_INTEGRITY: Compare downloads with the hashes of the package index.
        STRICT_INTEGRITY_MODE: Refuse a download for which the index has no hash.
    """

    model_config = SettingsConfigDict(
        env_prefix="PLUGINS_", env_file=".env", env_file_encoding="utf-8", extra="ignore", arbitrary_types_allowed=True
    )

    GITHUB_TOKEN: str | None = None
    GITHUB_API: str | None = "api.github.com"
    REPO_URLS: str = "https://github.com/ibm/cpex-plugins"
    REGISTRY_FOLDER: str | None = "data"
    CATALOG_FOLDER: str = "plugin-catalog"
    FOLDER: str = "plugins"
    VERIFY_PACKAGE_INTEGRITY: bool = True
    STRICT_INTEGRITY_MODE: bool = False


def get_catalog_settings() -> CatalogSettings:
    """Reads the environment.

    Returns:
        The settings, read anew at each call.
    """
    return CatalogSettings()


def get_plugin_registry_path() -> Path:
    """Says where the registry of installed plugins is.

    Returns:
        ``installed-plugins.json`` in the folder that ``PLUGIN_REGISTRY_FILE`` names, by default ``data``.
    """
    return registry_path()
