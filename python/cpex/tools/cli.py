"""Entry point of the console script `cpex`, and the Typer application for programs that mount it.

Importing this module needs neither Typer nor Rich: without the extra `cli`, `main` says what to install. Every other
public name of the command line resolves here at its first use. The commands look up here, at each call, whatever
a program or a test may want to replace: `monkeypatch.setattr("cpex.tools.cli.subprocess", …)` works.
"""

import logging
import shutil as shutil
import subprocess as subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, List  # noqa: UP035 - a published name

from cpex.framework.settings import settings as settings

if TYPE_CHECKING:
    import inquirer as inquirer  # type: ignore[import-not-found, import-untyped, unused-ignore]
    import typer as typer

    from cpex.framework import ConfigLoader as ConfigLoader
    from cpex.framework.loader.config import ConfigSaver as ConfigSaver
    from cpex.tools._bootstrap import DEFAULT_AUTHOR_EMAIL as DEFAULT_AUTHOR_EMAIL
    from cpex.tools._bootstrap import DEFAULT_AUTHOR_NAME as DEFAULT_AUTHOR_NAME
    from cpex.tools._bootstrap import DEFAULT_PROJECT_DIR as DEFAULT_PROJECT_DIR
    from cpex.tools._bootstrap import DEFAULT_TEMPLATE_URL as DEFAULT_TEMPLATE_URL
    from cpex.tools._bootstrap import DEFAULT_VCS_REF as DEFAULT_VCS_REF
    from cpex.tools._bootstrap import LOCAL_TEMPLATES_DIR as LOCAL_TEMPLATES_DIR
    from cpex.tools._bootstrap import bootstrap as bootstrap
    from cpex.tools._bootstrap import command_exists as command_exists
    from cpex.tools._bootstrap import console as console
    from cpex.tools._bootstrap import git_user_email as git_user_email
    from cpex.tools._bootstrap import git_user_name as git_user_name
    from cpex.tools._commands import app as app
    from cpex.tools._commands import callback as callback
    from cpex.tools._commands import markup_mode as markup_mode
    from cpex.tools._plugins.command import plugin as plugin
    from cpex.tools._plugins.config_file import instance_name_is_unique as instance_name_is_unique
    from cpex.tools._plugins.config_file import remove_from_plugins_config_yaml as remove_from_plugins_config_yaml
    from cpex.tools._plugins.config_file import update_plugins_config_yaml as update_plugins_config_yaml
    from cpex.tools._plugins.installing import _finalize_installation as _finalize_installation
    from cpex.tools._plugins.installing import _install_from_git as _install_from_git
    from cpex.tools._plugins.installing import _install_from_local as _install_from_local
    from cpex.tools._plugins.installing import _install_from_monorepo as _install_from_monorepo
    from cpex.tools._plugins.installing import _install_from_pypi as _install_from_pypi
    from cpex.tools._plugins.installing import _should_skip_reinstall as _should_skip_reinstall
    from cpex.tools._plugins.installing import install as install
    from cpex.tools._plugins.installing import install_from_manifest as install_from_manifest
    from cpex.tools._plugins.installing import select_plugin_from_catalog as select_plugin_from_catalog
    from cpex.tools._plugins.sources import _parse_pypi_source as _parse_pypi_source
    from cpex.tools._plugins.sources import _plugin_name_from_source as _plugin_name_from_source
    from cpex.tools._plugins.uninstalling import uninstall as uninstall
    from cpex.tools._plugins.views import info as info
    from cpex.tools._plugins.views import list_registered_plugins as list_registered_plugins
    from cpex.tools._plugins.views import search as search
    from cpex.tools._plugins.views import versions as versions
    from cpex.tools.catalog import PluginCatalog as PluginCatalog
    from cpex.tools.plugin_registry import PluginRegistry as PluginRegistry

__all__ = [
    "List",
    "app",
    "bootstrap",
    "callback",
    "command_exists",
    "git_user_email",
    "git_user_name",
    "info",
    "install",
    "install_from_manifest",
    "instance_name_is_unique",
    "list_registered_plugins",
    "main",
    "plugin",
    "remove_from_plugins_config_yaml",
    "search",
    "select_plugin_from_catalog",
    "uninstall",
    "update_plugins_config_yaml",
    "versions",
]

EXIT_SUCCESS = 0
EXIT_GENERAL_ERROR = 1
EXIT_INVALID_ARGS = 2
EXIT_NOT_FOUND = 3
EXIT_OPERATION_FAILED = 4

DEFAULT_BUILD_CONTEXT = "."
DEFAULT_CONTAINERFILE_PATH = Path("docker/Dockerfile")
DEFAULT_IMAGE_BUILDER = "docker"
DEFAULT_IMAGE_TAG = "contextforge-plugin:latest"
DEFAULT_INSTALLER = "uv pip install"
DEFAULT_INSTALL_MANIFEST = Path("plugins/install.yaml")

logger = logging.getLogger(__name__)

_EXTRA = frozenset({"cookiecutter", "inquirer", "rich", "typer"})
_MODULES = frozenset({"inquirer", "typer"})
_NAMES = {
    "cpex.framework": ("ConfigLoader",),
    "cpex.framework.loader.config": ("ConfigSaver",),
    "cpex.framework.models": ("Config", "PluginManifest", "PluginMode"),
    "cpex.tools._bootstrap": (
        "DEFAULT_AUTHOR_EMAIL",
        "DEFAULT_AUTHOR_NAME",
        "DEFAULT_PROJECT_DIR",
        "DEFAULT_TEMPLATE_URL",
        "DEFAULT_VCS_REF",
        "LOCAL_TEMPLATES_DIR",
        "bootstrap",
        "command_exists",
        "console",
        "git_user_email",
        "git_user_name",
    ),
    "cpex.tools._commands": ("app", "callback", "markup_mode"),
    "cpex.tools._plugins.command": ("plugin",),
    "cpex.tools._plugins.config_file": (
        "instance_name_is_unique",
        "remove_from_plugins_config_yaml",
        "update_plugins_config_yaml",
    ),
    "cpex.tools._plugins.installing": (
        "_finalize_installation",
        "_install_from_git",
        "_install_from_local",
        "_install_from_monorepo",
        "_install_from_pypi",
        "_should_skip_reinstall",
        "install",
        "install_from_manifest",
        "select_plugin_from_catalog",
    ),
    "cpex.tools._plugins.sources": ("_parse_pypi_source", "_plugin_name_from_source"),
    "cpex.tools._plugins.uninstalling": ("uninstall",),
    "cpex.tools._plugins.views": ("info", "list_registered_plugins", "search", "versions"),
    "cpex.tools.catalog": ("PluginCatalog",),
    "cpex.tools.plugin_registry": ("PluginRegistry",),
    "cpex.tools.settings": ("get_catalog_settings",),
}
_HOMES = {name: module for module, names in _NAMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(name)
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def main() -> None:
    """Runs the command line.

    Raises:
        SystemExit: Always; 1 if the extra `cli` is not installed.
    """
    try:
        commands = import_module("cpex.tools._commands")
    except ModuleNotFoundError as error:
        if error.name not in _EXTRA:
            raise
        sys.exit(f'cpex: the command line needs the package {error.name!r}; install it with: pip install "cpex[cli]"')
    commands.app(prog_name="cpex")


if __name__ == "__main__":
    main()
