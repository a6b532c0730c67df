"""`cpex bootstrap`: the project it creates, what it asks cookiecutter for, messages and exit status (L2, L3, B26)."""

from __future__ import annotations

import ast
import logging
import os
import pty
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
import yaml
from typer.testing import CliRunner, Result

import cpex.tools.cli as cli
from cpex.framework import get_hook_registry
from cpex.framework.loader.config import ConfigLoader
from cpex.framework.models import PluginManifest
from cpex.tools._template_names import class_name, package_name, quoted

TYPES = ("native", "external", "isolated")
FOLDER_PACKAGES = ("native", "isolated")
FILES = {
    "native": {
        *("README.md", "__init__.py", "config.yaml", "plugin-manifest.yaml", "plugin.py"),
        "tests/test_my_filter.py",
    },
    "isolated": {
        *("README.md", "__init__.py", "config.yaml", "plugin-manifest.yaml", "plugin.py", "requirements.txt"),
        "tests/test_my_filter.py",
    },
    "external": {
        *(".dockerignore", ".env.template", ".ruff.toml", "Containerfile", "MANIFEST.in", "Makefile", "README.md"),
        *("pyproject.toml", "run-server.sh", "resources/plugins/config.yaml"),
        *("tests/__init__.py", "tests/pytest.ini", "tests/test_my_filter.py"),
        *("my_filter/__init__.py", "my_filter/plugin-manifest.yaml", "my_filter/plugin.py"),
    },
}
ODD = "\\ \"q\" 'a': #1 - {{ 7 }} {% if %} 😀 \x7f"


