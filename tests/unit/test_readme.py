"""The README's Python blocks run, and print what it says they print."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).parents[2] / "README.md"
BLOCK = re.compile(r"^```python\n(?P<source>.*?)^```\n(?:\n```\n(?P<output>.*?)^```\n)?", re.MULTILINE | re.DOTALL)
BLOCKS = [(match["source"], match["output"]) for match in BLOCK.finditer(README.read_text(encoding="utf-8"))]


def test_the_readme_has_a_quickstart() -> None:
    assert BLOCKS


@pytest.mark.parametrize(("source", "output"), BLOCKS)
def test_python_block_runs_as_a_script(source: str, output: str | None, tmp_path: Path) -> None:
    script = tmp_path / "block.py"
    script.write_text(source, encoding="utf-8")
    run = subprocess.run([sys.executable, script], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr
    assert output is None or run.stdout == output


def test_every_linked_file_exists() -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", README.read_text(encoding="utf-8"))
    assert [link for link in links if not (README.parent / link).exists()] == []
