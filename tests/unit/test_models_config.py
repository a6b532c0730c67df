"""Plugin configuration: modes, capabilities, external checks, conditions (F2, F4-F8, B17, B32, B33)."""

from __future__ import annotations

import logging
import pickle
from typing import Any

import pytest
from pydantic import ValidationError

from cpex.framework.models import Config, OnError, PluginCondition, PluginConfig, PluginMode

DUMP_OF_A_MINIMAL_PLUGIN: dict[str, Any] = {
    "name": "p",
    "description": None,
    "author": None,
    "kind": "a.B",
    "namespace": None,
    "version": None,
    "hooks": [],
    "tags": [],
    "mode": "sequential",
    "on_error": "fail",
    "priority": 100,
    "max_content_size": 10_000_000,
    "conditions": [],
    "applied_to": None,
    "capabilities": [],
    "config": None,
    "mcp": None,
    "grpc": None,
    "unix_socket": None,
}
KNOWN_CAPABILITIES = (
    "['append_delegation', 'append_labels', 'read_agent', 'read_claims', 'read_delegation', 'read_headers', "
    "'read_labels', 'read_permissions', 'read_roles', 'read_subject', 'read_teams', 'write_headers']"
)


def plugin(**fields: Any) -> PluginConfig:
    return PluginConfig.model_validate({"name": "p", "kind": "a.B", **fields})


def external(**fields: Any) -> PluginConfig:
    return plugin(kind="external", **fields)


def error_of(**fields: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        plugin(**fields)
    return str(caught.value.errors()[0]["msg"]).removeprefix("Value error, ")


def test_minimal_plugin_dumps_every_published_field_and_no_other() -> None:
    assert plugin().model_dump() == DUMP_OF_A_MINIMAL_PLUGIN
    assert plugin().to_json() == DUMP_OF_A_MINIMAL_PLUGIN
    assert list(plugin().model_dump()) == list(DUMP_OF_A_MINIMAL_PLUGIN)


def test_safe_config_is_compact_json() -> None:
    assert plugin(config={"a": "é"}).get_safe_config().startswith('{"name":"p","description":null,')
    assert '"config":{"a":"é"}' in plugin(config={"a": "é"}).get_safe_config()


@pytest.mark.parametrize(
    ("mode", "on_error", "expected"),
    [
        ("enforce", None, (PluginMode.SEQUENTIAL, OnError.FAIL)),
        ("permissive", None, (PluginMode.TRANSFORM, OnError.FAIL)),
        ("enforce_ignore_error", None, (PluginMode.SEQUENTIAL, OnError.IGNORE)),
        ("enforce_ignore_error", "disable", (PluginMode.SEQUENTIAL, OnError.DISABLE)),
        ("audit", "ignore", (PluginMode.AUDIT, OnError.IGNORE)),
    ],
)
def test_modes_and_legacy_modes(mode: str, on_error: str | None, expected: tuple[PluginMode, OnError]) -> None:
    given = {"mode": mode} if on_error is None else {"mode": mode, "on_error": on_error}
    config = plugin(**given)
    assert (config.mode, config.on_error) == expected


def test_legacy_modes_are_lower_case_only() -> None:
    assert error_of(mode="Enforce") == (
        "Input should be 'fire_and_forget', 'concurrent', 'sequential', 'transform', 'audit' or 'disabled'"
    )


def test_migration_leaves_the_callers_dict_alone() -> None:
    entry = {"name": "p", "kind": "a.B", "mode": "enforce_ignore_error"}
    PluginConfig.model_validate(entry)
    assert entry == {"name": "p", "kind": "a.B", "mode": "enforce_ignore_error"}


def test_frozen() -> None:
    with pytest.raises(ValidationError, match="Instance is frozen"):
        plugin().name = "other"  # type: ignore[misc]


@pytest.mark.parametrize("container", [list, tuple, set, frozenset])
def test_capabilities_of_any_collection_dump_sorted(container: type) -> None:
    config = plugin(capabilities=container(["write_headers", "read_agent"]))
    assert config.capabilities == {"write_headers", "read_agent"}
    assert config.model_dump()["capabilities"] == ["read_agent", "write_headers"]


def test_unknown_capability() -> None:
    assert error_of(capabilities=["x"]) == f"Unknown capability: 'x'. Known: {KNOWN_CAPABILITIES}"


def test_a_single_capability_is_taken_and_warned_about(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert plugin(capabilities="read_headers").capabilities == {"read_headers"}
    assert "should be a list" in caplog.text


def test_no_capabilities_from_something_else(caplog: pytest.LogCaptureFixture) -> None:
    assert plugin(capabilities=None).capabilities == frozenset()
    assert caplog.text == ""
    assert plugin(capabilities=7).capabilities == frozenset()
    assert "should be a list" in caplog.text


def test_our_own_fields_are_dumped_only_when_set() -> None:
    config = plugin(required=True, on_missing="deny", timeout_ms=250)
    ours = {"required": True, "on_missing": "deny", "timeout_ms": 250}
    assert config.model_dump() == {**DUMP_OF_A_MINIMAL_PLUGIN, **ours}
    assert PluginConfig.model_validate(config.model_dump()) == config
    assert "timeout_ms" not in repr(plugin())


@pytest.mark.parametrize("timeout_ms", [0, -1])
def test_timeout_must_be_positive(timeout_ms: int) -> None:
    assert error_of(timeout_ms=timeout_ms) == "Input should be greater than 0"


def test_on_missing_knows_one_word() -> None:
    assert error_of(on_missing="allow") == "Input should be 'deny'"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "External plugin p must have 'mcp', 'grpc', or 'unix_socket' section configured"),
        (
            {"config": {"a": 1}},
            "Cannot have p plugin defined as 'external' with 'config' set. "
            "'config' section settings can only be set on the plugin server.",
        ),
        (
            {"unix_socket": {"path": "/s"}, "grpc": {"target": "h:1"}},
            "External plugin p can only have one transport configured (mcp, grpc, or unix_socket)",
        ),
        ({"mcp": {"proto": "STDIO"}}, "Plugin p has transport type set to STDIO but no script/cmd value"),
        (
            {"mcp": {"proto": "STDIO", "script": "x.py", "cmd": ["x"]}},
            "Plugin p must set either script or cmd for STDIO, not both",
        ),
        (
            {"mcp": {"proto": "STREAMABLEHTTP"}},
            "Plugin p has transport type set to StreamableHTTP but no url value",
        ),
        ({"mcp": {"proto": "SSE"}}, "Plugin p has transport type set to StreamableHTTP but no url value"),
        (
            {"mcp": {"proto": "GRPC"}},
            "Plugin p must set transport type to either SSE or STREAMABLEHTTP or STDIO",
        ),
        (
            {"mcp": {"proto": "HTTP", "url": "http://h"}},
            "Plugin p must set transport type to either SSE or STREAMABLEHTTP or STDIO",
        ),
    ],
)
def test_external_plugins_say_how_they_are_reached(fields: dict[str, Any], message: str) -> None:
    assert error_of(kind="external", **fields) == message


