"""What `cpex plugin` shows: the installed plugins, and those of the catalog."""

import json
import logging
from typing import TYPE_CHECKING, Any

from rich.markup import escape

from cpex.framework.models import PluginManifest
from cpex.tools import cli

if TYPE_CHECKING:
    from cpex.tools.catalog import PluginCatalog

logger = logging.getLogger("cpex.tools.cli")


def installation_type(manifest: PluginManifest) -> str:
    """Says how a plugin of the catalog is installed.

    Args:
        manifest: The plugin.

    Returns:
        The type, as `--type` takes it.
    """
    if manifest.monorepo:
        return "monorepo"
    if manifest.package_info:
        return "pypi"
    return "git" if manifest.git_repo else "local"


def list_registered_plugins(type: str | None, fmt: str = "text") -> None:
    """Shows the installed plugins.

    Args:
        type: Not read: all are shown.
        fmt: ``text`` or ``json``.
    """
    installed = [
        {"name": plugin.name, "version": plugin.version, "installation_type": plugin.installation_type.value}
        for plugin in cli.PluginRegistry().registry.plugins
    ]
    if fmt == "json":
        _print_json({"plugins": installed})
        return
    if not installed:
        logger.info("No plugins registered.")
    for plugin in installed:
        cli.console.print(_line(plugin), highlight=False, soft_wrap=True)


def info(plugin_name: str | None, fmt: str = "text") -> None:
    """Shows all that is known of installed plugins.

    Args:
        plugin_name: Part of a name or kind; None shows all.
        fmt: ``text`` or ``json``.
    """
    wanted = (plugin_name or "").lower()
    found = [
        plugin.model_dump(mode="json")
        for plugin in cli.PluginRegistry().registry.plugins
        if wanted in plugin.name.lower() or wanted in plugin.kind.lower()
    ]
    if fmt == "json":
        _print_json({"plugins": found})
    elif not found:
        cli.console.print("No plugins found")
    for plugin in found if fmt != "json" else ():
        cli.console.print(json.dumps(plugin, indent=2), markup=False, soft_wrap=True)


def search(plugin_name: str | None, catalog: "PluginCatalog", fmt: str = "text") -> None:
    """Shows plugins of the catalog.

    Args:
        plugin_name: Part of a name, or a tag; None shows all.
        catalog: The catalog.
        fmt: ``text`` or ``json``.
    """
    if fmt == "json":
        _print_json({"results": [_summary(manifest) for manifest in catalog.search(plugin_name) or ()]})
        return
    with cli.console.status("Searching for available plugins ...", spinner="dots"):
        found = catalog.search(plugin_name)
    if not found:
        cli.console.log("No plugins found.")
        return
    cli.console.log("Available plugins:")
    for manifest in found:
        cli.console.log(_line(_summary(manifest)))


def versions(plugin_name: str | None, catalog: "PluginCatalog", fmt: str = "text") -> None:
    """Shows the versions of plugins of the catalog.

    Args:
        plugin_name: Part of a name, or a tag; None shows all.
        catalog: The catalog.
        fmt: ``text`` or ``json``.
    """
    search(plugin_name, catalog, fmt)


def _summary(manifest: PluginManifest) -> dict[str, str]:
    return {
        "name": manifest.name,
        "version": manifest.version,
        "installation_type": installation_type(manifest),
    }


def _line(plugin: dict[str, Any]) -> str:
    return (
        f"name: {escape(plugin['name'])} version: {escape(str(plugin['version']))} "
        f"installation type: {plugin['installation_type']}"
    )


def _print_json(data: dict[str, Any]) -> None:
    cli.typer.echo(json.dumps(data))
