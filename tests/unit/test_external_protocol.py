"""Frames of the Unix-socket transport (W30)."""

from __future__ import annotations

import asyncio

import pytest

from cpex.framework.external.unix.protocol import (
    LENGTH_FORMAT,
    LENGTH_SIZE,
    MAX_MESSAGE_SIZE,
    ProtocolError,
    read_message,
    write_message,
    write_message_async,
)


def reader_of(data: bytes, ends: bool = True) -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    reader.feed_data(data)
    if ends:
        reader.feed_eof()
    return reader


class Sink:
    """A writer that keeps what is written."""

    def __init__(self) -> None:
        self.data = b""
        self.drained = 0

    def write(self, data: bytes) -> None:
        self.data += data

    async def drain(self) -> None:
        self.drained += 1


def test_constants() -> None:
    assert (LENGTH_FORMAT, LENGTH_SIZE, MAX_MESSAGE_SIZE) == (">I", 4, 16_777_216)


@pytest.mark.parametrize("message", [b"", b"x", b"\0" * 70_000])
async def test_what_is_written_is_read(message: bytes) -> None:
    sink = Sink()
    write_message(sink, message)  # type: ignore[arg-type]
    await write_message_async(sink, message)  # type: ignore[arg-type]
    await write_message_async(sink, message, drain=False)  # type: ignore[arg-type]
    assert sink.drained == 1
    reader = reader_of(sink.data)
    assert [await read_message(reader) for _ in range(3)] == [message] * 3


@pytest.mark.parametrize("data", [b"", b"\0\0", b"\0\0\0\5half"])
async def test_a_frame_that_ends_early(data: bytes) -> None:
    with pytest.raises(ProtocolError, match="closed before the end"):
        await read_message(reader_of(data))


async def test_a_frame_that_is_too_large() -> None:
    with pytest.raises(ProtocolError, match="16777217 exceeds the limit of 16777216"):
        await read_message(reader_of(b"\1\0\0\1", ends=False))
    with pytest.raises(ProtocolError, match="16777217 exceeds the limit of 16777216"):
        write_message(Sink(), b"\0" * (MAX_MESSAGE_SIZE + 1))  # type: ignore[arg-type]


async def test_a_frame_that_does_not_come() -> None:
    with pytest.raises(TimeoutError):
        await read_message(reader_of(b"\0", ends=False), timeout=0.01)
