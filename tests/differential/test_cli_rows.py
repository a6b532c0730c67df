"""What the `cpex` command does otherwise on purpose (B26, B27, C21–C27); `test_cli_plugin.py` has what is the same."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.integration.package_index import PackageIndex
from tests.integration.plugin_package import wheel

from cpex.framework import get_hook_registry

from .cli_side import CONFIG, CPEX, CommandLine

row = pytest.mark.row
Both = tuple[CommandLine, CommandLine]
WITHOUT_TYPER = f"import sys; sys.modules['typer'] = None; {CPEX.removeprefix('import sys; ')}"
ANNOTATIONS = """
import inspect
from cpex.tools.catalog import PluginCatalog
print(inspect.signature(PluginCatalog.find_and_save_plugin_manifest).parameters["repo_url"].annotation.__module__)
"""


def write_config(side: CommandLine, text: str) -> Path:
    """Puts a text into the configuration file."""
    path = side.folder / "plugins/config.yaml"
    path.write_text(text)
    return path


def read_json(text: str) -> Any:
    """Returns what a text is as JSON, or None if it is none."""
    try:
        return json.loads(text)
    except ValueError:
        return None


def installed(side: CommandLine, project: str) -> bool:
    """Says whether a project is installed in the environment."""
    return side.python("-m", "pip", "show", "--quiet", project).returncode == 0


@row("B26a")
def test_hooks_of_a_new_project(command_lines: Both) -> None:
    """A manifest of ours names hooks that exist."""
    known = set(get_hook_registry().get_registered_hooks())
    named = []
    for side in command_lines:
        assert side.cpex("bootstrap", "-d", "new_filter", "-t", "native", "--no_input").returncode == 0
        (manifest,) = (side.folder / "new_filter").rglob("plugin-manifest.yaml")
        named.append(set(yaml.safe_load(manifest.read_text())["available_hooks"]))
    ours, published = named
    assert ours <= known
    assert published.isdisjoint(known)


@row("B26b")
def test_a_package_of_the_command_line_is_missing(command_lines: Both) -> None:
    """Ours says what to install."""
    ours, published = (side.python("-c", WITHOUT_TYPER, "plugin", "list") for side in command_lines)
    assert 'pip install "cpex[cli]"' in ours.stderr
    assert "ModuleNotFoundError" in published.stderr


@row("C21")
def test_a_project_that_cannot_be_imported(command_lines: Both) -> None:
    done = [side.cpex("bootstrap", "-d", "1bad", "-t", "native", "--no_input").returncode for side in command_lines]
    made = [(side.folder / "1bad").exists() for side in command_lines]
    assert (done, made) == ([4, 0], [False, True])


@row("C22")
def test_an_installation_that_fails(command_lines: Both) -> None:
    """The entry cannot be added to a file that is no YAML: nothing is installed, or the package stays."""
    left = []
    for side in command_lines:
        write_config(side, "plugins: [\n")
        assert side.cpex("plugin", "install", "../sources/mine", "-t", "local").returncode != 0
        left.append(installed(side, "my-guard"))
        side.python("-m", "pip", "uninstall", "--yes", "--quiet", "my-guard")
    assert left == [False, True]


@row("C23")
def test_uninstalling_beside_a_neighbour(command_lines: Both) -> None:
    """An entry of the same kind whose name only begins with the plugin's."""
    kept = []
    for side in command_lines:
        write_config(side, CONFIG)
        assert side.cpex("plugin", "install", "../sources/mine", "-t", "local").returncode == 0
        entries = yaml.safe_load((side.folder / "plugins/config.yaml").read_text())["plugins"]
        beside = json.loads(json.dumps({**entries[-1], "name": "my-guard-beside"}))
        path = write_config(side, yaml.safe_dump({"plugins": [*entries, beside]}))
        assert side.cpex("plugin", "uninstall", "my-guard", "-y").returncode == 0
        kept.append([entry["name"] for entry in yaml.safe_load(path.read_text())["plugins"]])
    assert kept == [["other", "my-guard-beside"], ["other"]]


@row("C24")
def test_a_package_of_an_index(command_lines: Both, tmp_path: Path) -> None:
    """The file that was checked is installed; the published package asks the index for another."""
    wheel(tmp_path, "index-guard")
    downloads = []
    with PackageIndex(tmp_path) as index:
        for side in command_lines:
            write_config(side, CONFIG)
            index.requests.clear()
            done = side.cpex("plugin", "install", "index-guard", "-t", "pypi", PIP_INDEX_URL=index.url)
            assert done.returncode == 0, done.stderr
            assert installed(side, "index-guard")
            downloads.append(sum(path.startswith("/files/") for path in index.requests))
    assert downloads == [1, 2]


@row("C25")
def test_json_on_standard_output(command_lines: Both) -> None:
    """A search refreshes the catalog, which fails without a token and says so."""
    done = [side.cpex("plugin", "search", "nothing-like-it", "-f", "json") for side in command_lines]
    assert [read_json(each.stdout) for each in done] == [{"results": []}, None]


@row("C26")
def test_times_in_the_registry(command_lines: Both) -> None:
    endings = []
    for side in command_lines:
        write_config(side, CONFIG)
        assert side.cpex("plugin", "install", "../sources/mine", "-t", "local").returncode == 0
        recorded = json.loads((side.folder / "data/installed-plugins.json").read_text())["plugins"][-1]
        endings.append(recorded["installed_at"][-7:].lstrip("0123456789.:"))
        assert side.cpex("plugin", "uninstall", "my-guard", "-y").returncode == 0
    assert endings == ["Z", "+00:00Z"]


@row("C27")
def test_types_of_the_catalog(command_lines: Both) -> None:
    assert [side.python("-c", ANNOTATIONS).stdout.strip() for side in command_lines] == ["httpx", "httpx2"]
