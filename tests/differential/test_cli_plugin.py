"""`cpex plugin`: the same commands, one after another, on both packages (L4–L7, B26, B27)."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import venv
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.integration.plugin_package import sources

import cpex

from .conftest import ROOT

CPEX = "import sys; sys.tracebacklimit = 0; from cpex.tools.cli import main; sys.argv[0] = 'cpex'; main()"
CONFIG = """\
# Written by hand.
plugins:
  - name: other  # not ours
    kind: a.b.C
    hooks: [tool_pre_invoke]
    config: {key: value}
"""
FIELDS = ("name", "kind", "description", "author", "version", "hooks", "tags", "mode", "priority", "config", "on_error")

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


def _inherited() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if not key.startswith(("PIP_", "PLUGIN", "PYTHON"))}


class Side:
    """One of the two packages, with an environment of its own to install into."""

    def __init__(self, paths: list[str], folder: Path) -> None:
        """Makes the environment.

        Args:
            paths: Where the package and what it needs are imported from.
            folder: An empty folder.
        """
        venv.create(folder / "venv", with_pip=True)
        site = next((folder / "venv/lib").glob("python*/site-packages"))
        (site / "cpex.pth").write_text("\n".join(paths))
        self._python = folder / "venv/bin/python"
        self._environment = {
            **_inherited(),
            "COLUMNS": "200",
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_NO_BUILD_ISOLATION": "0",  # which means: without
        }
        self.folder = folder / "work"
        (self.folder / "plugins").mkdir(parents=True)
        (self.folder / "plugins/config.yaml").write_text(CONFIG)
        for name, project, kind in (
            ("mine", "my-guard", "native"),
            ("path", "path-guard", "path_guard.plugin.Guard"),
            ("odd", "odd-guard", "odd"),
        ):
            sources(folder / "sources" / name, project, kind=kind)

    def plugin(self, *arguments: str) -> tuple[int, str]:
        """Runs one command: its status, and what it says without times, places and widths."""
        done = subprocess.run(
            [self._python, "-c", CPEX, "plugin", *arguments],
            cwd=self.folder,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            check=False,
        )
        said = re.sub(r"^(\[\d\d:\d\d:\d\d\]| {11})|\s+cli\.py:\d+$", "", done.stdout, flags=re.MULTILINE)
        return done.returncode, self._neutral(" ".join(said.split()))

    def state(self) -> dict[str, Any]:
        """What is in the files."""
        config = yaml.safe_load((self.folder / "plugins/config.yaml").read_text())
        registry = self.folder / "data/installed-plugins.json"
        return {
            "entries": [self._entry(entry) for entry in config["plugins"]],
            "plugin_dirs": config.get("plugin_dirs"),
            "registry": json.loads(self._neutral(registry.read_text())) if registry.exists() else None,
            "catalog": {
                str(path.relative_to(self.folder)): self._neutral(path.read_text())
                for path in sorted((self.folder / "plugin-catalog").rglob("*.*"))
            },
        }

    def _entry(self, entry: dict[str, Any]) -> dict[str, Any]:
        defaults = {"mode": "sequential", "priority": 100, "on_error": "fail", "tags": [], "config": {}}
        return {field: entry.get(field, defaults.get(field)) for field in FIELDS}

    def _neutral(self, text: str) -> str:
        text = text.replace(str(self.folder.parent), "HERE")
        return re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+(\+00:00)?Z", "TIME", text)


def _packages(paths: list[str]) -> list[str]:
    return [path for path in paths if path.endswith("-packages") or Path(path, "cpex").is_dir()]


@pytest.fixture(scope="module")
def sides(tmp_path_factory: pytest.TempPathFactory) -> tuple[Side, Side]:
    """Ours, and the published package."""
    published = os.environ.get("CPEX_PUBLISHED_PYTHON", str(ROOT / ".venv-published" / "bin" / "python"))
    if not Path(published).is_file():
        pytest.fail(f"{published} does not exist: `make pytest` installs it, or set CPEX_PUBLISHED_PYTHON")
    listing = [published, "-c", "import sys; print(*sys.path[1:], sep='\\n')"]
    listed = subprocess.run(listing, check=True, capture_output=True, text=True, env=_inherited()).stdout
    here = [str(Path(cpex.__file__).parents[1]), *sys.path]
    with ThreadPoolExecutor() as pool:
        ours = pool.submit(Side, _packages(here), tmp_path_factory.mktemp("ours"))
        theirs = pool.submit(Side, _packages(listed.splitlines()), tmp_path_factory.mktemp("published"))
        return ours.result(), theirs.result()


def test_a_session(sides: tuple[Side, Side]) -> None:
    """Statuses, answers, entries, registry and catalog are the same after each command."""

    def play(side: Side) -> list[tuple[tuple[str, ...], int, str, dict[str, Any]]]:
        return [(command, *side.plugin(*command), side.state()) for command in SAME]

    with ThreadPoolExecutor() as pool:
        ours, published = pool.map(play, sides)
    for mine, theirs in zip(ours, published, strict=True):
        assert mine == theirs


def test_the_file_is_kept(sides: tuple[Side, Side]) -> None:
    """B27: after what was installed is removed, ours is the file it was; the published one is written anew."""
    texts = []
    for side in sides:
        (side.folder / "plugins/config.yaml").write_text(f"{CONFIG}plugin_dirs: [plugins]\n")
        for command in (("install", "../sources/mine", "-t", "local"), ("uninstall", "my-guard", "-y")):
            assert side.plugin(*command)[0] == 0
        texts.append((side.folder / "plugins/config.yaml").read_text())
    assert texts[0] == f"{CONFIG}plugin_dirs: [plugins]\n"
    assert "Written by hand" not in texts[1]


@pytest.mark.parametrize("command", [("bogus",), ("list", "-f", "xml"), ("install",)])
def test_what_the_published_package_passes_over(sides: tuple[Side, Side], command: tuple[str, ...]) -> None:
    """B26: a wrong action, a wrong format, nothing to install."""
    ours, published = sides
    assert ours.plugin(*command)[0] == 2
    assert published.plugin(*command)[0] == 0
