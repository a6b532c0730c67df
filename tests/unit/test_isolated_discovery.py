"""A worker spares pydantic the search for its plugins, but only where it would find none."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from cpex.framework.isolated import _borrow, _discovery

BUILD = """
import sys
from cpex.framework.isolated import _discovery
sys.path[:0] = sys.argv[1:]
_discovery.spare()
from pydantic import BaseModel
class Model(BaseModel):
    field: int
if "importlib.metadata" not in sys.modules:
    print("spared")
"""
SEER = """
class Seer:
    def new_schema_validator(self, *_):
        print("seen")
        return None, None, None
seer = Seer()
"""


@pytest.fixture(autouse=True)
def worker(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """What a worker finds, as far as this test process can have it."""
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.delenv(_borrow.VARIABLE, raising=False)
    before = sys.modules.pop(_discovery.SEARCH, None)
    yield
    sys.modules.pop(_discovery.SEARCH, None)
    if before is not None:
        sys.modules[_discovery.SEARCH] = before


def _install(folder: Path, group: str = "pydantic") -> Path:
    """Installs a distribution with an entry point of this group."""
    metadata = folder / "seer-1.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Name: seer\nVersion: 1\n", encoding="utf-8")
    (metadata / "entry_points.txt").write_text(f"[{group}]\nseer = seer:seer\n", encoding="utf-8")
    (folder / "seer.py").write_text(SEER, encoding="utf-8")
    return metadata


def _searches() -> bool:
    _discovery.spare()
    return _discovery.SEARCH not in sys.modules


def test_it_looks_for_what_is_installed(tmp_path: Path) -> None:
    _install(tmp_path)
    assert _searches()


def test_it_looks_for_what_is_borrowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    metadata = _install(tmp_path / "host")
    monkeypatch.setenv(_borrow.VARIABLE, json.dumps({"distributions": {"seer": str(metadata)}}))
    assert _searches()


def test_it_looks_for_what_is_beside_the_plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _install(tmp_path / "plugins")
    monkeypatch.setenv(_borrow.VARIABLE, json.dumps({"plugin": str(tmp_path / "plugins")}))
    assert _searches()


def test_it_looks_into_what_cannot_be_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = tmp_path / "all.zip"
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.writestr("seer.py", SEER)
    monkeypatch.setattr(sys, "path", [str(archive)])
    assert _searches()


def test_it_does_not_look_where_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _install(tmp_path, "console_scripts")
    monkeypatch.setattr(sys, "path", [str(tmp_path), str(tmp_path / "missing")])
    assert not _searches()


def test_who_wants_more_of_it_has_the_real_one(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not _searches()
    # What it imports has to be found.
    monkeypatch.undo()
    assert sys.modules[_discovery.SEARCH].PYDANTIC_ENTRY_POINT_GROUP == "pydantic"
    assert sys.modules[_discovery.SEARCH].__file__


@pytest.mark.parametrize(("group", "seen"), [("pydantic", "seen"), ("console_scripts", "spared")])
def test_pydantic_finds_the_same(tmp_path: Path, group: str, seen: str) -> None:
    _install(tmp_path, group)
    done = subprocess.run(
        [sys.executable, "-c", BUILD, str(tmp_path)],
        env={"PYTHONPATH": str(Path(_discovery.__file__).parents[3])},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == [seen]
