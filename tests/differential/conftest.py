"""The two packages under comparison, each alive for the whole session."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from . import cli_side
from .side import Side

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def ours() -> Iterator[Side]:
    """A runner with the CPEX of this environment."""
    side = Side(sys.executable)
    yield side
    side.close()


@pytest.fixture(scope="session")
def compatible() -> Iterator[Side]:
    """A runner with the CPEX of this environment, switched back to what `cpex==0.1.4` does."""
    side = Side(sys.executable, PLUGINS_COMPAT="0.1.4")
    yield side
    side.close()


@pytest.fixture(scope="session")
def published_python() -> str:
    """The interpreter of an environment with `cpex==0.1.4`."""
    python = Path(os.environ.get("CPEX_PUBLISHED_PYTHON", ROOT / ".venv-published" / "bin" / "python"))
    if not python.is_file():
        pytest.fail(
            f"{python} does not exist: `make pytest` installs the published package, or set CPEX_PUBLISHED_PYTHON"
        )
    return str(python)


@pytest.fixture(scope="session")
def published(published_python: str) -> Iterator[Side]:
    """A runner with `cpex==0.1.4`."""
    side = Side(published_python)
    yield side
    side.close()


@pytest.fixture(scope="module")
def command_lines(
    published_python: str, tmp_path_factory: pytest.TempPathFactory
) -> tuple[cli_side.CommandLine, cli_side.CommandLine]:
    """The `cpex` command of ours, and that of the published package."""
    return cli_side.both(published_python, tmp_path_factory.mktemp("command-lines"))
