"""Each row of `docs/compatibility.md` is shown by a test that runs both packages; none shows a row that is not there.

A test says which rows it shows with `@pytest.mark.row("B5")`; in a table, with `marks=row("B5")`.
"""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from .allowed import DIFFERENCES
from .test_surface import ALLOWED

HERE = Path(__file__).parent
LEDGER = (HERE.parents[1] / "docs" / "compatibility.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| ([A-Z]\d+[a-z]?)(?: †)? \|", LEDGER, re.MULTILINE)


def shown() -> Iterator[str]:
    """Yields the rows that the marks of all tests beside this one name."""
    for path in HERE.rglob("test_*.py"):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(call, ast.Call) and ast.unparse(call.func) in ("row", "pytest.mark.row"):
                yield from (ast.literal_eval(argument) for argument in call.args)


def test_every_line_of_a_table_is_a_row() -> None:
    lines = [line for line in LEDGER.splitlines() if line.startswith("| ") and not line.startswith("| row |")]
    assert len(ROWS) == len(lines) > 0
    assert [row for row, times in Counter(ROWS).items() if times > 1] == []


@pytest.mark.parametrize("row", ROWS)
def test_every_row_is_shown(row: str) -> None:
    assert row in set(shown())


def test_every_row_that_is_shown_or_allowed_is_in_the_ledger() -> None:
    allowed = {entry.row for entry in DIFFERENCES} | set(ALLOWED.values())
    assert {*shown(), *allowed} - set(ROWS) == set()
