"""`cpex plugin` and the functions behind it, with everything outside replaced (L4–L6, L9, L10, M30, B26, B27)."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import pytest
import typer
import yaml
from typer.testing import CliRunner, Result

from cpex.framework.models import Config, PluginManifest
from cpex.tools import cli
from cpex.tools._plugins.environment import Environment
from cpex.tools.integrity import IntegrityVerificationError
from cpex.tools.plugin_registry import PluginRegistry

PUBLISHED = [
    "DEFAULT_AUTHOR_EMAIL",
    "DEFAULT_AUTHOR_NAME",
    "DEFAULT_BUILD_CONTEXT",
    "DEFAULT_CONTAINERFILE_PATH",
    "DEFAULT_IMAGE_BUILDER",
    "DEFAULT_IMAGE_TAG",
    "DEFAULT_INSTALLER",
    "DEFAULT_INSTALL_MANIFEST",
    "DEFAULT_PROJECT_DIR",
    "DEFAULT_TEMPLATE_URL",
    "DEFAULT_VCS_REF",
    "EXIT_GENERAL_ERROR",
    "EXIT_INVALID_ARGS",
    "EXIT_NOT_FOUND",
    "EXIT_OPERATION_FAILED",
    "EXIT_SUCCESS",
    "LOCAL_TEMPLATES_DIR",
    "List",
    "app",
    "bootstrap",
    "callback",
    "command_exists",
    "console",
    "git_user_email",
    "git_user_name",
    "info",
    "install",
    "install_from_manifest",
    "instance_name_is_unique",
    "list_registered_plugins",
    "main",
    "markup_mode",
    "plugin",
    "remove_from_plugins_config_yaml",
    "search",
    "select_plugin_from_catalog",
    "settings",
    "uninstall",
    "update_plugins_config_yaml",
    "versions",
    "_parse_pypi_source",
    "_plugin_name_from_source",
    "_should_skip_reinstall",
    "_finalize_installation",
    "_install_from_pypi",
    "_install_from_monorepo",
    "_install_from_local",
    "_install_from_git",
    "logger",
    "inquirer",
    "typer",
    "subprocess",
    "shutil",
    "PluginCatalog",
    "PluginRegistry",
    "ConfigLoader",
    "ConfigSaver",
]


def manifest(name: str = "guard", **fields: Any) -> PluginManifest:
    known: dict[str, Any] = {
        "name": name,
        "kind": "native",
        "description": "d",
        "author": "a",
        "version": "1.0.0",
        "tags": [],
        "available_hooks": ["tool_pre_invoke"],
        "default_config": {"level": 3},
    }
    return PluginManifest(**{**known, **fields})


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PLUGIN_REGISTRY_FILE", raising=False)
    monkeypatch.setattr(cli, "git_user_name", lambda: "Ann")
    return tmp_path


@pytest.fixture
def catalog(monkeypatch: pytest.MonkeyPatch) -> MagicMock:
    """A catalog that installs whatever it is asked for."""
    replaced = MagicMock()
    replaced.transaction = nullcontext
    replaced.find.return_value = None
    replaced.search.return_value = None
    replaced.update_catalog_with_pyproject.return_value = False
    for way in ("pypi", "git", "local"):
        getattr(replaced, f"install_from_{way}").return_value = (manifest(), Path("where"))
    monkeypatch.setattr("cpex.tools.cli.PluginCatalog", lambda: replaced)
    return replaced


@pytest.fixture
def run() -> Callable[..., Result]:
    def invoke(*arguments: str) -> Result:
        return CliRunner().invoke(cli.app, ["plugin", *arguments])

    return invoke


def entries() -> list[dict[str, Any]]:
    loaded: list[dict[str, Any]] = yaml.safe_load(Path("plugins/config.yaml").read_text())["plugins"]
    return loaded


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_names_can_be_imported_and_patched(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """L10, M30."""
    before = getattr(cli, name)
    with monkeypatch.context() as patching:
        patching.setattr(f"cpex.tools.cli.{name}", "replaced")
        assert getattr(cli, name) == "replaced"
    assert getattr(cli, name) is before


def test_collaborators_are_looked_up_at_each_call(catalog: MagicMock, monkeypatch: pytest.MonkeyPatch) -> None:
    """M30: whatever is patched on `cpex.tools.cli` is used by the functions behind it."""
    console = MagicMock()
    monkeypatch.setattr("cpex.tools.cli.console", console)
    monkeypatch.setattr("cpex.tools.cli.settings", SimpleNamespace(config_file="elsewhere.yaml"))
    finished = MagicMock()
    monkeypatch.setattr("cpex.tools.cli._finalize_installation", finished)
    cli.install("guard@>=1", "pypi", catalog)
    catalog.install_from_pypi.assert_called_once_with(
        "guard", ">=1", use_pytest=False, verify_integrity=True, convert=True
    )
    finished.assert_called_once_with(manifest(), "pypi", catalog, Path("where"))
    console.log.assert_called_once_with("Package integrity verification: enabled")
    cli.update_plugins_config_yaml(manifest())
    assert Path("elsewhere.yaml").is_file()


def test_no_action_shows_the_help(run: Callable[..., Result]) -> None:
    """L4, B26: exit 0 is kept."""
    result = run()
    assert result.exit_code == 0
    assert "cpex plugin" in result.output or "Usage:" in result.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("instal",), "Unknown action 'instal'. Did you mean install"),
        (("bogus",), "Unknown action 'bogus'. Must be one of: list, info,"),
        (("list", "-f", "xml"), "Unknown format 'xml'. Must be one of: text, json"),
        (("install",), "Please specify a plugin name to install."),
        (("uninstall",), "Please specify a plugin name to uninstall."),
        (("install", "x", "-t", "bogus"), "Unsupported installation type: bogus. Must be one of: monorepo, pypi,"),
        (("install", "x", "-t", "loacl"), "Unsupported installation type: loacl. Did you mean local? Must be one of: "),
    ],
)
def test_wrong_arguments(
    run: Callable[..., Result], catalog: MagicMock, arguments: tuple[str, ...], message: str
) -> None:
    """L4, L6, B26: exit 2, and what would be right; nothing is asked of the catalog's repositories before."""
    result = run(*arguments)
    assert result.exit_code == cli.EXIT_INVALID_ARGS
    assert message in " ".join(result.output.split())
    catalog.update_catalog_with_pyproject.assert_not_called()


