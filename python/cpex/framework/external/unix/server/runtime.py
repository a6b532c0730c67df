"""The Unix socket plugin server as a program: `python -m cpex.framework.external.unix.server.runtime`."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from cpex.framework._lazy import names_from
from cpex.framework.external._server.program import level_of, log_to_stderr, run_program
from cpex.framework.external._server.service import Service
from cpex.framework.external.mcp.server.server import ExternalPluginServer
from cpex.framework.settings import settings

__all__ = ["log_level", "log_level_str", "main", "run", "settings"]

if not TYPE_CHECKING:
    __getattr__ = names_from(
        __name__,
        {
            "cpex.framework.external.unix.server.server": ("run_server",),
            "cpex.framework.settings": ("get_settings",),
        },
    )

logger = logging.getLogger(__name__)

log_level_str: str = settings.log_level
log_level: int = level_of(log_level_str)


async def run() -> None:
    """Serve until SIGINT or SIGTERM. Prints `READY` on standard output once calls are taken.

    Raises:
        OSError: If it cannot listen there.
        RuntimeError: If a plugin cannot be loaded that must not be missing.
    """
    server = ExternalPluginServer()
    service = Service(server, [server._place("unix")])
    await service.run_until_signal(lambda _: print("READY", flush=True))


def main() -> None:
    """Serve."""
    log_to_stderr(log_level)
    run_program(run())


if __name__ == "__main__":
    main()
