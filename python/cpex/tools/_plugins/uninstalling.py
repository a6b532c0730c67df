"""`cpex plugin uninstall`: the entry, the package, the record."""

from typing import TYPE_CHECKING

from rich.markup import escape

from cpex.tools import cli

from .records import records_changed_together
from .talk import NoTerminalError, ask

if TYPE_CHECKING:
    from cpex.tools.catalog import PluginCatalog


def uninstall(plugin_name: str, catalog: "PluginCatalog", assume_yes: bool = False) -> None:
    """Removes an installed plugin: its entries in the configuration file, its package, its record.

    Args:
        plugin_name: Its name.
        catalog: The catalog.
        assume_yes: Do not ask.

    Raises:
        typer.Exit: 1 if nobody can be asked, 3 if it is not installed or not in the catalog, 4 if it cannot be
            removed.
    """
    installed = cli.PluginRegistry().get(plugin_name)
    if installed is None:
        cli.console.print(f":x: Plugin '{escape(plugin_name)}' is not installed.")
        raise cli.typer.Exit(cli.EXIT_NOT_FOUND)
    manifest = catalog.find(plugin_name)
    if manifest is None:
        cli.console.print(f":x: Plugin '{escape(plugin_name)}' not found in catalog.")
        raise cli.typer.Exit(cli.EXIT_NOT_FOUND)
    cli.console.print(f"Found plugin: {escape(installed.name)} (version {escape(str(installed.version))})")
    cli.console.print(f"Installation type: {installed.installation_type.value}")
    cli.console.print(f"Installation path: {escape(installed.installation_path)}", soft_wrap=True)
    try:
        confirmed = assume_yes or _confirmed(plugin_name)
    except NoTerminalError as error:
        cli.console.print(f":x: Uninstall failed: {error}", soft_wrap=True, highlight=False)
        raise cli.typer.Exit(cli.EXIT_GENERAL_ERROR) from error
    if not confirmed:
        cli.console.print("Uninstall cancelled.")
        return
    package = manifest.package_info.pypi_package if manifest.package_info else manifest.name
    try:
        with records_changed_together():
            cli.remove_from_plugins_config_yaml(manifest)
            cli.PluginRegistry().remove(plugin_name)
            if not catalog.uninstall_package(package, manifest):
                raise RuntimeError(f"Failed to remove the package {package}")
    except (OSError, RuntimeError) as error:
        cli.console.print(f":x: Uninstall failed: {escape(str(error))}", soft_wrap=True, highlight=False)
        raise cli.typer.Exit(cli.EXIT_OPERATION_FAILED) from error
    cli.console.print(f":white_heavy_check_mark: {escape(plugin_name)} uninstalled successfully.")


def _confirmed(plugin_name: str) -> bool:
    question = cli.inquirer.Confirm(
        "confirm", message=f"Are you sure you want to uninstall '{plugin_name}'?", default=False
    )
    answers = ask(question, "--yes uninstalls without confirmation")
    return bool(answers and answers["confirm"])