@pytest.mark.parametrize(
    ("arguments", "refreshes"),
    [
        (("list",), True),
        (("search", "x"), True),
        (("versions", "x"), True),
        (("search", "x", "-t", "git"), True),
        (("search", "x", "-t", "pypi"), False),
        (("list", "-t", "local"), False),
        (("install", "x", "-t", "test-pypi"), False),
        (("info", "x"), False),
        (("uninstall", "x"), False),
    ],
)
def test_when_the_catalog_is_refreshed(
    run: Callable[..., Result], catalog: MagicMock, arguments: tuple[str, ...], refreshes: bool
) -> None:
    """L4: not for info and uninstall, nor for what comes from elsewhere. A failure is told, and passed over."""
    catalog.update_catalog_with_pyproject.return_value = True
    result = run(*arguments)
    assert catalog.update_catalog_with_pyproject.called is refreshes
    assert ("Catalog update failed." in result.output) is refreshes


def test_list_and_info(run: Callable[..., Result], catalog: MagicMock) -> None:
    """L5."""
    assert json.loads(run("list", "-t", "local", "-f", "json").stdout) == {"plugins": []}
    assert run("info").output == "No plugins found\n"
    PluginRegistry().update(manifest("my-guard", kind="x.Y"), "test-pypi", catalog, "Ann", Path("/p"))
    assert run("list", "-t", "local").output == "name: my-guard version: 1.0.0 installation type: pypi\n"
    assert json.loads(run("list", "-f", "json").stdout) == {
        "plugins": [{"name": "my-guard", "version": "1.0.0", "installation_type": "pypi"}]
    }
    [record] = json.loads(run("info", "X.y", "-f", "json").stdout)["plugins"]
    assert record["installed_by"] == "Ann"
    assert json.loads(run("info", "GUARD").output) == record
    assert json.loads(run("info", "other", "-f", "json").stdout) == {"plugins": []}


def test_search(run: Callable[..., Result], catalog: MagicMock) -> None:
    """L5."""
    assert "No plugins found." in run("search", "x").output
    origin = {"pypi_package": "guard"}
    catalog.search.return_value = [manifest(package_info=origin), manifest("other")]
    assert "name: guard version: 1.0.0 installation type: pypi" in run("versions", "x").output
    assert json.loads(run("search", "x", "-f", "json").stdout)["results"] == [
        {"name": "guard", "version": "1.0.0", "installation_type": "pypi"},
        {"name": "other", "version": "1.0.0", "installation_type": "local"},
    ]


