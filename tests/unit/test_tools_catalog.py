"""The catalog: kinds, manifests, versions, archives, sources (L5, L7, L8, L10, L11)."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from cpex.framework.isolated._packages import Packages
from cpex.framework.models import PluginManifest
from cpex.tools._plugins.github import members
from cpex.tools._plugins.isolated import IsolatedPlugin
from cpex.tools._plugins.packages import unpack
from cpex.tools._plugins.rollback import files_restored_on_failure
from cpex.tools._plugins.sources import GitSource, _parse_pypi_source, _plugin_name_from_source, parse_git_source
from cpex.tools.catalog import (
    KIND_FQN,
    KIND_KNOWN,
    KIND_REJECT,
    PluginCatalog,
    classify_plugin_kind,
    convert_fqn_kind_in_place,
    supported_kinds_message,
)
from cpex.tools.settings import get_catalog_settings, get_plugin_registry_path


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PLUGIN_REGISTRY_FILE", raising=False)
    return tmp_path


def manifest(name: str = "guard", **fields: Any) -> PluginManifest:
    known: dict[str, Any] = {
        "name": name,
        "kind": "native",
        "description": "d",
        "author": "a",
        "version": "1.0.0",
        "tags": ["Tagged"],
        "available_hooks": ["tool_pre_invoke"],
        "default_config": {},
    }
    return PluginManifest(**{**known, **fields})


@pytest.mark.parametrize(
    ("kind", "sort"),
    [
        *((kind, KIND_KNOWN) for kind in ("native", "PDP", "external", "builtin", "wasm", "isolated_venv")),
        *((kind, KIND_FQN) for kind in ("a.b.C", "a.B", "A.B", "a.b.C ", "isolated_venv.X")),
        *(
            (kind, KIND_REJECT)
            for kind in ("a.b.c", "a..B", "C", "", None, "a.1b.C", "a-b.C", "a._C", "a.b:C", "weird")
        ),
    ],
)
def test_kinds(kind: str | None, sort: str) -> None:
    """L7."""
    assert classify_plugin_kind(kind) == sort


@pytest.mark.parametrize(
    ("settings", "class_name"),
    [(None, "a.b.C"), ({"class_name": "x.Y"}, "x.Y"), ({"class_name": ""}, "a.b.C"), ([1], "a.b.C")],
)
def test_a_class_path_becomes_isolated_venv(settings: Any, class_name: str) -> None:
    """L7: a class that is named already stays."""
    data = {"kind": "a.b.C", "default_config": settings}
    assert convert_fqn_kind_in_place(data) is data
    assert data == {"kind": "isolated_venv", "default_config": {"class_name": class_name}}


def test_kinds_that_are_not_converted(caplog: pytest.LogCaptureFixture) -> None:
    """L7: an unknown kind is an error that names the known ones, or with --no-convert a warning."""
    assert convert_fqn_kind_in_place({"kind": "a.b.C"}, convert=False) == {"kind": "a.b.C"}
    with pytest.raises(ValueError, match="^Unsupported plugin 'kind'. Expected one of: PDP, builtin, external"):
        convert_fqn_kind_in_place({"kind": "weird"})
    assert convert_fqn_kind_in_place({"kind": "weird"}, convert=False) == {"kind": "weird"}
    assert supported_kinds_message() in caplog.text


def test_find_and_search() -> None:
    """L5: a whole name in any case; a part of a name, or a tag."""
    catalog = PluginCatalog()
    assert catalog.search("guard") is None
    for name in ("My-Guard", "other"):
        catalog.create_catalog_folder(name)
        catalog.save_manifest(
            manifest(name, tags=["Tagged"] if name == "other" else []), f"{name}/plugin-manifest.yaml"
        )
    found = catalog.find("my-guard")
    assert found is not None and found.name == "My-Guard"
    assert catalog.find("my") is None

    def names(query: str | None) -> list[str]:
        return [item.name for item in catalog.search(query) or ()]

    assert names("guard") == ["My-Guard"]
    assert names("TAGGED") == ["other"]
    assert names("tag") == []
    assert names(None) == names("") == ["My-Guard", "other"]


def test_a_broken_manifest_is_left_out(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    catalog = PluginCatalog()
    for name, text in (("bad", "name: ["), ("worse", "- a"), ("good", yaml.safe_dump(manifest().model_dump()))):
        catalog.create_catalog_folder(name)
        catalog.save_catalog_content(text, f"{name}/plugin-manifest.yaml")
    catalog.load()
    assert [item.name for item in catalog.manifests] == ["guard"]
    assert "plugin-catalog/bad/plugin-manifest.yaml" in caplog.text
    assert "plugin-catalog/worse/plugin-manifest.yaml" in caplog.text


@pytest.mark.parametrize("path", ["../out", "/etc/out", "a/../../out"])
def test_nothing_is_written_outside_of_the_catalog(path: str) -> None:
    catalog = PluginCatalog()
    with pytest.raises(ValueError, match="leads out of"):
        catalog.create_catalog_folder(path)
    with pytest.raises(ValueError, match="leads out of"):
        catalog.save_catalog_content("x", path)
    with pytest.raises(ValueError, match="leads out of"):
        catalog.update_plugin_version_registry(manifest(path), Path("p"))


def test_versions_are_kept_newest_first(folder: Path) -> None:
    """L6: a preview is not the latest; what the package says of a version counts."""
    catalog = PluginCatalog()
    package = folder / "package"
    package.mkdir()
    published = {"version": "1.9.0", "released": "2020-01-01", "manifest_file": "m", "changelog": "c"}
    (package / "versions.json").write_text(json.dumps({"versions": [published]}))
    for version in ("1.9.0", "2.0.0rc1", "1.10.0"):
        catalog.update_plugin_version_registry(manifest(version=version), package)
    data = json.loads((folder / "plugin-catalog/guard/versions.json").read_text())
    assert [entry["version"] for entry in data["versions"]] == ["2.0.0rc1", "1.10.0", "1.9.0"]
    assert data["latest"]["version"] == "1.10.0"
    assert data["latest_prerelease"]["version"] == "2.0.0rc1"
    assert data["versions"][2]["changelog"] == "c"


def test_refresh_needs_a_token(caplog: pytest.LogCaptureFixture) -> None:
    """L4: what it returns is whether it failed."""
    caplog.set_level("INFO")
    assert PluginCatalog().update_catalog_with_pyproject() is True
    assert "No GitHub token set" in caplog.text


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (httpx.Response(200, text="<html>"), "the list of files cannot be read"),
        (httpx.Response(200, json={"tree": [], "truncated": True}), "has more files than the API lists"),
        (httpx.Response(401), "HTTP 401; PLUGINS_GITHUB_TOKEN is not accepted"),
        (httpx.Response(403), "HTTP 403; PLUGINS_GITHUB_TOKEN may not read this repository"),
        (httpx.Response(404), "HTTP 404; is PLUGINS_REPO_URLS right"),
        (httpx.Response(500), "HTTP 500"),
    ],
)
def test_a_refresh_that_fails_says_why(
    answer: httpx.Response, message: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """L4: and never says the token."""
    monkeypatch.setenv("PLUGINS_GITHUB_TOKEN", "t0ken")
    answer.request = httpx.Request("GET", "https://api.github.com")
    monkeypatch.setattr(httpx, "get", lambda *_, **__: answer)
    assert PluginCatalog().update_catalog_with_pyproject() is True
    assert message in caplog.text
    assert "t0ken" not in caplog.text


def test_an_api_that_is_not_there(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """L4: the address is told without what is secret in it."""
    monkeypatch.setenv("PLUGINS_GITHUB_TOKEN", "t0ken")
    monkeypatch.setenv("PLUGINS_GITHUB_API", "http://ann:s3cret@127.0.0.1:1")
    assert PluginCatalog().update_catalog_with_pyproject() is True
    assert "ConnectError at http://***@127.0.0.1:1; is PLUGINS_GITHUB_API right?" in caplog.text
    assert not {"t0ken", "s3cret"} & set(caplog.text.replace("@", ":").split(":"))


def test_credentials_of_a_repository_are_not_stored(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They stay in the environment: a manifest has the bare address, and installing puts them back."""
    address = "https://bob:s3cret@github.example/owner/repo"
    monkeypatch.setenv("PLUGINS_GITHUB_TOKEN", "t0ken")
    monkeypatch.setenv("PLUGINS_REPO_URLS", f"https://github.example/other/one, {address}.git")
    tree = {"tree": [{"path": f"guard/{file}", "type": "blob"} for file in ("pyproject.toml", "plugin-manifest.yaml")]}

    def answer(url: str, **_: Any) -> httpx.Response:
        request = httpx.Request("GET", url)
        if "/other/one/" in url:
            return httpx.Response(200, json={"tree": []}, request=request)
        if "git/trees" in url:
            return httpx.Response(200, json=tree, request=request)
        return httpx.Response(200, text=yaml.safe_dump(manifest().model_dump(mode="json")), request=request)

    monkeypatch.setattr(httpx, "get", answer)
    catalog = PluginCatalog()
    assert catalog.update_catalog_with_pyproject() is False
    stored = [path.read_text() for path in folder.rglob("*") if path.is_file()]
    assert any("https://github.example/owner/repo#subdirectory=guard" in text for text in stored)
    assert not any("s3cret" in text or "bob" in text for text in stored)

    wanted: list[str] = []

    def download(_python: str, requirement: str, *_: Any) -> Path:
        wanted.append(requirement)
        raise RuntimeError("not today")

    monkeypatch.setattr("cpex.tools.catalog.download", download)
    catalog.load()
    known = catalog.find("guard")
    assert known is not None
    with pytest.raises(RuntimeError, match="not today"):
        catalog.install_folder_via_pip(known)
    assert wanted == [f"git+{address}.git#subdirectory=guard"]


