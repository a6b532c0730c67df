"""External plugins over a Unix socket."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cpex.framework._lazy import names_from

if TYPE_CHECKING:
    from cpex.framework.external.unix.client import UnixSocketExternalPlugin
else:
    __getattr__ = names_from(__name__, {"cpex.framework.external.unix.client": ("UnixSocketExternalPlugin",)})

__all__ = ["UnixSocketExternalPlugin"]