def test_versions_of_an_index_are_not_in_the_catalog(run: Callable[..., Result], catalog: MagicMock) -> None:
    """L5: the answer is the catalog's; where else to ask goes to standard error."""
    result = run("versions", "x", "-t", "pypi", "-f", "json")
    assert json.loads(result.stdout) == {"results": []}
    assert "pip index versions x" in result.stderr
    assert "pip index" not in run("versions", "x").output


def test_why_the_catalog_is_not_refreshed(
    run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """L4: the command goes on, and says what is missing and what is used instead."""
    monkeypatch.delenv("PLUGINS_GITHUB_TOKEN", raising=False)
    result = run("list")
    assert result.exit_code == 0
    assert "Catalog update failed." in result.output
    assert "No GitHub token set: PLUGINS_GITHUB_TOKEN is empty" in caplog.text
    assert "https://github.com/ibm/cpex-plugins" in caplog.text


@pytest.mark.parametrize("way", ["pypi", "test-pypi", "git", "local"])
def test_installing(run: Callable[..., Result], catalog: MagicMock, way: str, caplog: pytest.LogCaptureFixture) -> None:
    """L6: registry and entry, without a warning of the file that is made; a second one gets a number."""
    for _ in range(2):
        result = run("install", "x", "-t", way)
        assert result.exit_code == 0
        assert "✅ guard installation complete." in result.output
        assert f"Installing plugin x via {way} ..." in result.stderr
        assert "does not run" not in result.output
        assert not caplog.records
    assert [(entry["name"], entry["mode"], entry["priority"]) for entry in entries()] == [
        ("guard", "sequential", 100),
        ("guard_1", "sequential", 100),
    ]
    record = PluginRegistry().get("guard")
    assert record is not None
    assert record.editable is (way == "local")


def test_installing_an_isolated_plugin(run: Callable[..., Result], catalog: MagicMock) -> None:
    """L7: the conversion is kept."""
    isolated = manifest(kind="isolated_venv", default_config={"class_name": "guard.plugin.Guard"})
    catalog.install_from_pypi.return_value = (isolated, Path("where"))
    result = run("install", "x", "-t", "pypi")
    assert result.exit_code == 0
    assert "✅ guard installation complete." in result.output
    assert entries()[0]["kind"] == "isolated_venv"


@pytest.mark.parametrize("error", [ValueError("[boom]"), IntegrityVerificationError("p", "a", "b"), OSError("no")])
def test_a_failed_installation(run: Callable[..., Result], catalog: MagicMock, error: Exception) -> None:
    """L4, L8: exit 4, the reason, and no file."""
    catalog.install_from_pypi.side_effect = error
    result = run("install", "p", "-t", "pypi")
    assert result.exit_code == cli.EXIT_OPERATION_FAILED
    assert f"❌ Installation failed: {error}" in result.output
    assert not Path("plugins").exists()
    assert not Path("data").exists()


def test_what_is_installed_is_not_installed_again(catalog: MagicMock) -> None:
    """L6: unless another version is known, or one is asked for."""
    PluginRegistry().update(manifest(), "pypi", catalog, "Ann", Path("/p"))
    assert not cli._should_skip_reinstall("guard", "pypi", catalog)
    catalog.find.return_value = manifest(version="2.0")
    assert not cli._should_skip_reinstall("guard", "pypi", catalog)
    catalog.find.return_value = manifest()
    assert cli._should_skip_reinstall("guard", "pypi", catalog)
    assert cli._should_skip_reinstall("guard", "monorepo", catalog)
    assert not cli._should_skip_reinstall("guard@>=1", "pypi", catalog)
    assert not cli._should_skip_reinstall("other", "pypi", catalog)


def test_choosing_from_the_catalog(monkeypatch: pytest.MonkeyPatch) -> None:
    """L6: -y takes the first by name and version, descending; otherwise the user is asked."""
    known = [manifest("a"), manifest("b", version="1.9"), manifest("b", version="1.10")]
    assert cli.select_plugin_from_catalog([], assume_yes=True) is None
    assert cli.select_plugin_from_catalog(known, assume_yes=True) is known[2]
    inquirer = MagicMock()
    monkeypatch.setattr("cpex.tools.cli.inquirer", inquirer)
    inquirer.prompt.return_value = {"plugins": 2}
    assert cli.select_plugin_from_catalog(known) is known[0]
    inquirer.prompt.return_value = None
    assert cli.select_plugin_from_catalog(known) is None


def test_nobody_can_be_asked(run: Callable[..., Result], catalog: MagicMock, monkeypatch: pytest.MonkeyPatch) -> None:
    """L5, L6: without a terminal the message names the option that asks nothing, and nothing is done."""
    PluginRegistry().update(manifest(), "pypi", catalog, "Ann", Path("/p"))
    catalog.find.return_value = manifest()
    catalog.search.return_value = [manifest("a"), manifest("b", version="1.10")]
    inquirer = MagicMock()
    inquirer.prompt.side_effect = Exception("(25, 'Inappropriate ioctl for device')")
    monkeypatch.setattr("cpex.tools.cli.inquirer", inquirer)
    installed, uninstalled = run("install", "x"), run("uninstall", "guard")
    assert installed.exit_code == cli.EXIT_OPERATION_FAILED
    assert "there is no terminal to ask on; --yes takes the first of: b 1.10, a 1.0.0" in installed.output
    assert uninstalled.exit_code == cli.EXIT_GENERAL_ERROR
    assert "there is no terminal to ask on; --yes uninstalls without confirmation" in uninstalled.output
    catalog.install_folder_via_pip.assert_not_called()
    catalog.uninstall_package.assert_not_called()


def test_an_error_on_a_terminal_is_not_explained_away(catalog: MagicMock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", MagicMock(isatty=lambda: True))
    inquirer = MagicMock()
    inquirer.prompt.side_effect = ZeroDivisionError
    monkeypatch.setattr("cpex.tools.cli.inquirer", inquirer)
    with pytest.raises(ZeroDivisionError):
        cli.select_plugin_from_catalog([manifest()])


def test_nothing_matches(run: Callable[..., Result], catalog: MagicMock) -> None:
    result = run("install", "nope")
    assert (result.exit_code, result.output.splitlines()[-1]) == (0, "No matching plugins found.")


def test_uninstalling(run: Callable[..., Result], catalog: MagicMock, monkeypatch: pytest.MonkeyPatch) -> None:
    """L5: 3 if it is not installed or not in the catalog; asks; removes entry, package and record, or nothing."""
    assert run("uninstall", "guard").exit_code == cli.EXIT_NOT_FOUND
    assert run("install", "x", "-t", "pypi").exit_code == 0
    assert run("uninstall", "guard").exit_code == cli.EXIT_NOT_FOUND
    catalog.find.return_value = manifest(package_info={"pypi_package": "guard-package"})

    inquirer = MagicMock()
    monkeypatch.setattr("cpex.tools.cli.inquirer", inquirer)
    inquirer.prompt.return_value = {"confirm": False}
    assert "Uninstall cancelled." in run("uninstall", "guard").output
    catalog.uninstall_package.assert_not_called()

    catalog.uninstall_package.return_value = False
    failed = run("uninstall", "guard", "-y")
    assert failed.exit_code == cli.EXIT_OPERATION_FAILED
    assert [entry["name"] for entry in entries()] == ["guard"]
    assert PluginRegistry().has("guard")

    catalog.uninstall_package.return_value = True
    inquirer.prompt.return_value = {"confirm": True}
    assert run("uninstall", "guard").exit_code == 0
    catalog.uninstall_package.assert_called_with("guard-package", catalog.find.return_value)
    assert entries() == []
    assert not PluginRegistry().has("guard")


def test_only_its_own_entries_are_removed() -> None:
    """B27: its name, the name it was given when it was installed, with or without a number; of its kind."""
    names = ["guard", "guard_1", "guard-extra", "guard_x", "My Guard", "my-guard_12"]
    listed = [{"name": name, "kind": "native"} for name in names] + [{"name": "guard_2", "kind": "a.B"}]
    Path("plugins").mkdir()
    Path("plugins/config.yaml").write_text(yaml.safe_dump({"plugins": listed}))
    assert cli.remove_from_plugins_config_yaml(manifest()) is True
    assert [entry["name"] for entry in entries()] == ["guard-extra", "guard_x", "My Guard", "my-guard_12", "guard_2"]
    assert cli.remove_from_plugins_config_yaml(manifest("My Guard")) is True
    assert [entry["name"] for entry in entries()] == ["guard-extra", "guard_x", "guard_2"]
    assert cli.remove_from_plugins_config_yaml(manifest()) is False


def test_secrets_and_templates_are_not_rendered(monkeypatch: pytest.MonkeyPatch) -> None:
    """B27: names are compared as rendered, the text stays as written."""
    monkeypatch.setenv("NAME", "guard")
    before = "plugins:\n- name: {{ env.NAME }}  # its name\n  kind: a.B\n  config: {token: '{{ env.HOME }}'}\n"
    Path("plugins").mkdir()
    Path("plugins/config.yaml").write_text(before)
    cli.update_plugins_config_yaml(manifest())
    text = Path("plugins/config.yaml").read_text()
    assert text.startswith(before + "- name: guard_1\n")


def test_a_place_that_depends_on_a_template_is_refused() -> None:
    before = "{% for n in ['a', 'b'] %}\n{{ n }}: 1\n{% endfor %}\nplugins: []\n{{ env.NONE }}\n"
    Path("plugins").mkdir()
    Path("plugins/config.yaml").write_text(before)
    with pytest.raises(RuntimeError, match="^Failed to edit plugins/config.yaml: "):
        cli.update_plugins_config_yaml(manifest())
    assert Path("plugins/config.yaml").read_text() == before
    assert [path.name for path in Path("plugins").iterdir()] == ["config.yaml"]


def test_names_are_unique() -> None:
    """L10."""
    config = Config(plugins=[manifest().create_instance_config("a", "sequential")])  # type: ignore[arg-type]
    assert cli.instance_name_is_unique(config, "b")
    assert not cli.instance_name_is_unique(config, "a")
    assert cli.instance_name_is_unique(Config(plugins=None), "a")


def test_the_registry(catalog: MagicMock, caplog: pytest.LogCaptureFixture) -> None:
    """L9: a corrupt file is put aside and the registry starts empty; it remembers where a plugin came from."""
    Path("data").mkdir()
    Path("data/installed-plugins.json").write_text("{bad")
    registry = PluginRegistry()
    assert registry.registry.plugins == []
    assert Path("data/installed-plugins.json.corrupted").read_text() == "{bad"
    assert "Corrupted plugin registry file at data/installed-plugins.json" in caplog.text
    git = {"git_repository": "https://example.com/a/b", "git_branch_tag_commit": "main"}
    monorepo = {"repo_url": "r", "package_source": "r#subdirectory=x", "package_folder": "x"}
    full = manifest(git_repo=git, monorepo=monorepo, local="/l", package_info={"pypi_package": "pkg"})
    expected = {
        "git": "guard @ https://example.com/a/b@main",
        "monorepo": "r#subdirectory=x",
        "local": "/l",
        "pypi": "pkg",
    }
    for way, source in expected.items():
        registry.update(full, way, catalog, "Ann", Path("/p"), editable=way == "local")
        record = PluginRegistry().get("guard")
        assert record is not None
        assert (record.installation_type, record.package_source, record.editable) == (way, source, way == "local")
    assert registry.remove("guard") and not registry.remove("guard")
    assert not PluginRegistry().has("guard")


def test_functions_raise_typer_exit(catalog: MagicMock) -> None:
    """Programs call these functions and catch `typer.Exit`."""
    with pytest.raises(typer.Exit) as caught:
        cli.uninstall("nope", catalog, True)
    assert caught.value.exit_code == cli.EXIT_NOT_FOUND


def test_credentials_of_a_source_are_not_repeated(run: Callable[..., Result], catalog: MagicMock) -> None:
    catalog.install_from_git.side_effect = RuntimeError("cannot clone https://ann:p@ss@host/x")
    result = run("install", "x @ git+https://ann:p@ss@host/x", "-t", "git")
    assert result.exit_code == 4
    assert "cannot clone https://***@host/x" in result.output
    assert "ss@" not in result.output


def test_a_module_of_the_working_directory_is_not_run_for_pip(folder: Path) -> None:
    (folder / "pip.py").write_text("print('taken')")
    assert "taken" not in Environment().pip("--version")
    (folder / "json.py").write_text("raise SystemExit(3)")
    with Environment().restored_on_failure():
        pass
