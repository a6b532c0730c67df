"""`cpex plugin`: the same commands, one after another, on both packages (L4–L7, B26, B27)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from .cli_side import CONFIG, CommandLine

Both = tuple[CommandLine, CommandLine]

SAME = [
    ("search", "x", "-t", "local"),
    ("uninstall", "x", "-y"),
    ("install", "../sources/none", "-t", "local"),
    ("install", "git+https://example.com/x", "-t", "git"),
    ("install", "../sources/odd", "-t", "local"),
    ("install", "../sources/mine", "-t", "local"),
    ("install", "../sources/mine", "-t", "local"),
    ("install", "../sources/path", "-t", "local", "--no-convert"),
    ("list", "-t", "local"),
    ("search", "MY-GUARD", "-t", "local", "-f", "json"),
    ("info", "guard.plugin"),
    ("uninstall", "my-guard", "-y"),
    ("list", "-t", "local", "-f", "json"),
]


def test_a_session(command_lines: Both) -> None:
    """Statuses, answers, entries, registry and catalog are the same after each command."""

    def play(side: CommandLine) -> list[tuple[tuple[str, ...], int, str, dict[str, Any]]]:
        return [(command, *side.plugin(*command), side.state()) for command in SAME]

    with ThreadPoolExecutor() as pool:
        ours, published = pool.map(play, command_lines)
    for mine, theirs in zip(ours, published, strict=True):
        assert mine == theirs


@pytest.mark.row("B27")
def test_the_file_is_kept(command_lines: Both) -> None:
    """After what was installed is removed, ours is the file it was; the published one is written anew."""
    texts = []
    for side in command_lines:
        (side.folder / "plugins/config.yaml").write_text(f"{CONFIG}plugin_dirs: [plugins]\n")
        for command in (("install", "../sources/mine", "-t", "local"), ("uninstall", "my-guard", "-y")):
            assert side.plugin(*command)[0] == 0
        texts.append((side.folder / "plugins/config.yaml").read_text())
    assert texts[0] == f"{CONFIG}plugin_dirs: [plugins]\n"
    assert "Written by hand" not in texts[1]


@pytest.mark.row("B26b")
@pytest.mark.parametrize("command", [("bogus",), ("list", "-f", "xml"), ("install",)])
def test_what_the_published_package_passes_over(command_lines: Both, command: tuple[str, ...]) -> None:
    """A wrong action, a wrong format, nothing to install."""
    ours, published = command_lines
    assert ours.plugin(*command)[0] == 2
    assert published.plugin(*command)[0] == 0