def test_a_project_that_is_no_package(folder: Path) -> None:
    """L6: the message says what to do with one."""
    Path("native").mkdir()
    with pytest.raises(FileNotFoundError, match="^pyproject.toml not found in native or .* under plugin_dirs$"):
        PluginCatalog().install_from_local(Path("native"))


def test_members_are_projects_with_a_manifest() -> None:
    files = [
        "pyproject.toml",
        "a/pyproject.toml",
        "a/pkg/plugin-manifest.yaml",
        "a/pkg/templates/plugin-manifest.yaml",
        "b/pyproject.toml",
        "c/d/plugin-manifest.yaml",
    ]
    assert members(files) == {"a": "a/pkg/plugin-manifest.yaml", ".": "c/d/plugin-manifest.yaml"}


@pytest.mark.parametrize("member", ["../evil.py", "/abs.py", "a/../../evil.py", "C:/evil.py", "..\\evil.py"])
def test_a_zip_that_leads_out_is_refused(member: str, folder: Path) -> None:
    """L8."""
    path = folder / "p.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("good.py", "")
        archive.writestr(member, "")
    with pytest.raises(ValueError, match="leads out of the folder"):
        unpack(path, folder / "out")
    assert not (folder / "out").exists()


@pytest.mark.parametrize("member", ["../evil.py", "link"])
def test_a_tar_that_leads_out_is_refused(member: str, folder: Path) -> None:
    """L8."""
    path = folder / "p.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        info = tarfile.TarInfo(member)
        if member == "link":
            info.type, info.linkname = tarfile.SYMTYPE, "../../etc"
        archive.addfile(info, io.BytesIO())
    with pytest.raises(ValueError, match="Cannot unpack p.tar.gz"):
        unpack(path, folder / "out")
    assert not (folder / "evil.py").exists()


