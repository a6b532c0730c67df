"""The README's links lead somewhere. That its blocks run is for `tests/docs`."""

import re
from pathlib import Path

README = Path(__file__).parents[2] / "README.md"


def test_the_readme_has_a_quickstart() -> None:
    assert "## Quickstart\n\n```python\n" in README.read_text(encoding="utf-8")


def test_every_linked_file_exists() -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", README.read_text(encoding="utf-8"))
    assert [link for link in links if not (README.parent / link).exists()] == []
