"""What the programs that serve plugins have in common."""

import asyncio
import logging
import sys
from collections.abc import Coroutine
from typing import Any

__all__ = ["level_of", "log_to_stderr", "run_program"]


def level_of(name: str) -> int:
    """Read the name of a level of the log.

    Args:
        name: The name, such as `INFO`, in any case.

    Returns:
        Its number; INFO's if there is no such level.
    """
    return logging.getLevelNamesMapping().get(name.upper(), logging.INFO)


def log_to_stderr(level: int) -> None:
    """Log on standard error, unless the program logs somewhere already.

    Args:
        level: The least level that is shown.
    """
    logging.basicConfig(level=level, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s")


def run_program(server: Coroutine[Any, Any, None]) -> None:
    """Serve, and say on standard error why that is not possible.

    Args:
        server: Serves until it is told to stop.

    Raises:
        SystemExit: If it cannot listen, TLS cannot be set up, or a plugin is missing that must not be.
    """
    try:
        asyncio.run(server)
    except (OSError, RuntimeError, ValueError) as error:
        sys.exit(f"cpex: cannot serve: {error}")
