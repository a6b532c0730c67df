"""Manifests, versions and the registry of installed plugins (L10, L11)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from cpex.framework.models import (
    GitRepo,
    InstalledPluginInfo,
    InstalledPluginRegistry,
    PluginInstallationType,
    PluginManifest,
    PluginMode,
    PluginPackageInfo,
    PluginVersionInfo,
    PluginVersionRegistry,
    PyPiRepo,
)

PACKAGE_FORM = (
    "Package names must start and end with a letter or number, "
    "and can only contain ASCII letters, numbers, hyphens, underscores, and periods."
)
CONSTRAINT_FORM = "Must follow PEP 440 format (e.g., '>=1.0.0', '~=1.2.3', '==1.0.0,<2.0.0')"
URL_FORM = "Must be a valid Git URL (e.g., https://github.com/user/repo.git, git@github.com:user/repo.git)"


def error_of(model: type[BaseModel], **fields: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        model.model_validate(fields)
    return str(caught.value.errors()[0]["msg"]).removeprefix("Value error, ")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (" ", "PyPI package name cannot be empty or whitespace"),
        ("-a", f"Invalid PyPI package name '-a'. {PACKAGE_FORM}"),
        ("a" * 215, f"PyPI package name '{'a' * 215}' exceeds maximum length of 214 characters"),
    ],
)
def test_package_names(name: str, message: str) -> None:
    assert error_of(PyPiRepo, pypi_package=name) == message


@pytest.mark.parametrize("constraint", [">=1.0,<2", ">=1.0, <2 ", ">= 1.0", "~=1.0a1", "!=1"])
def test_version_constraints(constraint: str) -> None:
    assert PyPiRepo(pypi_package="a", version_constraint=constraint).version_constraint == constraint


@pytest.mark.parametrize(
    ("constraint", "message"),
    [
        ("1.0", f"Invalid version constraint '1.0'. {CONSTRAINT_FORM}"),
        (">=1;x", f"Invalid version constraint '>=1;x'. {CONSTRAINT_FORM}"),
        (">=1,", "Version constraint cannot contain empty parts"),
        (" ", "Version constraint cannot be empty or whitespace"),
        (">=" + "1" * 260, f"Version constraint '>={'1' * 260}' exceeds maximum length of 255 characters"),
    ],
)
def test_bad_version_constraints(constraint: str, message: str) -> None:
    assert error_of(PyPiRepo, pypi_package="a", version_constraint=constraint) == message


@pytest.mark.parametrize(
    "url", ["https://github.com/a/b.git", "http://h:8080/a", "git://h/a", "git@github.com:a/b.git", "git@h/a"]
)
def test_git_urls(url: str) -> None:
    assert GitRepo(git_repository=url, git_branch_tag_commit=None).git_repository == url


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("file:///a", f"Invalid Git repository URL 'file:///a'. {URL_FORM}"),
        ("https://h/a;rm", f"Invalid Git repository URL 'https://h/a;rm'. {URL_FORM}"),
        (" ", "Git repository URL cannot be empty or whitespace"),
        ("https://10.0.0.1/a", "Git repository URL contains IP address blocked by SSRF protection (10.0.0.1)"),
    ],
)
def test_bad_git_urls(url: str, message: str) -> None:
    assert error_of(GitRepo, git_repository=url, git_branch_tag_commit=None) == message


@pytest.mark.parametrize(
    ("ref", "message"),
    [
        (
            "a b",
            "Invalid Git branch/tag/commit 'a b'. "
            "Must contain only alphanumeric characters, hyphens, underscores, slashes, and periods.",
        ),
        ("-x", "Invalid Git branch/tag/commit '-x'. Cannot start with /, ., or - or end with / or ."),
        ("x/", "Invalid Git branch/tag/commit 'x/'. Cannot start with /, ., or - or end with / or ."),
        (" ", "Git branch/tag/commit cannot be empty or whitespace"),
        ("a" * 256, f"Git branch/tag/commit '{'a' * 256}' exceeds maximum length of 255 characters"),
    ],
)
def test_bad_git_references(ref: str, message: str) -> None:
    assert error_of(GitRepo, git_repository="https://h/a", git_branch_tag_commit=ref) == message


def test_a_package_has_a_source_and_a_reference_its_repository() -> None:
    no_source = "At least one installation method must be specified: either 'pypi_package' or 'git_repository'"
    assert error_of(PluginPackageInfo, pypi_package="") == no_source
    assert error_of(PluginPackageInfo, pypi_package="a", git_branch_tag_commit="x") == (
        "'git_branch_tag_commit' can only be specified when 'git_repository' is provided"
    )
    assert PluginPackageInfo(pypi_package="a", version_constraint="").version_constraint is None


def manifest(**fields: Any) -> PluginManifest:
    return PluginManifest.model_validate(
        {
            "name": "My Plugin",
            "kind": "k",
            "description": "d",
            "author": "a",
            "version": "1",
            "tags": ["t"],
            "available_hooks": ["h"],
            "default_config": {"a": 1, "n": {"x": 1}},
            **fields,
        }
    )


def test_instances_of_a_manifest() -> None:
    assert manifest().suggest_instance_name() == "my-plugin"
    config = manifest().create_instance_config("i", PluginMode.AUDIT, 5, {"n": {"y": 2}, "b": 3})
    assert (config.name, config.kind, config.mode, config.priority) == ("i", "k", PluginMode.AUDIT, 5)
    assert (config.description, config.author, config.version) == ("d", "a", "1")
    assert (config.hooks, config.tags, config.config) == (["h"], ["t"], {"a": 1, "n": {"y": 2}, "b": 3})


def version(number: str, bounds: str | None = "0.1.0,0.2.0") -> PluginVersionInfo:
    return PluginVersionInfo(version=number, released="2020", manifest_file="m", min_max_framework_version=bounds)


@pytest.mark.parametrize(
    ("framework", "versions", "newest"),
    [
        ("0.1.5", [version("10.0"), version("9.0")], "10.0"),
        ("0.1.5", [version("1.0"), version("2.0a1")], "2.0a1"),
        ("0.1.5", [version("2.0"), version("2.0.dev1")], "2.0"),
        ("0.1.0", [version("1.0")], "1.0"),
        ("0.2.0", [version("1.0")], "1.0"),
        ("0.2.1", [version("1.0")], None),
        ("0.1.0.dev3", [version("1.0")], None),
        ("0.1.0", [version("1.0", "0.1.0")], None),
        ("0.1.0", [version("1.0", None)], None),
        ("0.1.0", [version("1.0", " 0.1.0 , 0.2.0 ")], "1.0"),
        ("bad", [version("1.0")], None),
    ],
)
def test_latest_compatible(framework: str, versions: list[PluginVersionInfo], newest: str | None) -> None:
    found = PluginVersionRegistry(versions=versions).get_latest_compatible(framework)
    assert (found.version if found else None) == newest


def test_default_version_is_the_latest_named_one() -> None:
    assert PluginVersionRegistry(versions=[version("1.0")]).get_version() is None
    assert PluginVersionRegistry(versions=[], latest=version("3.0")).get_version() == version("3.0")


def installed(name: str, number: str | None = None) -> InstalledPluginInfo:
    return InstalledPluginInfo(
        name=name,
        kind="k",
        version=number,
        installation_type=PluginInstallationType.PYPI,
        installation_path="/p",
        installed_at="t",
        installed_by="u",
    )


def test_registry_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "deep" / "data"
    monkeypatch.setenv("PLUGIN_REGISTRY_FILE", str(folder))
    registry = InstalledPluginRegistry()
    registry.register_plugin(installed("a"))
    registry.register_plugin(installed("b"))
    registry.register_plugin(installed("a", "2"))
    assert [(plugin.name, plugin.version) for plugin in registry.plugins] == [("b", None), ("a", "2")]
    assert registry.unregister_plugin("b") is True
    assert registry.unregister_plugin("b") is False
    assert [path.name for path in folder.iterdir()] == ["installed-plugins.json"]
    saved = (folder / "installed-plugins.json").read_text()
    assert InstalledPluginRegistry.model_validate_json(saved) == registry
    assert saved.startswith('{\n  "plugins": [\n')