def test_git_sources() -> None:
    """L6, L11."""
    source = parse_git_source("my-plugin @ git+https://example.com/a/b.git@v1.0")
    assert source == GitSource("my-plugin", "https://example.com/a/b.git", "v1.0")
    assert source.requirement == "git+https://example.com/a/b.git@v1.0"
    assert parse_git_source("p @ git+git@example.com:a/b").requirement == "git+ssh://git@example.com/a/b"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("git+https://example.com/a", "Invalid Git URL format: 'git+https://example.com/a'. Expected format: "),
        ("p @ https://example.com/a", "Git URL must start with 'git+': 'https://example.com/a'"),
        ("p @ git+file:///a/b", "Invalid Git repository URL: Invalid Git repository URL 'file:///a/b'"),
        ("p @ git+http://127.0.0.1/a", "contains IP address blocked by SSRF protection"),
        ("p @ git+https://example.com/a@-x", "Invalid Git branch/tag/commit '-x'"),
        ("-p @ git+https://example.com/a", "Invalid PyPI package name '-p'"),
    ],
)
def test_git_sources_that_are_refused(source: str, message: str) -> None:
    """L11."""
    with pytest.raises(ValueError) as caught:
        parse_git_source(source)
    assert message in str(caught.value)


def test_names_in_sources() -> None:
    """L10."""
    assert _parse_pypi_source("p@>=1") == ("p", ">=1")
    assert _parse_pypi_source("p") == ("p", None)
    assert _parse_pypi_source("p@a@b") == ("p", "a@b")
    assert _plugin_name_from_source("p@>=1", "pypi") == "p"
    assert _plugin_name_from_source("p@>=1", "monorepo") == "p@>=1"
    assert _plugin_name_from_source("p @ git+https://h/x@main", "git") == "p"
    assert _plugin_name_from_source("../p", "local") == "../p"


