"""What a worker has from the host, and what it has not."""

from __future__ import annotations

import importlib.metadata
import json
import subprocess
import sys
from pathlib import Path

import pytest

import cpex
from cpex.framework.isolated import _borrow
from cpex.framework.isolated._closure import ABI, Borrowed, ConflictError, borrowed_by
from cpex.framework.isolated._pip_setup import only_pip_has_an_index


def distribution(folder: Path, name: str, version: str, requires: tuple[str, ...] = ()) -> None:
    """Installs a distribution into an environment, as far as its metadata go."""
    site = folder / "lib/python3.11/site-packages"
    info = site / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    required = "".join(f"Requires-Dist: {each}\n" for each in requires)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{required}")


def test_an_empty_environment_borrows_all_that_this_package_needs(tmp_path: Path) -> None:
    borrowed = borrowed_by(tmp_path, ABI)
    assert borrowed.modules["cpex"] == str(Path(cpex.__file__).parents[1])
    assert {"httpx", "packaging", "pydantic", "pydantic_core", "pydantic_settings", "yaml"} <= borrowed.modules.keys()
    assert "pytest" not in borrowed.modules
    for name in ("pydantic", "pydantic-core", "pyyaml"):
        assert Path(borrowed.distributions[name], "METADATA").is_file()
    assert all(path.exists() for path in borrowed.paths)


def test_what_the_environment_has_is_not_borrowed(tmp_path: Path) -> None:
    version = importlib.metadata.version("pydantic")
    distribution(tmp_path, "pydantic", version)
    distribution(tmp_path, "cpex", "0.1.4")
    borrowed = borrowed_by(tmp_path, ABI)
    assert "pydantic" not in borrowed.modules
    assert borrowed.modules["cpex"] == str(Path(cpex.__file__).parents[1])


def test_a_version_that_does_not_do_is_a_conflict(tmp_path: Path) -> None:
    distribution(tmp_path, "packaging", "20.0")
    with pytest.raises(ConflictError, match=r"needs packaging>=24, and the plugin's requirements install packaging 20"):
        borrowed_by(tmp_path, ABI)


def test_another_kind_of_interpreter_borrows_nothing(tmp_path: Path) -> None:
    with pytest.raises(ConflictError, match=r"has to install cpex==|have to install cpex==.*they install no cpex"):
        borrowed_by(tmp_path, "cpython-399")
    distribution(tmp_path, "cpex", "0.1.4")
    with pytest.raises(ConflictError, match="they install cpex 0.1.4"):
        borrowed_by(tmp_path, "cpython-399")
    mine = tmp_path / "mine"
    distribution(mine, "cpex", _version())
    assert borrowed_by(mine, "cpython-399") == Borrowed({}, {})


def _version() -> str:
    from cpex import _core

    return _core.__version__


def test_only_what_is_listed_is_found(tmp_path: Path) -> None:
    """In a process of its own that sees nothing else; what is borrowed comes before what is there."""
    here, there = tmp_path / "here", tmp_path / "there"
    for folder, text in ((here, "here"), (there, "there")):
        (folder / "lent").mkdir(parents=True)
        (folder / "lent/__init__.py").write_text(f"where = '{text}'\n")
        (folder / "lent/inner.py").write_text(f"where = '{text}'\n")
        (folder / "kept.py").write_text(f"where = '{text}'\n")
        info = folder / "lent-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: lent\nVersion: 1.{len(text)}\n")
    (here / "program.py").write_text(
        "import importlib.metadata, json, sys\nimport lent, lent.inner, kept\n\ndef main():\n"
        "    version = importlib.metadata.version('lent')\n"
        "    print(json.dumps([lent.where, lent.inner.where, kept.where, version, sys.argv]))\n"
    )
    borrowed = Borrowed({"lent": str(there)}, {"lent": str(there / "lent-1.0.dist-info")})
    start = (
        f"import runpy, sys; sys.path.insert(0, {str(here)!r}); sys.argv = ['x', 'program', 'one'];"
        f"runpy.run_path({_borrow.__file__!r}, run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", start],
        env={_borrow.VARIABLE: borrowed.as_json(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == ["there", "there", "here", "1.5", ["program", "one"]]


def test_a_plugin_is_found_in_a_folder_that_cannot_be_listed(tmp_path: Path) -> None:
    for package in ("regular", "bare"):
        (tmp_path / package).mkdir()
    (tmp_path / "regular" / "__init__.py").touch()
    (tmp_path / "single.py").touch()
    finder = _borrow.PluginFinder(str(tmp_path))
    found = {name: finder.find_spec(name) for name in ("regular", "bare", "single", "other")}
    assert found["other"] is None
    assert [None if spec is None else spec.origin for spec in found.values()] == [
        str(tmp_path / "regular" / "__init__.py"),
        None,
        str(tmp_path / "single.py"),
        None,
    ]
    assert found["bare"] is not None
    assert found["bare"].submodule_search_locations == [str(tmp_path / "bare")]
    assert finder.find_spec("regular.single", [str(tmp_path / "regular")]) is None


def test_pip_alone_has_an_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package must not come from the public index where a private one was meant."""
    for name in (
        "PIP_INDEX_URL",
        "PIP_EXTRA_INDEX_URL",
        "PIP_NO_INDEX",
        "UV_INDEX_URL",
        "UV_DEFAULT_INDEX",
        "UV_INDEX",
    ):
        monkeypatch.delenv(name, raising=False)
    config = tmp_path / "pip.conf"
    config.write_text("[global]\ncert = /x\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(config))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert not only_pip_has_an_index()
    config.write_text("[global]\nindex-url = https://private/simple\n")
    assert only_pip_has_an_index()
    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://private/simple")
    assert not only_pip_has_an_index()
    monkeypatch.delenv("UV_DEFAULT_INDEX")
    config.write_text("")
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "https://private/simple")
    assert only_pip_has_an_index()
