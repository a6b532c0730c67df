"""Where an isolated plugin lives (Z1, Z4, B3)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cpex.framework import ConfigLoader, PluginConfig
from cpex.framework.isolated._environment import _interpreter
from cpex.framework.isolated._place import Place, place_of
from cpex.framework.loader.config import file_of

CLASS = "guard.plugin.Guard"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "project"
    (folder / "plugins" / "guard").mkdir(parents=True)
    monkeypatch.chdir(folder)
    return folder


def place(plugin_dirs: tuple[str, ...] = (), **config: Any) -> Place:
    entry = PluginConfig(name="p", kind="isolated_venv", version="1.0", config={"class_name": CLASS, **config})
    return place_of(entry, plugin_dirs)


@pytest.mark.parametrize("script_path", ["plugins", "./plugins/", "plugins/guard"])
def test_both_layouts_of_the_project_page(folder: Path, script_path: str) -> None:
    """B3: the folder that contains the package, or the package itself."""
    found = place(script_path=script_path)
    assert found.root == folder / "plugins"
    assert found.folder == folder / "plugins/guard"
    assert found.manifest == found.folder / "guard-plugin-Guard.plugin-manifest.yaml"
    assert found.requirements is None


def test_the_first_of_the_folders_of_plugins_counts(folder: Path) -> None:
    """Z1: it is made if it is missing."""
    assert place(("plugins", "others")).folder == folder / "plugins/guard"
    assert place(("new", "plugins")).folder == folder / "new/guard"
    assert place(("others",), script_path="plugins").folder == folder / "plugins/guard"


@pytest.mark.parametrize("config", ["config.yaml", "plugins/config.yaml", "project/../config.yaml"])
def test_the_config_tells_where_the_project_is(
    folder: Path, config: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From any working directory, also for copies of the entry; the working directory comes first."""
    path = folder / config if "/../" not in config else folder.parent / config
    path = Path(str(path).replace("/project/../", "/project/"))
    path.write_text(
        f"plugins:\n- name: p\n  kind: isolated_venv\n  config: {{class_name: {CLASS}, script_path: plugins}}\n"
    )
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    loaded = ConfigLoader.load_config(str(path)).plugins
    assert loaded
    assert file_of(loaded[0]) == str(path)
    assert "_file" not in loaded[0].model_dump()
    for entry in (loaded[0], loaded[0].model_copy()):
        found = place_of(entry, [])
        assert found.folder == folder / "plugins/guard"
        assert found.project == folder
    (elsewhere / "plugins").mkdir()
    assert place_of(loaded[0], []).project == elsewhere


def test_where_it_is_has_to_be_said(folder: Path) -> None:
    with pytest.raises(ValueError, match=r"config\.class_name: where is its package 'guard'\? .* config\.script_path"):
        place()
    with pytest.raises(FileNotFoundError, match=rf"config\.script_path: 'nowhere' is no folder in any of: {folder}"):
        place(script_path="nowhere")
    with pytest.raises(ValueError, match=r"config\.script_path: it is the folder of the plugin, not 3"):
        place(script_path=3)


@pytest.mark.parametrize("class_name", [None, 3, "Guard", "../guard.Guard", "a b.C", ""])
def test_the_class_has_to_be_named(folder: Path, class_name: object) -> None:
    with pytest.raises(ValueError, match=r"config\.class_name: it names a class"):
        place(("plugins",), class_name=class_name)


def test_nothing_leads_out(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """B16, M27."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.txt").touch()
    (folder / "plugins/link").symlink_to(outside)
    for script_path in ("../outside", str(outside), "plugins/link"):
        with pytest.raises(ValueError, match="Invalid script_path: '.*' leads out of"):
            place(script_path=script_path)
    monkeypatch.setenv("PLUGINS_ALLOWED_DIRS", str(outside))
    assert place(script_path=str(outside)).root == outside
    (folder / "plugins/guard/link.txt").symlink_to(outside / "secret.txt")
    for named in ("../../../outside/secret.txt", str(outside / "secret.txt"), "link.txt"):
        with pytest.raises(ValueError, match=r"config\.requirements_file: Invalid .* path: '.*' leads out of"):
            place(script_path="plugins", requirements_file=named)


def test_the_requirements_are_looked_for_in_the_package_first(folder: Path) -> None:
    """B3."""
    with pytest.raises(FileNotFoundError, match=r"config\.requirements_file: 'r\.txt' is in none of: .*plugins/guard"):
        place(script_path="plugins", requirements_file="r.txt")
    (folder / "plugins/r.txt").touch()
    assert place(script_path="plugins", requirements_file="r.txt").requirements == folder / "plugins/r.txt"
    (folder / "plugins/guard/r.txt").touch()
    assert place(script_path="plugins", requirements_file="r.txt").requirements == folder / "plugins/guard/r.txt"
    with pytest.raises(ValueError, match=r"config\.requirements_file: it is the path of a file, not \['r\.txt'\]"):
        place(script_path="plugins", requirements_file=["r.txt"])


def test_its_code_is_its_package_and_not_what_lies_beside_it(folder: Path) -> None:
    for name in ("guard.py", "guard.yaml", "other.py", "config.yaml"):
        (folder / "plugins" / name).touch()
    assert place(script_path="plugins").code == (folder / "plugins/guard", folder / "plugins/guard.py")


def test_an_interpreter_whose_prefix_holds_other_things(folder: Path) -> None:
    for name in ("bin", "lib"):
        (folder / "python" / name).mkdir(parents=True)
    (folder / "python/bin/python3").touch()
    assert list(_interpreter(folder / "python/bin/python3", place(script_path="plugins"))) == [folder / "python"]
    for name in ("bin", "lib"):
        (folder / name).mkdir()
    (folder / "bin/python3").touch()
    found = list(_interpreter(folder / "bin/python3", place(script_path="plugins")))
    assert found == [folder / "bin/python3", folder / "lib"]
