"""A plugin that does what a scenario says, and notes what it was given."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, TypeAlias

from pydantic import RootModel

from cpex.framework import (
    Extensions,
    Plugin,
    PluginConfig,
    PluginContext,
    PluginPayload,
    PluginResult,
    PluginViolation,
    PluginViolationError,
    ToolPreInvokePayload,
)

from . import extension_texts

Row: TypeAlias = dict[str, Any]

HOOK = "tool_pre_invoke"
OUTAGE = "outage"
"""A hook at which those fail that are out of service when the scenario begins."""

TICK = 1.0
"""Seconds on the virtual clock for a millisecond of the table: what really passes meanwhile weighs nothing."""


class Failed(Exception):
    """What a plugin raises that fails."""


class Refused(PluginViolationError):
    """What a plugin raises instead of denying."""


class Interrupted(BaseException):
    """What no plugin may swallow."""


class Subtype(ToolPreInvokePayload):
    """A subtype of what the hook takes."""


class Incomparable(ToolPreInvokePayload):
    """A payload with a field that cannot be compared."""


class Other(PluginPayload):
    """Another payload."""

    name: str
    args: dict[str, str]


class Container(RootModel[dict[str, Any]], PluginPayload):
    """A payload that is a container."""


class Sealed(ToolPreInvokePayload):
    """A payload that cannot be copied often."""

    seal: Any


class Uncomparable(str):
    """A text that equals nothing, and says so."""

    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        raise ValueError("cannot be compared")


class Seal:
    """Breaks after some copies."""

    def __init__(self, copies: int) -> None:
        self.copies = copies

    def __deepcopy__(self, memo: Any) -> Seal:
        if self.copies == 0:
            raise Interrupted("interrupted while copying")
        self.copies -= 1
        return self


class Journal:
    """What plugins saw, in the order in which they started."""

    def __init__(self, original: Any) -> None:
        self.reachable = [original]
        self.given: list[tuple[str, str]] = []
        self.shown: list[tuple[str, str]] = []
        self.isolated: list[str] = []

    def note(self, name: str, payload: Any, extensions: Extensions | None) -> None:
        self.given.append((name, text(payload)))
        if shown := extension_texts.text(extensions):
            self.shown.append((name, shown))
        if all(payload is not other for other in self.reachable):
            self.isolated.append(name)


class Scripted(Plugin):
    """Does what its configuration says."""

    journal: Journal

    def __init__(self, config: PluginConfig) -> None:
        super().__init__(config)
        self.script: Row = config.config or {}

    async def tool_pre_invoke(self, payload: Any, context: PluginContext, extensions: Extensions | None) -> Any:
        return await self.play(payload, context, extensions)

    async def outage(self, payload: Any, context: PluginContext) -> Any:
        raise Failed("failed")

    async def play(self, payload: Any, context: PluginContext, extensions: Extensions | None) -> Any:
        self.journal.note(self.name, payload, extensions)
        # What it has seen of the state is old by the time it writes: nothing of that may come back.
        state = context.global_context.state
        await self.take_time()
        state.update(dict.fromkeys(self.script.get("writes_state", ()), self.name))
        for key in self.script.get("drops_state", ()):
            state.pop(key, None)
        match self.script.get("does"):
            case "fail":
                raise Failed("failed")
            case "refuse":
                raise Refused("refused", PluginViolation(reason="refused", code="c"))
            case "interrupt":
                raise Interrupted(self.name)
        return self.answer(payload, context, extensions)

    async def take_time(self) -> None:
        takes = self.script.get("takes_ms", 0) * TICK
        try:
            if self.script.get("does") == "hang":
                await asyncio.get_running_loop().create_future()
            elif takes:
                await asyncio.sleep(takes)
        except asyncio.CancelledError:
            if not self.script.get("resists"):
                raise

    def answer(self, payload: Any, context: PluginContext, extensions: Extensions | None) -> PluginResult[Any]:
        script = self.script
        reason = script.get("violation")
        proposed = self.propose(payload)
        self.journal.reachable.append(proposed)
        edits = script.get("writes_extensions")
        result = PluginResult[Any](
            continue_processing=not script.get("denies"),
            violation=PluginViolation(reason=reason, code="c") if reason else None,
            modified_payload=proposed,
            modified_extensions=extension_texts.edit(extensions, edits) if edits else None,
            metadata=dict.fromkeys(script.get("writes_metadata", ()), self.name),
            retry_delay_ms=script.get("retry_ms", 0),
        )
        match script.get("unreadable"):
            case "metadata":
                result.__dict__["metadata"] = 5
            case "state":
                context.global_context.__dict__["state"] = 5
        return result

    def propose(self, payload: Any) -> Any:
        match self.script.get("proposes"):
            case None:
                return None
            case "same":
                return payload
            case "name":
                return payload.model_copy(update={"name": payload.name + self.name})
            case "args":
                return payload.model_copy(update={"args": self.args(payload)})
            case "name_and_args":
                return payload.model_copy(update={"name": payload.name + self.name, "args": self.args(payload)})
            case "subtype":
                return Subtype(name=payload.name, args=self.args(payload))
            case "other":
                return Other(name=payload.name, args=dict(payload.args))
            case "foreign":
                return SimpleNamespace(name=payload.name, args=dict(payload.args))
            case "incomparable":
                return Incomparable(name=payload.name, args=payload.args).model_copy(
                    update={"name": Uncomparable(payload.name)}
                )
            case unknown:
                raise AssertionError(unknown)

    def args(self, payload: Any) -> dict[str, str]:
        return {"by": payload.args["by"] + self.name}


class Blind(Scripted):
    """Takes no extensions."""

    async def tool_pre_invoke(self, payload: Any, context: PluginContext) -> Any:  # type: ignore[override]
        return await self.play(payload, context, None)


def original(case: Row) -> Any:
    """The payload of the caller."""
    fields = {"name": "t", "args": {"by": ""}}
    if case.get("open_container"):
        return Container(fields)
    if "copies" in case:
        return Sealed(**fields, seal=Seal(case["copies"]))
    return ToolPreInvokePayload(**fields)


def text(payload: Any) -> str:
    """A payload as the table writes it."""
    kinds = {Subtype: "sub ", Incomparable: "incomparable ", Other: "other ", SimpleNamespace: "foreign "}
    fields = payload.root if isinstance(payload, Container) else vars(payload)
    by = fields["args"]["by"]
    return f"{kinds.get(type(payload), '')}{str(fields['name'])}{'/' if by else ''}{by}"
