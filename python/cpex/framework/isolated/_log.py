"""How what a worker logs comes to the host: records, on the standard error, between whatever is printed there.

Each is a JSON text of RFC 7464 (`RS`, an object, the end of the line): the host finds it, whatever stands around it.
"""

from __future__ import annotations

import json
import logging
import os
import select
from traceback import format_exception
from types import TracebackType
from typing import Final

from ._text import shown

__all__ = ["LOGGER", "formatted", "log_to_host"]

LOGGER: Final = "cpex.framework.isolated"
"""Logger of the host that has the records; what its level lets through is sent."""

_NAME: Final = 512
_MESSAGE: Final = 4 * 1024
_TRACEBACK: Final = 16 * 1024
"""Bytes of a name, a message and a traceback; of a longer one the end is left out, or the beginning. JSON takes no more
than two for each, so that the host takes what is sent for a record (64 KiB)."""

_ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]


def log_to_host(level: int) -> None:
    """Send what is logged in this process to the host.

    Args:
        level: What is not below it is sent.
    """
    logging.basicConfig(level=level, handlers=[_HostHandler()])
    # The host tells of plugins that are loaded, and so on, itself.
    logging.getLogger("cpex").setLevel(max(level, logging.WARNING))


def formatted(error: BaseException, traceback: TracebackType | None) -> str | None:
    """Put a traceback into words, with what the exception came of.

    Args:
        error: The exception.
        traceback: Its traceback, or the part of it that is of interest.

    Returns:
        The text, its last 16 KiB; None if there is none, or the exception cannot be put into words.
    """
    if traceback is None:
        return None
    return _formatted((type(error), error, traceback))


def _formatted(exc_info: _ExcInfo) -> str | None:
    try:
        text = "".join(format_exception(*exc_info)).rstrip("\n")
    except Exception:
        # An exception of the plugin's own, which may do anything when it is looked at.
        return None
    return _end(text)


def _start(text: str, most: int) -> str:
    encoded = shown(text).encode()
    return encoded.decode() if len(encoded) <= most else f"{encoded[:most].decode(errors='ignore')}…"


def _end(text: str) -> str:
    encoded = shown(text).encode()
    return encoded.decode() if len(encoded) <= _TRACEBACK else f"…{encoded[-_TRACEBACK:].decode(errors='ignore')}"


class _HostHandler(logging.Handler):
    """Writes records, and never waits: if the host does not read, they are lost, and counted."""

    def __init__(self) -> None:
        super().__init__()
        # The plugin may do with the stream itself what it likes.
        self._fd = os.dup(2)
        self._poll = select.poll()
        self._poll.register(self._fd, select.POLLOUT)
        self._lost = 0

    def emit(self, record: logging.LogRecord) -> None:
        try:
            if self._lost and self._write(logging.WARNING, LOGGER, f"{self._lost} records are lost", None):
                self._lost = 0
            exc_info = record.exc_info
            traceback = record.exc_text and _end(record.exc_text)
            if exc_info and exc_info[1] is not None:
                traceback = _formatted(exc_info)
            message = record.getMessage()
            if record.stack_info:
                message = f"{message}\n{record.stack_info}"
            if not self._write(record.levelno, record.name, message, traceback):
                self._lost += 1
        except Exception:
            self.handleError(record)

    def _write(self, level: int, name: str, message: str, traceback: str | None) -> bool:
        record = {
            "level": level,
            "logger": _start(name, _NAME),
            "message": _start(message, _MESSAGE),
            "traceback": traceback,
        }
        left = memoryview(f"\x1e{json.dumps(record, ensure_ascii=False)}\n".encode())
        while left:
            # So much can be written without waiting, if anything can.
            if not self._poll.poll(0):
                return False
            left = left[os.write(self._fd, left[: select.PIPE_BUF]) :]
        return True
