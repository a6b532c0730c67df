"""Loading plugin classes (M24-M27, B30)."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest
from tests.unit.sample_plugins import Allow

from cpex.framework import Plugin, PluginConfig, PluginError, PluginLoader, TransportType
from cpex.framework.loader import plugin as loader_plugin
from cpex.framework.loader._special import special_type


def config(kind: str, **fields: Any) -> PluginConfig:
    return PluginConfig(name="p", kind=kind, hooks=["tool_pre_invoke"], **fields)


@pytest.fixture
def loader() -> PluginLoader:
    return PluginLoader()


@pytest.fixture(autouse=True)
def search_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))


async def test_class_path(loader: PluginLoader) -> None:
    wanted = config("tests.unit.sample_plugins.Allow")
    plugin = await loader.load_and_instantiate_plugin(wanted)
    assert type(plugin) is Allow
    assert plugin.config == wanted
    assert plugin.config is not wanted
    assert loader._plugin_types == {"tests.unit.sample_plugins.Allow": Allow}
    await loader.shutdown()
    assert loader._plugin_types == {}


async def test_nested_config_is_shared_with_the_plugin(loader: PluginLoader) -> None:
    wanted = config("tests.unit.sample_plugins.Allow", config={"a": [1]})
    plugin = await loader.load_and_instantiate_plugin(wanted)
    assert plugin is not None
    assert plugin.config.config is wanted.config


async def test_initialize_is_part_of_loading(loader: PluginLoader) -> None:
    with pytest.raises(ValueError, match="init boom"):
        await loader.load_and_instantiate_plugin(config("tests.unit.sample_plugins.BadInitialize"))
    assert loader.phase == "initialize"


async def test_module_getattr_works(loader: PluginLoader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lazy_plugins.py").write_text(
        "def __getattr__(name):\n    from tests.unit.sample_plugins import Allow\n    return type(name, (Allow,), {})\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    first = await loader.load_and_instantiate_plugin(config("lazy_plugins.Made"))
    second = await loader.load_and_instantiate_plugin(config("lazy_plugins.Made"))
    assert type(first).__name__ == "Made"
    assert type(first) is type(second)


@pytest.mark.parametrize(
    ("kind", "error", "text"),
    [
        ("os.X", ImportError, "Plugin module 'os' is blocked for security reasons."),
        ("os.path.X", ImportError, "Plugin module 'os.path' is blocked for security reasons."),
        ("sys.X", ImportError, "Plugin module 'sys' is blocked for security reasons."),
        ("http.server.X", ImportError, "Plugin module 'http.server' is blocked for security reasons."),
        ("importlib.util.X", ImportError, "Plugin module 'importlib.util' is blocked for security reasons."),
        ("a/b.X", ImportError, "Plugin module name 'a/b' contains invalid characters."),
        ("a\\b.X", ImportError, "Plugin module name 'a\\b' contains invalid characters."),
        ("a..b.X", ImportError, "Plugin module name 'a..b' contains invalid characters."),
        ("http.X", AttributeError, "module 'http' has no attribute 'X'"),
        ("no_such_module_here.X", ModuleNotFoundError, "No module named 'no_such_module_here'"),
        ("X", ValueError, "Empty module name; a kind is 'module.Class', not 'X'"),
        ("native", ValueError, "Empty module name; a kind is 'module.Class', not 'native'"),
        ("builtin", ValueError, "Empty module name; a kind is 'module.Class', not 'builtin'"),
    ],
)
async def test_kind_that_cannot_be_imported(
    loader: PluginLoader, kind: str, error: type[Exception], text: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(error) as raised:
        await loader.load_and_instantiate_plugin(config(kind))
    assert str(raised.value) == text
    assert caplog.messages == [f"Unable to import plugin type '{kind}'"]
    assert loader._plugin_types == {}
    assert loader.phase == "import"


def test_a_module_that_only_looks_denied_is_not(loader: PluginLoader) -> None:
    with pytest.raises(ModuleNotFoundError):
        loader._PluginLoader__get_plugin_type("os_like_module.X")  # type: ignore[attr-defined]


def test_private_names(loader: PluginLoader) -> None:
    assert loader._PluginLoader__get_plugin_type("tests.unit.sample_plugins.Allow") is Allow  # type: ignore[attr-defined]
    assert loader._plugin_types == {}
    loader._PluginLoader__register_plugin_type("tests.unit.sample_plugins.Allow")  # type: ignore[attr-defined]
    assert loader._plugin_types == {"tests.unit.sample_plugins.Allow": Allow}


async def test_abstract_base_is_a_plugin_too(loader: PluginLoader) -> None:
    assert type(await loader.load_and_instantiate_plugin(config("cpex.framework.base.Plugin"))) is Plugin


class TestSpecialKinds:
    def test_the_transport_decides_on_the_class(self) -> None:
        mcp = {"proto": TransportType.STREAMABLEHTTP, "url": "http://localhost:8000/mcp"}
        sections = {"mcp": mcp, "grpc": {"target": "localhost:1"}, "unix_socket": {"path": "/s"}}
        kinds = [special_type(config("external", **{name: section})).__name__ for name, section in sections.items()]
        assert kinds == ["ExternalPlugin", "GrpcExternalPlugin", "UnixSocketExternalPlugin"]

    async def test_external_plugin_without_a_server(self, loader: PluginLoader, tmp_path: Path) -> None:
        with pytest.raises(PluginError) as raised:
            await loader.load_and_instantiate_plugin(config("external", unix_socket={"path": str(tmp_path / "s")}))
        assert raised.value.error.message.startswith(f"Failed to connect to {tmp_path}/s: No such file")
        assert (raised.value.error.plugin_name, loader.phase) == ("p", "initialize")

    async def test_an_isolated_plugin_is_made_with_the_accepted_folders(self, loader: PluginLoader) -> None:
        with pytest.raises(ValueError, match="where is its package 'a'"):
            await loader.load_and_instantiate_plugin(config("isolated_venv", config={"class_name": "a.b.C"}))

    async def test_missing_package_is_named(self, loader: PluginLoader, monkeypatch: pytest.MonkeyPatch) -> None:
        import importlib

        def import_module(name: str) -> object:
            raise ModuleNotFoundError("No module named 'grpc.aio'", name="grpc.aio")

        monkeypatch.setattr(importlib, "import_module", import_module)
        with pytest.raises(PluginError, match="external transport 'grpc' needs the package 'grpc', which is not inst"):
            await loader.load_and_instantiate_plugin(config("external", grpc={"target": "localhost:1"}))

    async def test_external_without_transport(self, loader: PluginLoader) -> None:
        incomplete = PluginConfig.model_construct(name="e", kind="external", mcp=None, grpc=None, unix_socket=None)
        with pytest.raises(
            ValueError, match="^External plugin 'e' must have 'mcp', 'grpc', or 'unix_socket' configuration$"
        ):
            await loader.load_and_instantiate_plugin(incomplete)


class TestSearchPath:
    @pytest.fixture(autouse=True)
    def only_tmp(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(loader_plugin, "ALLOWED_PLUGIN_DIRS", {str(tmp_path / "root")})

    def test_default_roots(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.undo()
        assert {"/var/lib/cpex/plugins", "/private/var/lib/cpex/plugins"} < loader_plugin.ALLOWED_PLUGIN_DIRS
        assert len(loader_plugin.ALLOWED_PLUGIN_DIRS) == 3

    def test_directory_under_a_root(self, loader: PluginLoader, tmp_path: Path) -> None:
        wanted = str(tmp_path / "root" / "plugins")
        loader.append_to_search_path([wanted, wanted])
        assert sys.path.count(wanted) == 1
        assert loader.plugin_dirs == [wanted, wanted]

    def test_relative_directory(self, loader: PluginLoader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "root").mkdir()
        monkeypatch.chdir(tmp_path / "root")
        loader.append_to_search_path(["./plugins"])
        assert loader.plugin_dirs == ["./plugins"]
        assert sys.path[-1] == str(tmp_path / "root" / "plugins")

    @pytest.mark.parametrize("refused", ["rootX/plugins", "root/../elsewhere", "elsewhere"])
    def test_b30_other_directories_are_refused_with_a_warning(
        self, loader: PluginLoader, tmp_path: Path, refused: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        directory = str(tmp_path / refused)
        before = list(sys.path)
        loader.append_to_search_path([directory])
        assert loader.plugin_dirs == []
        assert sys.path == before
        assert caplog.messages == [
            f"Plugin directory '{directory}' is ignored: it is in none of the allowed directories "
            f"({tmp_path / 'root'}). Set PLUGINS_ALLOWED_DIRS, or allowed_dirs under plugin_settings, to allow it"
        ]

    def test_b30_symlink_out_of_a_root_is_refused(self, loader: PluginLoader, tmp_path: Path) -> None:
        (tmp_path / "root").mkdir()
        (tmp_path / "elsewhere").mkdir()
        (tmp_path / "root" / "link").symlink_to(tmp_path / "elsewhere")
        loader.append_to_search_path([str(tmp_path / "root" / "link")])
        assert loader.plugin_dirs == []

    def test_b30_environment_adds_roots(
        self, loader: PluginLoader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PLUGINS_ALLOWED_DIRS", os.pathsep.join(["", str(tmp_path / "more")]))
        loader.append_to_search_path([str(tmp_path / "more" / "a"), str(tmp_path / "other")])
        assert loader.plugin_dirs == [str(tmp_path / "more" / "a")]

    def test_b30_settings_add_roots(self, loader: PluginLoader, tmp_path: Path) -> None:
        loader.append_to_search_path([str(tmp_path / "more" / "a")], allowed_dirs=[str(tmp_path / "more")])
        assert loader.plugin_dirs == [str(tmp_path / "more" / "a")]


async def test_tests_of_applications_can_replace_the_import() -> None:
    """As in 0.1.4: `mock.patch` at the loader's module gives a plugin that nothing installs."""
    fake = SimpleNamespace(Fake=Plugin)
    with patch("cpex.framework.loader.plugin.import_module", return_value=fake) as replaced:
        plugin = await PluginLoader().load_and_instantiate_plugin(PluginConfig(name="a", kind="not.installed.Fake"))
    assert type(plugin) is Plugin
    replaced.assert_called_once_with("not.installed")