@pytest.fixture(autouse=True)
def own_settings(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cookiecutter is told in the home folder, and keeps there, is out of the way."""
    home = tmp_path_factory.mktemp("cookiecutter")
    (home / "config.yaml").write_text(f"cookiecutters_dir: {home}/clones\nreplay_dir: {home}/replay\n")
    monkeypatch.setenv("COOKIECUTTER_CONFIG", str(home / "config.yaml"))


@pytest.fixture(autouse=True)
def author(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "git_user_name", lambda: "Ann Author")
    monkeypatch.setattr(cli, "git_user_email", lambda: "ann@example.org")


@pytest.fixture
def bootstrap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.chdir(tmp_path)

    def invoke(*arguments: str, stdin: str | None = None) -> Result:
        return CliRunner().invoke(cli.app, ["bootstrap", *arguments], input=stdin)

    return invoke


@pytest.fixture
def cookiecutter(monkeypatch: pytest.MonkeyPatch) -> Mock:
    mock = Mock(return_value="somewhere")
    monkeypatch.setattr("cookiecutter.main.cookiecutter", mock)
    return mock


def files(project: Path) -> set[str]:
    return {path.relative_to(project).as_posix() for path in project.rglob("*") if path.is_file()}


def config_of(project: Path) -> Path:
    (path,) = project.rglob("config.yaml")
    return path


def manifest_of(project: Path) -> PluginManifest:
    (path,) = project.rglob("plugin-manifest.yaml")
    return PluginManifest.model_validate(yaml.safe_load(path.read_text()))


@pytest.mark.parametrize("template_type", TYPES)
def test_the_files_of_a_project(template_type: str, bootstrap: Callable[..., Result], tmp_path: Path) -> None:
    """L3: the files of the published templates, and tests in each."""
    result = bootstrap("-d", "deep/my_filter", "-t", template_type, "--no_input")
    assert result.exit_code == 0, result.output
    project = tmp_path / "deep" / "my_filter"
    assert f"Created {project}" in result.output.replace("\n", "")
    assert files(project) == FILES[template_type]
    for path in project.rglob("*.py"):
        ast.parse(path.read_text())


@pytest.mark.parametrize("template_type", TYPES)
def test_no_older_release_is_installed(template_type: str, bootstrap: Callable[..., Result], tmp_path: Path) -> None:
    """L2, L3."""
    bootstrap("-d", "my_filter", "-t", template_type, "--no_input")
    texts = [path.read_text() for path in (tmp_path / "my_filter").iterdir() if path.suffix in (".md", ".toml", ".txt")]
    assert set(re.findall(r"cpex(?:\[cli\])?>=([\d.]+)", "".join(texts))) == {"0.1.100"}


@pytest.mark.parametrize("template_type", TYPES)
def test_the_config_and_the_manifest(template_type: str, bootstrap: Callable[..., Result], tmp_path: Path) -> None:
    """L3, B26, templates: both validate, and name hooks that exist."""
    bootstrap("-d", "my_filter", "-t", template_type, "--no_input")
    project = tmp_path / "my_filter"
    (entry,) = ConfigLoader.load_config(str(config_of(project))).plugins or []
    manifest = manifest_of(project)
    assert entry.config is not None
    assert entry.name == manifest.name == "MyFilter"
    assert entry.version == manifest.version == "0.1.0"
    assert entry.author == manifest.author == "Ann Author"
    assert entry.description == manifest.description == "A filter plugin"
    assert entry.kind == manifest.kind
    assert entry.config == manifest.default_config
    assert set(entry.hooks) == {"prompt_pre_fetch", "prompt_post_fetch", "tool_pre_invoke", "tool_post_invoke"}
    assert entry.hooks == manifest.available_hooks
    assert all(get_hook_registry().is_registered(hook) for hook in entry.hooks)
    class_path = entry.config["class_name"] if template_type == "isolated" else entry.kind
    assert class_path == "my_filter.plugin.MyFilter"


@pytest.mark.parametrize("template_type", TYPES)
def test_text_with_special_characters_breaks_no_file(
    template_type: str, bootstrap: Callable[..., Result], tmp_path: Path
) -> None:
    answers = [f"odd {ODD}", "my_filter", "1.0", f"author {ODD}", "ann@example.org", f"description {ODD}"]
    result = bootstrap("-d", "my_filter", "-t", template_type, stdin="\n".join([*answers, ""]))
    assert result.exit_code == 0, result.output
    project = tmp_path / "my_filter"
    (entry,) = ConfigLoader.load_config(str(config_of(project))).plugins or []
    manifest = manifest_of(project)
    assert entry.name == manifest.name == answers[0]
    assert entry.author == manifest.author == answers[3]
    assert entry.description == manifest.description == answers[5]
    for path in project.rglob("*.py"):
        ast.parse(path.read_text())
    if template_type == "external":
        metadata = tomllib.loads((project / "pyproject.toml").read_text())["project"]
        assert metadata["description"] == answers[5]
        assert metadata["authors"] == [{"name": answers[3], "email": "ann@example.org"}]


@pytest.mark.parametrize("template_type", TYPES)
def test_a_folder_with_a_dash(template_type: str, bootstrap: Callable[..., Result], tmp_path: Path) -> None:
    """The folder is the one asked for; a package inside it gets a name that can be imported."""
    result = bootstrap("-d", "my-filter", "-t", template_type, "--no_input")
    assert result.exit_code == 0, result.output
    project = tmp_path / "my-filter"
    (entry,) = ConfigLoader.load_config(str(config_of(project))).plugins or []
    assert entry.config is not None
    if template_type in FOLDER_PACKAGES:
        assert "no import statement can name my-filter" in result.output
        assert "my-filter.plugin.MyFilter" in (entry.kind, entry.config.get("class_name"))
    else:
        assert "no import statement" not in result.output
        assert entry.kind == "my_filter.plugin.MyFilter"
        assert (project / "my_filter" / "plugin.py").exists()


@pytest.mark.parametrize("name", ["class", "1st", "two words", "_private", "café", "a.b", "json", "cpex", "tests"])
def test_a_name_that_cannot_be_a_package_is_refused(
    name: str, bootstrap: Callable[..., Result], tmp_path: Path
) -> None:
    result = bootstrap("-d", name, "--no_input")
    assert result.exit_code == 4
    assert "Failed to create plugin project" in result.output
    assert repr(name) in result.output
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("plugin_name", ["!!", "1st", "Plugin", "None", "base model"])
def test_a_plugin_that_no_class_can_be_named_after_is_refused(
    plugin_name: str, bootstrap: Callable[..., Result], tmp_path: Path
) -> None:
    result = bootstrap("-d", "my_filter", stdin=f"{plugin_name}\n\n\n\n\n\n")
    assert result.exit_code == 4
    assert "Failed to create plugin project" in result.output
    assert "class" in result.output
    assert not list(tmp_path.iterdir())


def test_what_cookiecutter_is_asked_for(bootstrap: Callable[..., Result], cookiecutter: Mock) -> None:
    """L2: slug, output folder and extra context; local templates unless a repository is named."""
    context = {"plugin_slug": "mine", "author": "Ann Author", "email": "ann@example.org"}
    assert bootstrap("-d", "deep/mine", "-t", "external", "--no_input").exit_code == 0
    cookiecutter.assert_called_once_with(
        template=str(cli.LOCAL_TEMPLATES_DIR / "external"), output_dir="deep", no_input=True, extra_context=context
    )
    cookiecutter.reset_mock()
    assert bootstrap("-d", "mine", "-u", "https://example.org/t.git", "-r", "v1").exit_code == 0
    cookiecutter.assert_called_once_with(
        template="https://example.org/t.git",
        checkout="v1",
        directory="cpex/templates/native",
        output_dir=".",
        no_input=False,
        extra_context=context,
    )


def test_an_unknown_type_is_looked_for_in_the_repository(bootstrap: Callable[..., Result], cookiecutter: Mock) -> None:
    """L2: as the published command does."""
    result = bootstrap("-d", "mine", "-t", "wasm", "--no_input")
    assert result.exit_code == 0
    assert "There is no template 'wasm' here (native, external, isolated); looking in https://" in result.output
    assert cookiecutter.call_args.kwargs["template"] == cli.DEFAULT_TEMPLATE_URL
    assert cookiecutter.call_args.kwargs["directory"] == "cpex/templates/wasm"


@pytest.mark.parametrize("typed", ["extrenal", "External"])
def test_a_misspelt_type_is_not_looked_for_elsewhere(
    typed: str, bootstrap: Callable[..., Result], cookiecutter: Mock
) -> None:
    """L2: the status of a template that is nowhere, without the clone of a repository; -u still takes one there."""
    result = bootstrap("-d", "mine", "-t", typed, "--no_input")
    assert result.exit_code == 4
    assert f"no template '{typed}' here; did you mean external? The types are native, external, isolated" in (
        result.output
    )
    cookiecutter.assert_not_called()
    assert bootstrap("-d", "mine", "-t", typed, "-u", "https://example.org/t.git").exit_code == 0


def test_a_template_of_a_repository(bootstrap: Callable[..., Result], tmp_path: Path) -> None:
    """L2: -u and -r take the template from a tag of a real git repository."""
    origin = tmp_path / "origin.git"
    shutil.copytree(cli.LOCAL_TEMPLATES_DIR / "native", origin / "cpex" / "templates" / "native")
    git = ["git", "-C", str(origin), "-c", "user.name=a", "-c", "user.email=a@example.org"]
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-qm", "templates"], ["tag", "v1"]):
        subprocess.run([*git, *arguments], check=True)
    result = bootstrap("-d", "mine", "-u", f"file://{origin}", "-r", "v1", "--no_input")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "mine" / "plugin.py").exists()


def test_a_repository_that_cannot_be_cloned(bootstrap: Callable[..., Result], caplog: pytest.LogCaptureFixture) -> None:
    """L2: exit 4 with what git says; no password of the URL is shown or logged."""
    with caplog.at_level(logging.DEBUG):
        result = bootstrap("-d", "mine", "-u", "https://ann:pass-word@localhost:1/t.git", "--no_input")
    assert result.exit_code == 4
    assert "Failed to create plugin project: git: fatal:" in result.output
    assert "pass-word" not in result.output + caplog.text
    assert not logging.getLogger("cookiecutter.vcs").disabled


def test_an_existing_target_is_left_alone(bootstrap: Callable[..., Result], tmp_path: Path) -> None:
    """L2: exit 4; nothing is asked before."""
    (tmp_path / "mine").mkdir()
    for arguments in (("-d", "mine"), ()):
        result = bootstrap(*arguments)
        assert result.exit_code == 4
        assert "Failed to create plugin project" in result.output
        assert "already exists" in result.output
    assert not list((tmp_path / "mine").iterdir())


def test_missing_cookiecutter(bootstrap: Callable[..., Result], monkeypatch: pytest.MonkeyPatch) -> None:
    """L2: exit 1, and the extra to install."""
    monkeypatch.setitem(sys.modules, "cookiecutter.main", None)
    result = bootstrap("-d", "mine", "--no_input")
    assert result.exit_code == 1
    assert 'pip install "cpex[cli]"' in result.output


def test_missing_git(bootstrap: Callable[..., Result], cookiecutter: Mock, monkeypatch: pytest.MonkeyPatch) -> None:
    """L2: exit 1 if a template has to be cloned, of no account otherwise; M30: `command_exists` can be replaced."""
    monkeypatch.setattr(cli, "command_exists", lambda name: False)
    result = bootstrap("-d", "mine", "-u", "https://example.org/t.git")
    assert result.exit_code == 1
    assert "git" in result.output
    cookiecutter.assert_not_called()
    assert bootstrap("-d", "mine").exit_code == 0


@pytest.mark.parametrize("destination", ["new/mine", "."])
def test_a_dry_run_creates_nothing(destination: str, bootstrap: Callable[..., Result], tmp_path: Path) -> None:
    """L2: exit 0, whatever is there."""
    result = bootstrap("-d", destination, "-t", "external", "--dry_run")
    assert result.exit_code == 0
    assert f"Would create {destination}" in result.output
    assert not list(tmp_path.iterdir())


def test_no_answer_on_standard_input(bootstrap: Callable[..., Result], tmp_path: Path) -> None:
    result = bootstrap("-d", "mine", stdin="")
    assert result.exit_code == 4
    assert "--no_input" in result.output
    assert not list(tmp_path.iterdir())


def test_questions_on_a_terminal(tmp_path: Path) -> None:
    """L2: six questions; an empty answer takes the default."""
    controller, terminal = pty.openpty()
    command = [sys.executable, "-m", "cpex", "bootstrap", "-d", "mine"]
    process = subprocess.Popen(command, cwd=tmp_path, stdin=terminal, stdout=terminal, stderr=terminal, close_fds=True)
    os.close(terminal)
    os.write(controller, b"my URL filter\n\n2.0\n\n\nKeeps things out\n")
    shown = b"".join(iter(lambda: _read(controller), b"")).decode()
    os.close(controller)
    assert process.wait() == 0, shown
    assert "[6/6]" in shown
    manifest = manifest_of(tmp_path / "mine")
    assert manifest.name == "my URL filter"
    assert manifest.kind == "mine.plugin.MyURLFilter"
    assert manifest.version == "2.0"
    assert manifest.description == "Keeps things out"


def _read(controller: int) -> bytes:
    try:
        return os.read(controller, 4096)
    except OSError:  # Linux: the other side is closed
        return b""


def test_it_can_be_called_from_python(tmp_path: Path) -> None:
    """L2: the function has the published parameters and defaults."""
    cli.bootstrap(destination=tmp_path / "mine", template_type="isolated", no_input=True)
    assert (tmp_path / "mine" / "requirements.txt").exists()


@pytest.mark.parametrize("failure", [FileNotFoundError("git"), subprocess.CalledProcessError(1, "git")])
def test_git_does_not_know_the_user(failure: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    """L10: the author falls back to `<changeme>`."""
    monkeypatch.undo()
    monkeypatch.setattr(cli.subprocess, "run", Mock(side_effect=failure))
    assert cli.git_user_name() == cli.DEFAULT_AUTHOR_NAME == "<changeme>"
    assert cli.git_user_email() == cli.DEFAULT_AUTHOR_EMAIL == "<changeme>"


def test_git_knows_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """L10."""
    monkeypatch.undo()
    (tmp_path / "gitconfig").write_text("[user]\n  name = Bob\n  email = bob@example.org\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    monkeypatch.chdir(tmp_path)
    assert (cli.git_user_name(), cli.git_user_email()) == ("Bob", "bob@example.org")


def test_command_exists() -> None:
    """L10."""
    assert cli.command_exists("sh")
    assert not cli.command_exists("no-such-command-anywhere")


@pytest.mark.parametrize(
    ("plugin_name", "expected"),
    [("MyFilter", "MyFilter"), ("my URL filter", "MyURLFilter"), ("Bob's filter-2", "BobsFilter2")],
)
def test_class_names(plugin_name: str, expected: str) -> None:
    """L3: the plugin's name in CamelCase."""
    assert class_name(plugin_name) == expected


def test_package_names() -> None:
    assert package_name("my-Filter_2") == "my_Filter_2"


@pytest.mark.parametrize("text", ["plain", ODD, "tab\tline\nend", "", "\x85\u2028"])
def test_quoted_text_is_the_same_in_every_format(text: str) -> None:
    literal = quoted(text)
    assert yaml.safe_load(f"key: {literal}") == {"key": text}
    assert tomllib.loads(f"key = {literal}") == {"key": text}
    assert ast.literal_eval(literal) == text
    assert "{" not in literal


def test_the_types_complete() -> None:
    """Shell completion knows the templates."""
    words = {"_CPEX_COMPLETE": "complete_bash", "COMP_WORDS": "cpex bootstrap -t ", "COMP_CWORD": "3"}
    environment = {**os.environ, **words, "PLUGINS_CLI_COMPLETION": "true"}
    done = subprocess.run([sys.executable, "-m", "cpex"], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == list(TYPES)


@pytest.mark.parametrize("name", ["plugin.{{cookiecutter.__py}}", "cookiecutter.json"])
def test_the_templates_agree(name: str) -> None:
    """Each template stands alone, as a template of a repository must; what they share is the same text."""
    texts: dict[str, list[Any]] = {}
    for path in cli.LOCAL_TEMPLATES_DIR.rglob(name):
        texts.setdefault(path.read_text(), []).append(path)
    assert [len(paths) for paths in texts.values()] == [len(TYPES)]
