"""mypy (strict) and pyright (strict) understand plugins, hosts, custom hooks and messages, and find wrong calls.

The files in `cases` are what users write. A comment behind `reveal_type` says which type both checkers must see; a
comment that silences an error in `mistakes.py` fails when there is no such error.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
CASES = sorted((HERE / "cases").glob("*.py"))
_EXPECTED = re.compile(r"^ *reveal_type\(.*\)  # (.+)$")
_REVEALED_BY_MYPY = re.compile(r'^(.+):(\d+): note: Revealed type is "(.+)"$')
_REVEALED_BY_PYRIGHT = re.compile(r'is "(.+)"$', re.DOTALL)

Revealed = dict[tuple[str, int], str]


def spelled(revealed: str) -> str:
    """Writes a type as both checkers could: no modules, no `def`, a coroutine by its abstract name."""
    short = re.sub(r"\b(?:\w+\.)+(?=\w)", "", revealed).removeprefix("def ")
    return short.replace("CoroutineType[", "Coroutine[")


def expected() -> Revealed:
    """The types that the cases say."""
    lines = (
        (case, number, line) for case in CASES for number, line in enumerate(case.read_text().splitlines(), start=1)
    )
    return {(case.name, number): found[1] for case, number, line in lines if (found := _EXPECTED.match(line))}


def run(*command: str) -> tuple[int, str]:
    """Runs a checker, for which only the installed package is there to be found."""
    environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "MYPYPATH")}
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=HERE, env=environment, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    yield tmp_path_factory.mktemp("mypy")


def test_every_revealed_type_is_said() -> None:
    said = sum("reveal_type(" in line for case in CASES for line in case.read_text().splitlines())
    assert said == len(expected()) > 40


def test_mypy(cache: Path) -> None:
    status, output = run("mypy", "--config-file=mypy.ini", f"--cache-dir={cache}")
    found = (_REVEALED_BY_MYPY.match(line) for line in output.splitlines())
    revealed = {(Path(match[1]).name, int(match[2])): spelled(match[3]) for match in found if match}
    assert (status, [line for line in output.splitlines() if ": error:" in line]) == (0, [])
    assert revealed == expected()


def test_pyright() -> None:
    status, output = run("pyright", "--project=.", f"--pythonpath={sys.executable}", "--outputjson")
    report = json.loads(output[output.index("{") :])["generalDiagnostics"]
    errors = [
        f"{Path(one['file']).name}:{one['range']['start']['line'] + 1}: {one['message']}"
        for one in report
        if one["severity"] != "information"
    ]
    revealed = {
        (Path(one["file"]).name, one["range"]["start"]["line"] + 1): spelled(match[1])
        for one in report
        if one["severity"] == "information" and (match := _REVEALED_BY_PYRIGHT.search(one["message"]))
    }
    assert (status, errors) == (0, [])
    assert revealed == expected()
