"""`@hook` and what it stores (H3)."""

from __future__ import annotations

from unittest.mock import MagicMock

from cpex.framework import ToolHookType, ToolPreInvokePayload, ToolPreInvokeResult, hook
from cpex.framework.decorator import HookMetadata, get_hook_metadata, has_hook_metadata


async def handler(payload: object, context: object) -> None: ...


def test_single_name() -> None:
    @hook("one")
    async def method(payload: object, context: object) -> None: ...

    metadata = get_hook_metadata(method)
    assert metadata is not None
    assert metadata.hook_types == ["one"]
    assert metadata.hook_type == "one"
    assert metadata.payload_type is None
    assert metadata.result_type is None
    assert method._plugin_hook_metadata is metadata  # type: ignore[attr-defined]


def test_several_names_and_types() -> None:
    @hook(("a", "b"), ToolPreInvokePayload, ToolPreInvokeResult)
    async def method(payload: object, context: object) -> None: ...

    metadata = get_hook_metadata(method)
    assert metadata is not None
    assert metadata.hook_types == ["a", "b"]
    assert metadata.hook_type == "a"
    assert metadata.matches("b")
    assert not metadata.matches("c")
    assert metadata.payload_type is ToolPreInvokePayload
    assert metadata.result_type is ToolPreInvokeResult


def test_enum_name_matches_its_value() -> None:
    @hook(ToolHookType.TOOL_PRE_INVOKE)
    async def method(payload: object, context: object) -> None: ...

    metadata = get_hook_metadata(method)
    assert metadata is not None
    assert metadata.matches("tool_pre_invoke")


def test_outer_decorator_wins() -> None:
    @hook("one")
    @hook("two")
    async def method(payload: object, context: object) -> None: ...

    metadata = get_hook_metadata(method)
    assert metadata is not None
    assert metadata.hook_types == ["one"]


def test_undecorated() -> None:
    assert get_hook_metadata(handler) is None
    assert not has_hook_metadata(handler)
    assert get_hook_metadata(MagicMock()) is None


def test_metadata_defaults() -> None:
    metadata = HookMetadata(["x"])
    assert (metadata.hook_types, metadata.payload_type, metadata.result_type) == (["x"], None, None)