@pytest.mark.parametrize("class_name", [None, 3, "Class", "../x.Class", "a-b.C"])
def test_an_isolated_plugin_needs_a_class(class_name: object) -> None:
    """Z1."""
    with pytest.raises(ValueError, match="default_config.class_name"):
        IsolatedPlugin.below("plugins", manifest(kind="isolated_venv", default_config={"class_name": class_name}))


def test_requirements_stay_in_the_plugin(folder: Path) -> None:
    """Z4: in the package, else in the plugin's folder; nowhere else. What fails leaves nothing."""
    (folder / "secret.txt").write_text("x")
    package = folder / "package"
    package.mkdir()

    def build(named: str) -> None:
        settings = {"class_name": "a.B", "requirements_file": named}
        plugin = IsolatedPlugin.below("plugins", manifest(kind="isolated_venv", default_config=settings))
        with plugin.built(Packages(), package):
            pass

    with pytest.raises(ValueError, match="Invalid requirements_file path"):
        build("../secret.txt")
    (package / "r.txt").write_text("-r ../secret.txt\n")
    with pytest.raises(ValueError, match="leads out of the plugin's folder"):
        build("r.txt")
    with pytest.raises(FileNotFoundError, match="requirements_file: 's.txt' is in none of"):
        build("s.txt")
    assert not (folder / "plugins/a").exists()


def test_files_are_put_back(folder: Path) -> None:
    (folder / "f").write_text("old")
    (folder / "d").mkdir()
    (folder / "d/kept").write_text("old")
    paths = [folder / name for name in ("f", "d", "new", "newer")]
    with pytest.raises(RuntimeError, match="boom"), files_restored_on_failure(*paths):
        (folder / "f").write_text("new")
        (folder / "d/kept").unlink()
        (folder / "d/more").write_text("x")
        (folder / "new").write_text("x")
        (folder / "newer/deep").mkdir(parents=True)
        (folder / "newer/deep/file").write_text("x")
        raise RuntimeError("boom")
    assert {str(path.relative_to(folder)) for path in folder.rglob("*")} == {"f", "d", "d/kept"}
    assert (folder / "f").read_text() == (folder / "d/kept").read_text() == "old"


def test_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Defaults of 0.1.4; the registry's folder is PLUGIN_REGISTRY_FILE."""
    assert get_catalog_settings().model_dump() == {
        "GITHUB_TOKEN": None,
        "GITHUB_API": "api.github.com",
        "REPO_URLS": "https://github.com/ibm/cpex-plugins",
        "REGISTRY_FOLDER": "data",
        "CATALOG_FOLDER": "plugin-catalog",
        "FOLDER": "plugins",
        "VERIFY_PACKAGE_INTEGRITY": True,
        "STRICT_INTEGRITY_MODE": False,
    }
    assert get_plugin_registry_path() == Path("data/installed-plugins.json")
    monkeypatch.setenv("PLUGIN_REGISTRY_FILE", "elsewhere")
    monkeypatch.setenv("PLUGINS_STRICT_INTEGRITY_MODE", "true")
    assert get_plugin_registry_path() == Path("elsewhere/installed-plugins.json")
    assert get_catalog_settings().STRICT_INTEGRITY_MODE is True
