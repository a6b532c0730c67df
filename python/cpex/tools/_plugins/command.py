"""`cpex plugin`."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

from cpex.tools import cli
from cpex.tools._problem import nearest

from .installing import check_type
from .sources import TYPES
from .talk import notices

if TYPE_CHECKING:
    from cpex.tools.catalog import PluginCatalog

ACTIONS = ("list", "info", "install", "search", "versions", "uninstall")
FORMATS = ("text", "json")

_REFRESHED = ("list", "install", "search", "versions")
_INDEXES = ("pypi", "test-pypi")


def _completing(values: tuple[str, ...]) -> Callable[[str], list[str]]:
    def complete(incomplete: str) -> list[str]:
        return [value for value in values if value.startswith(incomplete)]

    return complete


def plugin(
    cmd_action: Annotated[
        str | None,
        typer.Argument(metavar="ACTION", help=f"One of {', '.join(ACTIONS)}.", autocompletion=_completing(ACTIONS)),
    ] = None,
    source: Annotated[
        str | None, typer.Argument(metavar="SOURCE", help="The plugin, package, repository or folder.")
    ] = None,
    install_type: Annotated[
        str | None,
        typer.Option(
            "--type",
            "-t",
            metavar="TYPE",
            help=f"Where it is installed from: {', '.join(TYPES)}. By default monorepo, the catalog's repositories.",
            autocompletion=_completing(TYPES),
        ),
    ] = None,
    assume_yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Ask nothing: install the first match, uninstall without confirmation.")
    ] = False,
    fmt: Annotated[
        str,
        typer.Option(
            "--format",
            "-f",
            metavar="FORMAT",
            help="How list, info, search and versions answer: text or json.",
            autocompletion=_completing(FORMATS),
        ),
    ] = "text",
    no_convert: Annotated[
        bool,
        typer.Option(
            "--no-convert",
            help="Keep a class path as `kind`, so that the plugin runs in the process of the application, instead of "
            "making it an isolated_venv plugin; an unknown kind is a warning. Not for monorepo.",
        ),
    ] = False,
    *,
    context: typer.Context = None,  # type: ignore[assignment]  # Typer fills it in
) -> None:
    """List, search, install or uninstall plugins.

    Examples:

    * `cpex plugin search pii` shows what the catalog has, `cpex plugin versions pii` the versions of it there
    * `cpex plugin install cpex-pii-filter` installs from the catalog's repositories
    * `cpex plugin install -t pypi "cpex-pii-filter@>=0.3"` installs from the package index pip is configured with
    * `cpex plugin install -t git "my-plugin @ git+https://github.com/me/my-plugin@main"`
    * `cpex plugin install -t local ./my-plugin` installs sources, editable
    * `cpex plugin info pii` shows what is installed; `cpex plugin list` names it
    * `cpex plugin uninstall cpex-pii-filter`

    Exit status:

    * 0: success
    * 1: general error
    * 2: invalid arguments
    * 3: the plugin to uninstall is not found; where list, info, search and versions find nothing, it is 0
    * 4: operation failed
    """
    if not cmd_action:
        typer.echo(context.get_help() if context else plugin.__doc__)
        return
    _check("action", cmd_action, ACTIONS)
    _check("format", fmt, FORMATS)
    if cmd_action in ("install", "uninstall") and not source:
        _refuse(f"Please specify a plugin name to {cmd_action}.")
    if cmd_action == "install" and install_type:
        check_type(install_type)
    if cmd_action == "info":
        cli.info(source, fmt)
        return
    catalog = cli.PluginCatalog()
    if cmd_action in _REFRESHED and install_type not in (*_INDEXES, "local"):
        _refresh(notices() if fmt == "json" else cli.console, catalog)
    if cmd_action == "list":
        cli.list_registered_plugins(install_type, fmt)
    elif cmd_action == "search":
        cli.search(source, catalog, fmt)
    elif cmd_action == "versions":
        cli.versions(source, catalog, fmt)
        if install_type in _INDEXES:
            notices().print(
                f"These are of the catalog; of an index: pip index versions {source or 'NAME'}", markup=False
            )
    elif cmd_action == "install":
        cli.install(source or "", install_type, catalog, assume_yes=assume_yes, convert=not no_convert)
    else:
        cli.uninstall(source or "", catalog, assume_yes=assume_yes)


def _refresh(console: Console, catalog: "PluginCatalog") -> None:
    console.log("Update catalog")
    with console.status("Updating catalog ...", spinner="dots"):
        failed = catalog.update_catalog_with_pyproject()
    if failed:
        console.log(":x: Catalog update failed.")


def _check(what: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        hint = nearest(value, known).capitalize() or f"Must be one of: {', '.join(known)}"
        _refuse(f"Unknown {what} '{escape(value)}'. {hint}")


def _refuse(message: str) -> None:
    cli.console.print(f":x: {message}")
    raise typer.Exit(cli.EXIT_INVALID_ARGS)
