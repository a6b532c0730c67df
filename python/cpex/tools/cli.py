"""Entry point of the console script `cpex`, and the Typer application for programs that mount it.

Importing this module needs neither Typer nor Rich: without the extra `cli`, `main` says what to install.
"""

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cpex.tools._commands import app as app

__all__ = ["app", "main"]

_EXTRA = frozenset({"typer", "rich"})


def __getattr__(name: str) -> Any:
    if name == "app":
        return import_module("cpex.tools._commands").app
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
