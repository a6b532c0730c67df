"""Every code block of the documentation runs, page by page, in the order in which a reader meets them.

A page has a folder of its own. What a block is for is said by its fence:

* `yaml title="plugins.yaml"`, `python title="guards.py"`, …: a file of that name is written.
* `python`: runs as a script.
* `sh`: runs with bash.
* `text` after one of these: is what it prints, line by line; a line `...` stands for any lines.
* `yaml` and `json` without a title: a whole plugin config, or a JSON document, that is valid. In a config of built-in
  plugins `cpex check --strict` finds nothing wrong.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from cpex.framework.loader.config import ConfigLoader

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
FENCE = re.compile(
    r"^(?P<indent> *)(?P<fence>`{3,})(?P<language>[\w-]*)(?: title=\"(?P<title>[^\"]+)\")?[^\n]*\n"
    r"(?P<text>.*?)^(?P=indent)(?P=fence) *$",
    re.MULTILINE | re.DOTALL,
)
SHOWN = frozenset({"", "mermaid", "text", "rust"})
"""Languages of blocks that are not run here: `text` is compared where it follows something that prints, `rust` runs in
the doctests of the crate `cpex`."""
ELSEWHERE = {
    "cargo ": "CI runs the tests and examples themselves",
    "make ": "CI runs the targets themselves",
    "pip install": "the environment of these tests is what it makes",
}
"""Commands that are not run a second time here, by how they begin, with the reason."""


@dataclass(frozen=True)
class Block:
    language: str
    title: str | None
    text: str
    line: int


def blocks(page: Path) -> list[Block]:
    source = page.read_text(encoding="utf-8")
    found = []
    for fence in FENCE.finditer(source):
        indent = fence["indent"]
        text = "".join(line.removeprefix(indent) for line in fence["text"].splitlines(keepends=True))
        found.append(Block(fence["language"], fence["title"], text, source.count("\n", 0, fence.start()) + 1))
    return found


def run(block: Block, folder: Path) -> str:
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")])),
        "COLUMNS": "100",
        "NO_COLOR": "1",
    }
    if block.language == "python":
        command = [sys.executable, "-c", block.text]
    else:
        command = ["bash", "-euo", "pipefail", "-c", block.text]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, f"line {block.line}:\n{block.text}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def matches(expected: str, printed: str) -> bool:
    lines = (".*" if line == "..." else re.escape(line) for line in expected.rstrip().splitlines())
    return re.fullmatch("\n".join(lines), printed.rstrip(), re.DOTALL) is not None


def check(block: Block, folder: Path) -> None:
    if block.language == "json":
        json.loads(block.text)
    elif block.language == "yaml":
        path = folder / f"line-{block.line}.yaml"
        path.write_text(block.text, encoding="utf-8")
        plugins = ConfigLoader.load_config(str(path)).plugins
        assert plugins, f"line {block.line}: no plugins"
        if all(plugin.kind.startswith("builtin.") for plugin in plugins):
            run(Block("sh", None, f"cpex check --strict {path.name}", block.line), folder)
    else:
        assert block.language in SHOWN, f"line {block.line}: nothing here runs {block.language!r}"


def runs_elsewhere(block: Block) -> bool:
    commands = [line for line in block.text.splitlines() if line and not line.startswith("#")]
    return all(line.startswith(tuple(ELSEWHERE)) for line in commands)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_block_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLUGINS_STRICT_CONFIG", "true")
    printed: str | None = None
    for block in blocks(page):
        if block.language == "text" and printed is not None:
            assert matches(block.text, printed), f"line {block.line}: expected\n{block.text}\nprinted\n{printed}"
            printed = None
        elif block.title is not None:
            path = tmp_path / block.title
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, encoding="utf-8")
        elif block.language == "python" or (block.language == "sh" and not runs_elsewhere(block)):
            printed = run(block, tmp_path)
        elif block.language != "sh":
            check(block, tmp_path)
