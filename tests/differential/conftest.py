"""The two packages under comparison, each alive for the whole session."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from .side import Side

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def ours() -> Iterator[Side]:
    """A runner with the CPEX of this environment."""
    side = Side(sys.executable)
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
