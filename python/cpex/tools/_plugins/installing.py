"""`cpex plugin install`: choose, install, record. What fails leaves everything as it was."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from rich.markup import escape

from cpex.framework._masking import without_url_credentials
from cpex.framework.models import PluginManifest
from cpex.tools import cli
from cpex.tools._problem import nearest
from cpex.tools.settings import get_catalog_settings, get_plugin_registry_path

from .config_file import check_plugins_config_yaml
from .folder import version_key
from .records import records_changed_together
from .sources import MONOREPO, TYPES
from .talk import ask, working
from .views import installation_type

if TYPE_CHECKING:
    from cpex.tools.catalog import PluginCatalog

logger = logging.getLogger("cpex.tools.cli")


def install(
    source: str,
    install_type: str | None,
    catalog: "PluginCatalog",
    assume_yes: bool = False,
    convert: bool = True,
) -> None:
    """Installs a plugin.

    Args:
        source: What `install_type` calls it: a part of its name, ``name@constraint``, ``Name @ git+URL[@ref]``, a
            folder.
        install_type: ``monorepo`` (the default), ``pypi``, ``test-pypi``, ``git`` or ``local``.
        catalog: The catalog.
        assume_yes: Take the first match without asking.
        convert: Whether a class path as kind becomes ``isolated_venv``; it always does for ``monorepo``.

    Raises:
        typer.Exit: 2 if there is no such type, 4 if the installation failed.
    """
    kind = install_type or MONOREPO
    check_type(kind)
    if cli._should_skip_reinstall(source, kind, catalog):
        return
    try:
        with records_changed_together(), catalog.transaction():
            check_plugins_config_yaml()
            if kind == MONOREPO:
                cli._install_from_monorepo(source, catalog, assume_yes=assume_yes, convert=convert)
            elif kind == "git":
                cli._install_from_git(source, catalog, convert=convert)
            elif kind == "local":
                cli._install_from_local(source, catalog, convert=convert)
            else:
                cli._install_from_pypi(source, catalog, use_test=kind == "test-pypi", convert=convert)
    except cli.typer.Exit:
        raise
    except Exception as error:
        logger.debug("Install error", exc_info=True)
        cli.console.print(f":x: Installation failed: {_shown(str(error))}", soft_wrap=True, highlight=False)
        raise cli.typer.Exit(cli.EXIT_OPERATION_FAILED) from error


def check_type(install_type: str) -> None:
    """Refuses what is no type of installation.

    Args:
        install_type: What the user wrote.

    Raises:
        typer.Exit: 2 if there is no such type.
    """
    if install_type in TYPES:
        return
    hint = nearest(install_type, TYPES).capitalize()
    known = f"{hint} Must be one of: {', '.join(TYPES)}".strip()
    cli.console.print(f":x: Unsupported installation type: {escape(install_type)}. {known}", soft_wrap=True)
    raise cli.typer.Exit(cli.EXIT_INVALID_ARGS)


def _shown(text: str) -> str:
    return str(escape(without_url_credentials(text)))


def _should_skip_reinstall(source: str, install_type: str | None, catalog: "PluginCatalog") -> bool:
    name = cli._plugin_name_from_source(source, install_type)
    if install_type in ("pypi", "test-pypi") and cli._parse_pypi_source(source)[1]:
        return False
    installed = cli.PluginRegistry().get(name)
    if installed is None:
        return False
    known = catalog.find(name)
    if known is None or known.version != installed.version:
        return False
    cli.console.print(f"Plugin {escape(name)} is already installed at version {escape(str(installed.version))}.")
    return True


def _install_from_pypi(source: str, catalog: "PluginCatalog", use_test: bool = False, convert: bool = True) -> None:
    name, constraint = cli._parse_pypi_source(source)
    verify = get_catalog_settings().VERIFY_PACKAGE_INTEGRITY
    cli.console.log(f"Package integrity verification: {'enabled' if verify else 'disabled'}")
    via = "test-pypi" if use_test else "pypi"
    with working(f"Installing plugin {_shown(source)} via {via}"):
        manifest, path = catalog.install_from_pypi(
            name, constraint, use_pytest=use_test, verify_integrity=verify, convert=convert
        )
        cli._finalize_installation(manifest, via, catalog, path)


def _install_from_git(source: str, catalog: "PluginCatalog", use_test: bool = False, convert: bool = True) -> None:
    verify = get_catalog_settings().VERIFY_PACKAGE_INTEGRITY
    if verify:
        cli.console.log("Package integrity verification: enabled (hash will be computed and logged)")
    else:
        cli.console.log("Package integrity verification: disabled")
    with working(f"Installing plugin {_shown(source)} via git"):
        manifest, path = catalog.install_from_git(source, verify_integrity=verify, convert=convert)
        cli._finalize_installation(manifest, "git", catalog, path)


def _install_from_local(source: str, catalog: "PluginCatalog", use_test: bool = False, convert: bool = True) -> None:
    with working(f"Installing plugin {_shown(source)} via local"):
        manifest, path = catalog.install_from_local(Path(source), convert=convert)
        cli._finalize_installation(manifest, "local", catalog, path)


def _install_from_monorepo(
    source: str,
    catalog: "PluginCatalog",
    use_test: bool = False,
    assume_yes: bool = False,
    convert: bool = True,
) -> None:
    available = catalog.search(source)
    if not available:
        cli.console.print("No matching plugins found.")
        return
    chosen = cli.select_plugin_from_catalog(available, assume_yes=assume_yes)
    if chosen is not None:
        cli.install_from_manifest(chosen, MONOREPO, catalog)


def select_plugin_from_catalog(
    available_plugins: list[PluginManifest], assume_yes: bool = False
) -> PluginManifest | None:
    """Asks which plugin is meant.

    Args:
        available_plugins: The candidates.
        assume_yes: Take the first, by name and version descending, without asking.

    Returns:
        The plugin, or None if there is none or the user chose none.

    Raises:
        NoTerminalError: If nobody can be asked.
    """
    candidates = sorted(available_plugins, key=lambda manifest: (manifest.name, version_key(manifest)), reverse=True)
    if not candidates:
        return None
    if assume_yes:
        first = candidates[0]
        cli.console.print(
            f"name:  {escape(first.name)} Version:  {escape(first.version)} type:  {installation_type(first)}"
        )
        return first
    choices = [
        (
            f"{number} name: {manifest.name} version: {manifest.version} "
            f"installation type: {installation_type(manifest)}",
            number,
        )
        for number, manifest in enumerate(candidates)
    ]
    question = cli.inquirer.List("plugins", message="Which plugin would you like to install?", choices=choices)
    listed = ", ".join(f"{manifest.name} {manifest.version}" for manifest in candidates)
    answers = ask(question, f"--yes takes the first of: {listed}")
    return candidates[answers["plugins"]] if answers else None


def install_from_manifest(manifest: PluginManifest, installation_type: str, catalog: "PluginCatalog") -> None:
    """Installs a plugin of the catalog from its repository.

    Args:
        manifest: The plugin.
        installation_type: How the registry records it.
        catalog: The catalog.

    Raises:
        RuntimeError: If a step fails; the message says which.
    """
    verify = get_catalog_settings().VERIFY_PACKAGE_INTEGRITY
    with working(f"Installing plugin {escape(manifest.name)} via {installation_type}"):
        path = catalog.install_folder_via_pip(manifest, verify_integrity=verify)
        cli._finalize_installation(manifest, installation_type, catalog, path)


def _finalize_installation(
    manifest: PluginManifest, install_type: str, catalog: "PluginCatalog", plugin_path: Path | None = None
) -> None:
    try:
        cli.PluginRegistry().update(
            manifest,
            install_type,
            catalog,
            cli.git_user_name(),
            plugin_path=plugin_path,
            editable=install_type == "local",
        )
    except (OSError, RuntimeError) as error:
        raise RuntimeError(f"Failed to record {manifest.name} in {get_plugin_registry_path()}: {error}") from error
    cli.update_plugins_config_yaml(manifest)
    cli.console.print(f":white_heavy_check_mark: {escape(manifest.name)} installation complete.")
