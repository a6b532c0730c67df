"""Helpers (M25, M26, H5, H8, B4)."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from cpex.framework.utils import (
    StructuredData,
    coerce_messages,
    coerce_nested,
    find_package_path,
    get_attr,
    import_module,
    manifest_filename_for_class,
    parse_class_name,
)


def nested(depth: int) -> Any:
    return {"a": nested(depth - 1)} if depth else 1


def test_dicts_become_objects_at_any_depth() -> None:
    data = coerce_nested({"a": {"b": [{"c": 1}, "x"]}})
    assert data.a.b[0].c == 1
    assert data.model_dump() == {"a": {"b": [{"c": 1}, "x"]}}
    assert coerce_nested((1, {"a": 2})) == (1, {"a": 2})
    assert coerce_nested({1: 2}) == {1: 2}


def test_deep_and_broad_values_stay_plain(caplog: pytest.LogCaptureFixture) -> None:
    value = coerce_nested(nested(21))
    for _ in range(20):
        assert isinstance(value, StructuredData)
        value = value.a  # type: ignore[attr-defined]
    assert value == {"a": 1}
    assert isinstance(coerce_nested({str(number): 0 for number in range(500)}), StructuredData)
    with caplog.at_level(logging.WARNING):
        assert isinstance(coerce_nested({str(number): 0 for number in range(501)}), dict)
        assert coerce_nested([{}] * 501)[0] == {}
    assert [record.getMessage() for record in caplog.records] == [
        "coerce_nested: dict has 501 keys (limit 500); returning as plain dict",
        "coerce_nested: list has 501 items (limit 500); skipping coercion",
    ]


def test_messages() -> None:
    first, second, third = coerce_messages([{"a": 1}, "x", [{"b": 1}]])
    assert (first.a, second, third) == (1, "x", [{"b": 1}])
    assert coerce_messages({"a": 1}) == {"a": 1}


@pytest.mark.parametrize(
    ("obj", "name", "expected"),
    [
        (None, "a", "d"),
        ({"a": 1}, "a", 1),
        ({"a": 0}, "a", "d"),
        ({"a": ""}, "a", "d"),
        ({}, "a", "d"),
        ([1], "a", "d"),
        (StructuredData.model_validate({"a": 1}), "a", 1),
        ({"a": {"b": 2}}, "a.b", 2),
        ({"a": StructuredData.model_validate({"b": 2})}, "a.b", 2),
        ({"a.b": 3}, "a.b", 3),
        ({"a": 1}, "a.b", "d"),
    ],
)
def test_get_attr(obj: Any, name: str, expected: Any) -> None:
    assert get_attr(obj, name, "d") == expected


def test_class_paths() -> None:
    assert parse_class_name("a.b.C") == ("a.b", "C")
    assert parse_class_name("C") == ("", "C")


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("pkg.m.C", "pkg-m-C.plugin-manifest.yaml"),
        ("...", "plugin.plugin-manifest.yaml"),
        ("a b/c_d-e", "a-b-c_d-e.plugin-manifest.yaml"),
    ],
)
def test_manifest_names(name: str, file: str) -> None:
    assert manifest_filename_for_class(name) == file


@pytest.mark.parametrize("name", ["os", "os.path", "sys", "subprocess", "http.server", "importlib.util", "runpy"])
def test_blocked_modules(name: str) -> None:
    with pytest.raises(ImportError, match=f"^Plugin module '{name}' is blocked for security reasons.$"):
        import_module(name)


@pytest.mark.parametrize("name", ["a..b", "a/b", "a\\b"])
def test_module_names_that_are_paths(name: str) -> None:
    with pytest.raises(ImportError) as caught:
        import_module(name)
    assert str(caught.value) == f"Plugin module name '{name}' contains invalid characters."


def test_other_modules_are_imported() -> None:
    assert import_module("json") is json
    with pytest.raises(ImportError):
        import_module("osx_is_not_os")


def test_package_folders() -> None:
    assert find_package_path("json") == Path(json.__file__).parent
    with pytest.raises(RuntimeError, match="^Could not find installed package: nowhere$"):
        find_package_path("nowhere")


def test_package_folder_is_that_of_its_manifest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "filter_plugin"
    folder.mkdir()
    (folder / "plugin-manifest.yaml").write_text("")
    info = tmp_path / "filter_dist-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: filter-dist\nVersion: 1.0\n")
    (info / "RECORD").write_text("filter_plugin/plugin-manifest.yaml,,\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert find_package_path("filter-dist") == folder
