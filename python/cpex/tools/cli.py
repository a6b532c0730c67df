"""Entry point of the console script `cpex`, and the Typer application for programs that mount it.

Importing this module needs neither Typer nor Rich: without the extra `cli`, `main` says what to install.
"""

import shutil as shutil
import subprocess as subprocess
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cpex.tools._bootstrap import bootstrap as bootstrap
    from cpex.tools._commands import app as app

__all__ = ["app", "bootstrap", "main"]

EXIT_SUCCESS = 0
EXIT_GENERAL_ERROR = 1
EXIT_INVALID_ARGS = 2
EXIT_NOT_FOUND = 3
EXIT_OPERATION_FAILED = 4

_EXTRA = frozenset({"typer", "rich"})
_HOMES = {
    "app": "_commands",
    **dict.fromkeys(
        (
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
        "_bootstrap",
    ),
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"cpex.tools.{_HOMES[name]}"), name)
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
