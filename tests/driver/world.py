"""A plugin that does what it is told, and the ways to call it: plain Python, and the engine."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from cpex.framework import (
    GlobalContext,
    Plugin,
    PluginConfig,
    PluginContext,
    PluginError,
    PluginPayload,
    PluginResult,
    TenantPluginManager,
)
from cpex.framework.models import Config

HOOK = "tool_pre_invoke"
SERIAL_WAYS = ("sequential", "transform", "audit", "alone")
WAYS = ("plain", *SERIAL_WAYS)

Body: TypeAlias = Callable[[], Awaitable[Any]]


class Payload(PluginPayload):
    """Something to hand round."""

    name: str = "t"


PAYLOAD = Payload()


class Scripted(Plugin):
    """Runs a body, and answers with what that returns, or allows."""

    def __init__(self, body: Body, name: str = "p", **fields: Any) -> None:
        super().__init__(PluginConfig(name=name, kind="k", hooks=[HOOK], **fields))
        self.body = body

    async def tool_pre_invoke(self, payload: Any, context: PluginContext) -> Any:
        answer = await self.body()
        return PluginResult() if answer is None else answer


class Remote(Plugin):
    """Hands on whatever a function returns, without being a coroutine function itself."""

    def __init__(self, answer: Callable[..., Any], name: str = "p", **fields: Any) -> None:
        super().__init__(PluginConfig(name=name, kind="k", hooks=[HOOK], **fields))
        self.answer = answer

    def invoke_hook(self, hook_type: str, payload: Any, context: PluginContext) -> Any:
        return self.answer()


def manager_of(*plugins: Plugin, timeout: float | None = None, **settings: Any) -> TenantPluginManager:
    """A manager with these plugins, and no time limit unless one is given."""
    manager = TenantPluginManager(Config(), timeout=timeout, **settings)
    for plugin in plugins:
        manager._registry.register(plugin)
    return manager


def request() -> GlobalContext:
    return GlobalContext(request_id="1")


async def invoke(manager: TenantPluginManager, **arguments: Any) -> PluginResult[Any]:
    """The result of the hook that the plugins here answer."""
    result, _ = await manager.invoke_hook(HOOK, PAYLOAD, request(), **arguments)
    return result


def call(way: str, body: Body, timeout: float | None = None, **fields: Any) -> Coroutine[Any, Any, Any]:
    """Calls a plugin with this body in one of `WAYS`; the tests of all of them expect the same."""
    if way == "plain":
        return Scripted(body).tool_pre_invoke(PAYLOAD, PluginContext(global_context=request()))
    if way == "alone":
        manager = manager_of(Scripted(body, **fields), timeout=timeout)
        return manager.invoke_hook_for_plugin("p", HOOK, PAYLOAD, request())
    return invoke(manager_of(Scripted(body, mode=way, **fields), timeout=timeout))


def own(error: BaseException) -> BaseException:
    """What the plugin raised: the engine wraps an `Exception` into a `PluginError` that it causes."""
    if isinstance(error, PluginError):
        assert error.__cause__ is not None
        return error.__cause__
    return error


async def settle(rounds: int = 5) -> None:
    """Lets everybody run who can."""
    for _ in range(rounds):
        await asyncio.sleep(0)


def task() -> asyncio.Task[Any]:
    """The current task."""
    current = asyncio.current_task()
    assert current is not None
    return current


def timers() -> list[asyncio.TimerHandle]:
    """The timers of the running event loop that will still go off."""
    scheduled: list[asyncio.TimerHandle] = getattr(asyncio.get_running_loop(), "_scheduled", [])
    return [timer for timer in scheduled if not timer.cancelled()]


@dataclass
class Journal:
    """What happened, in order."""

    lines: list[Any] = field(default_factory=list)

    def __call__(self, line: Any) -> None:
        self.lines.append(line)


@dataclass
class Suspended:
    """A body that waits until it is let go, and writes down how that ended."""

    journal: Journal = field(default_factory=Journal)
    started: asyncio.Event = field(default_factory=asyncio.Event)
    go: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self) -> None:
        self.started.set()
        try:
            await self.go.wait()
            self.journal("went on")
        except BaseException as error:
            self.journal(type(error).__name__)
            raise
        finally:
            self.journal("finally")


def collect() -> None:
    """Collects all garbage, finalizers included."""
    for _ in range(3):
        gc.collect()