def test_external_settings_are_refused_only_when_there_are_some() -> None:
    mcp = {"proto": "STDIO", "script": "x.py"}
    assert external(mcp=mcp, config={}).config == {}
    entry = {"name": "p", "kind": "external", "mcp": mcp, "config": {"a": 1}}
    served = PluginConfig.model_validate(entry, context={"ignore_config_external": True})
    assert served.config == {"a": 1}


def test_other_kinds_may_have_transports() -> None:
    config = plugin(unix_socket={"path": "/s"}, grpc={"target": "h:1"})
    assert config.unix_socket is not None
    assert config.grpc is not None


def test_condition_sets_dump_as_lists_and_empty_ones_as_none() -> None:
    condition = PluginCondition.model_validate({"server_ids": ["b", "a"], "tools": [], "content_types": []})
    assert condition.model_dump() == {
        "server_ids": ["a", "b"],
        "tenant_ids": None,
        "tools": None,
        "prompts": None,
        "resources": None,
        "agents": None,
        "user_patterns": None,
        "content_types": [],
    }


def test_condition_content_types_are_normalised() -> None:
    condition = PluginCondition(content_types=["Text/HTML; charset=x", " A/B "])
    assert condition.content_types == ["text/html", "a/b"]


def test_config_file_sections() -> None:
    assert Config().model_dump() == {
        "plugins": [],
        "plugin_dirs": [],
        "server_settings": None,
        "grpc_server_settings": None,
        "unix_socket_server_settings": None,
    }
    assert Config.model_validate({"plugins": None, "plugin_settings": {"x": 1}}).plugins is None
    with pytest.raises(ValidationError):
        Config.model_validate({"plugin_dirs": None})


def test_defaults_are_not_shared() -> None:
    first, second = Config(), Config()
    first.plugin_dirs.append("x")
    assert second.plugin_dirs == []


def test_classes_live_where_the_published_ones_do() -> None:
    assert PluginConfig.__module__ == "cpex.framework.models"
    assert pickle.loads(pickle.dumps(plugin(hooks=["h"]))) == plugin(hooks=["h"])
