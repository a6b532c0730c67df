"""The `cpex` command of both packages, each with an environment of its own to install into."""

import json
import os
import re
import subprocess
import sys
import venv
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import yaml
from tests.integration.plugin_package import sources

import cpex

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


def _inherited() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if not key.startswith(("PIP_", "PLUGIN", "PYTHON"))}


class CommandLine:
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
        done = self.cpex("plugin", *arguments)
        said = re.sub(r"^(\[\d\d:\d\d:\d\d\]| {11})|\s+cli\.py:\d+$", "", done.stdout, flags=re.MULTILINE)
        return done.returncode, self._neutral(" ".join(said.split()))

    def cpex(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Runs one command, with these variables in its environment."""
        return self.python("-c", CPEX, *arguments, **variables)

    def python(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Runs the environment's interpreter."""
        return subprocess.run(
            [self._python, *arguments],
            cwd=self.folder,
            env=self._environment | variables,
            capture_output=True,
            text=True,
            check=False,
        )

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


def both(published_python: str, folder: Path) -> tuple[CommandLine, CommandLine]:
    """Makes the command line of ours, and that of the published package.

    Args:
        published_python: The interpreter of an environment with the published package.
        folder: An empty folder.
    """
    listing = [published_python, "-c", "import sys; print(*sys.path[1:], sep='\\n')"]
    listed = subprocess.run(listing, check=True, capture_output=True, text=True, env=_inherited()).stdout
    here = [str(Path(cpex.__file__).parents[1]), *sys.path]
    with ThreadPoolExecutor() as pool:
        ours = pool.submit(CommandLine, _packages(here), folder / "ours")
        theirs = pool.submit(CommandLine, _packages(listed.splitlines()), folder / "published")
        return ours.result(), theirs.result()
