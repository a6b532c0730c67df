"""Probes: models, messages, names, decision points."""

import asyncio
import sys
import types
from pathlib import Path
from typing import Any

import cpex.framework
from cpex.framework import GlobalContext, Plugin, PluginPayload, PluginResult, PluginViolation, get_hook_registry, hook
from cpex.framework.cmf.message import Message, Resource
from cpex.framework.cmf.view import iter_views
from cpex.framework.pdp import OpaResolver
from cpex.framework.utils import get_attr
from cpex.framework.validators import validate_plugin_url

from .kit import entry

PROMISED = ("Message", "MessageView", "MessagePayload", "MessageHookType", "IdentityPayload", "IdentityHookType")


class Letter(PluginPayload):
    """The payload of a hook of one's own."""

    text: str = ""


class Posts(Plugin):
    """Declares a hook of its own where it is answered."""

    @hook("letter_sent_of_row_b4", Letter, PluginResult[Letter])
    async def posted(self, payload: Letter, context: Any) -> PluginResult[Letter]:
        return PluginResult(metadata={"posted": payload.text})


def message_of(*content: Any) -> Message:
    """Returns a message with these parts."""
    return Message.model_validate({"role": "user", "content": list(content)})


def view_of(*content: Any) -> Any:
    """Returns the view of the only part of a message."""
    (view,) = iter_views(message_of(*content), None, None)
    return view


def short_violation(folder: Path) -> Any:
    """Returns a violation without a description, as text."""
    return PluginViolation(reason="no", code="NO").description  # type: ignore[call-arg, unused-ignore]


async def hook_of_ones_own(folder: Path) -> Any:
    """Calls a hook that was declared with types at its method."""
    from cpex.framework import TenantPluginManager
    from cpex.framework.models import Config

    name = "letter_sent_of_row_b4"
    manager = TenantPluginManager(Config())
    manager._registry.register(Posts(entry(Posts, hooks=[name])))
    known = get_hook_registry().get_payload_type(name)
    return known and known.__name__


def text_of_a_view(folder: Path) -> str:
    """Returns the text of a view."""
    text: str = view_of({"content_type": "text", "text": "hello"}).text
    return text


def promised_names(folder: Path) -> list[str]:
    """Returns the names of messages and identity that `cpex.framework` lacks."""
    return [name for name in PROMISED if not hasattr(cpex.framework, name)]


def dotted_name(folder: Path) -> Any:
    """Walks into an object by a dotted name."""
    return get_attr(types.SimpleNamespace(a=types.SimpleNamespace(b=1)), "a.b", "not found")


def binary_resource(folder: Path) -> str:
    """Returns a resource that is no text as JSON."""
    resource = Resource.model_validate(
        {"resource_request_id": "r", "uri": "u://x", "resource_type": "blob", "blob": b"\xff"}
    )
    written = resource.model_dump(mode="json")
    return f"{written['blob']} {written.get('blob_encoding')}"


def uri_matches(folder: Path, uri: str, pattern: str) -> bool:
    """Says whether a URI matches a pattern."""
    reference = {"resource_request_id": "r", "uri": uri, "resource_type": "file", "name": "n"}
    view = view_of({"content_type": "resource_ref", "content": reference})
    matches: bool = view.matches_uri_pattern(pattern)
    return matches


def size_of_a_view(folder: Path) -> Any:
    """Returns the size of a text that has no UTF-8 form."""
    return view_of({"content_type": "text", "text": "a\ud800"}).size_bytes


def borrowed_name(folder: Path) -> bool:
    """Says whether a module has what it imports from another package."""
    from cpex.framework import manager

    return hasattr(manager, "asyncio")


def imported_at_once(folder: Path) -> Any:
    """Says what importing the framework has imported: too early to ask here, so another process is asked."""
    import json
    import subprocess

    program = (
        "import sys, json, cpex.framework as f;"
        "heavy = {'mcp', 'fastapi', 'httpx', 'httpx2', 'grpc', 'uvicorn', 'starlette'} & set(sys.modules);"
        "print(json.dumps(['PluginManager' in vars(f), bool(heavy), len(sys.modules) > 500]))"
    )
    done = subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def names_by_path(folder: Path) -> bool:
    """Says whether names are the same however they are imported."""
    from cpex.framework import PluginManager
    from cpex.framework.manager import PluginManager as by_path

    return PluginManager is by_path and GlobalContext.__module__ == "cpex.framework.models"


def malformed_endpoint(folder: Path, endpoint: str, headers: dict[str, str]) -> str:
    """Says where a malformed endpoint or header of a decision point is found out."""
    try:
        resolver = OpaResolver(endpoint, headers=headers, fail_open=True)
    except ValueError:
        return "made"
    try:
        return f"asked: {asyncio.run(resolver.resolve({})).allowed}"
    except Exception:
        return "asked: error"


def private_address(folder: Path, url: str) -> str:
    """Validates the address of a plugin."""
    validate_plugin_url(url)
    return "taken"
