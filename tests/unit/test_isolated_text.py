"""What an isolated plugin says, on its way to the host: fit to be sent, and to be read in a terminal."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator

import pydantic_core
import pytest

from cpex.framework import PluginError, PluginErrorModel
from cpex.framework.isolated import _log
from cpex.framework.isolated._failure import plugin_error_of
from cpex.framework.isolated._hosted import _described

RECORD = 64 * 1024
"""Bytes of a record that the host takes, see `said.rs`."""


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The other end of the standard error of a worker."""
    reader, writer = os.pipe()
    monkeypatch.setattr(os, "dup", lambda _: writer)
    yield reader
    os.close(reader)
    os.close(writer)


def _logged(reader: int, text: str, name: str = "plugin") -> dict[str, str]:
    logger = logging.Logger(name)
    logger.addHandler(_log._HostHandler())
    try:
        raise ValueError(text)
    except ValueError:
        logger.exception("%s", text)
    record = os.read(reader, 2 * RECORD)
    assert record.startswith(b"\x1e") and record.endswith(b"}\n")
    assert len(record) <= RECORD
    # The host reads no halves of pairs.
    read: dict[str, str] = pydantic_core.from_json(record[1:])
    assert read == json.loads(record[1:])
    return read


@pytest.mark.parametrize("letter", ["a", '"', "\n", "\x1b", "\x85", "é", "\N{PILE OF POO}", "\udce9"])
def test_a_record_is_never_too_large_to_be_one(reader: int, letter: str) -> None:
    record = _logged(reader, f"{letter * 50_000}.", letter * 50_000)
    assert record["message"].endswith("…")
    assert record["traceback"].startswith("…")


def test_what_is_no_unicode_is_logged_all_the_same(reader: int) -> None:
    """As names of files may be."""
    record = _logged(reader, "no file caf\udce9")
    assert record["message"] == "no file caf\\udce9"
    assert record["traceback"].endswith("ValueError: no file caf\\udce9")


def test_what_is_no_unicode_is_an_error_all_the_same() -> None:
    """Otherwise there would be no answer to the call."""
    model = PluginErrorModel(message="no file caf\udce9", plugin_name="p", code="MISSING")
    raised = plugin_error_of(_described(PluginError(model), "p"))
    assert isinstance(raised, PluginError)
    error = raised.error
    assert (error.message, error.code) == ("no file caf\\udce9", "MISSING")


def test_a_terminal_is_not_told_anything_by_an_error() -> None:
    described = {"message": "\x1b[2Jgone\x9b\tnow", "plugin_name": "p", "traceback": "\x1b]0;\n  Line\u3000"}
    error = plugin_error_of(json.dumps(described).encode())
    assert isinstance(error, PluginError)
    assert error.error.message == "\ufffd[2Jgone\ufffd\tnow"
    assert error.__cause__ is not None
    assert error.__cause__.args == ("\ufffd]0;\n  Line\u3000",)
