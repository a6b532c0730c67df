"""The frames of the Unix-socket transport: four bytes of length, big-endian, then the message."""

from __future__ import annotations

import asyncio
import struct
from typing import Final

__all__ = [
    "LENGTH_FORMAT",
    "LENGTH_SIZE",
    "MAX_MESSAGE_SIZE",
    "ProtocolError",
    "read_message",
    "write_message",
    "write_message_async",
]

LENGTH_FORMAT: Final = ">I"
LENGTH_SIZE: Final = 4
MAX_MESSAGE_SIZE: Final = 16 * 1024 * 1024
"""Bytes of the largest message, either way."""


class ProtocolError(Exception):
    """What was read is no message, or what is to be written is too large for one."""


async def read_message(reader: asyncio.StreamReader, timeout: float | None = None) -> bytes:
    """Read one message.

    Args:
        reader: Where from.
        timeout: Seconds for all of it; None is no limit.

    Returns:
        The message.

    Raises:
        ProtocolError: If its length is more than `MAX_MESSAGE_SIZE`, or it ends before that.
        TimeoutError: If it takes too long.
    """
    async with asyncio.timeout(timeout):
        try:
            (length,) = struct.unpack(LENGTH_FORMAT, await reader.readexactly(LENGTH_SIZE))
            if length > MAX_MESSAGE_SIZE:
                raise ProtocolError(f"Message size {length} exceeds the limit of {MAX_MESSAGE_SIZE} bytes")
            return await reader.readexactly(length)
        except asyncio.IncompleteReadError as error:
            raise ProtocolError("Connection closed before the end of a message") from error


def write_message(writer: asyncio.StreamWriter, data: bytes) -> None:
    """Write one message, without waiting until it is gone.

    Args:
        writer: Where to.
        data: The message.

    Raises:
        ProtocolError: If it is larger than `MAX_MESSAGE_SIZE`.
    """
    if len(data) > MAX_MESSAGE_SIZE:
        raise ProtocolError(f"Message size {len(data)} exceeds the limit of {MAX_MESSAGE_SIZE} bytes")
    writer.write(struct.pack(LENGTH_FORMAT, len(data)) + data)


async def write_message_async(writer: asyncio.StreamWriter, data: bytes, drain: bool = True) -> None:
    """Write one message.

    Args:
        writer: Where to.
        data: The message.
        drain: Whether to wait until there is room for more.

    Raises:
        ProtocolError: If it is larger than `MAX_MESSAGE_SIZE`.
    """
    write_message(writer, data)
    if drain:
        await writer.drain()
