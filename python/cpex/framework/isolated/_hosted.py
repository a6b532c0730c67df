"""The program of a worker: one plugin, whose hooks a host of this package calls over a socket."""

from __future__ import annotations

import asyncio
import faulthandler
import logging
import os
import sys
from collections.abc import Coroutine
from types import TracebackType
from typing import Any

import pydantic_core

from cpex import _core
from cpex.framework._preparation import prepare_hooks
from cpex.framework.base import HookRef, Plugin
from cpex.framework.errors import PluginError, PluginViolationError
from cpex.framework.external._json import check_numbers
from cpex.framework.isolated._log import formatted, log_to_host
from cpex.framework.isolated._text import shown
from cpex.framework.isolated._wakeful import event_loop
from cpex.framework.models import PluginConfig, PluginContext, PluginErrorModel, PluginResult
from cpex.framework.registry import PluginInstanceRegistry
from cpex.framework.utils import import_module, parse_class_name

PROTOCOL = 1
"""Version of what is said on the socket."""

FEATURES = ("cancel", "context", "deadline", "extensions")
"""What this worker does of it."""

logger = logging.getLogger("cpex.framework.isolated")


def main() -> None:
    """Serve one plugin until the host is gone or has no more use for it.

    The program is started with a socket as its standard input; its only argument is the size of the largest message.
    """
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # a pipe: lines would wait
    faulthandler.enable()
    line = _core.WorkerLine(int(sys.argv[1]))
    try:
        number, said = line.hello()
        hello = pydantic_core.from_json(said)
        log_to_host(hello["log_level"])
        with asyncio.Runner(loop_factory=event_loop) as runner:
            runner.run(_serve(line, number, hello))
    except ConnectionError as error:
        logger.info("%s", error)


async def _serve(line: _core.WorkerLine, number: int, hello: dict[str, Any]) -> None:
    name = hello["config"]["name"]
    try:
        plugin, registry = await _load(hello)
    except Exception as error:
        logger.debug("The plugin cannot be loaded", exc_info=True)
        line.fail(number, _described(error, name))
        return
    try:
        bench = Bench(line, name, registry)
        about = {
            "protocol": PROTOCOL,
            "features": FEATURES,
            "takes_extensions": _takes_extensions(plugin, registry),
            "version": _core.__version__,
            "python": sys.version,
            "pid": os.getpid(),
        }
        line.ready(number, pydantic_core.to_json(about))
        # Meanwhile the host does the same.
        prepare_hooks(plugin.hooks)
        await bench.closed()
    finally:
        await plugin.shutdown()


async def _load(hello: dict[str, Any]) -> tuple[Plugin, PluginInstanceRegistry]:
    sys.path.append(hello["root"])
    module_name, class_name = parse_class_name(hello["class_name"])
    module = import_module(module_name)
    if not hasattr(module, class_name):
        from cpex.framework.loader._suggest import did_you_mean

        hint = did_you_mean(class_name, [name for name in vars(module) if isinstance(getattr(module, name), type)])
        raise LookupError(f"config.class_name: module '{module_name}' has no class '{class_name}'{hint}")
    plugin_class = getattr(module, class_name)
    if not (isinstance(plugin_class, type) and issubclass(plugin_class, Plugin)):
        raise TypeError(f"'{hello['class_name']}' is no class derived from cpex.framework.Plugin")
    plugin = plugin_class(PluginConfig.model_validate(hello["config"]))
    await plugin.initialize()
    registry = PluginInstanceRegistry()
    registry.register(plugin)
    return plugin, registry


def _takes_extensions(plugin: Plugin, registry: PluginInstanceRegistry) -> bool:
    refs = (registry.get_plugin_hook_by_name(plugin.name, hook) for hook in plugin.hooks)
    return any(ref is not None and ref.accepts_extensions for ref in refs)


class Bench:
    """Takes the calls of a host, many at a time, and runs each as a task of the event loop."""

    def __init__(self, line: _core.WorkerLine, plugin_name: str, registry: PluginInstanceRegistry) -> None:
        """Take calls from now on, on the running event loop.

        Args:
            line: Where they come from.
            plugin_name: Name of the plugin.
            registry: Knows its hooks.
        """
        self._line = line
        self._name = plugin_name
        self._registry = registry
        self._loop = asyncio.get_running_loop()
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._given_up: set[int] = set()
        self._expired: set[int] = set()
        self._over = self._loop.create_future()
        self._loop.add_reader(line.fileno(), self._turn)

    async def closed(self) -> None:
        """Wait until there are no more calls to come, and none is under way.

        Raises:
            ConnectionError: If the host broke the protocol.
        """
        try:
            await self._over
        finally:
            self._loop.remove_reader(self._line.fileno())
            left = list(self._tasks.values())
            for task in left:
                task.cancel()
            if left:
                await asyncio.wait(left)

    def _turn(self) -> None:
        try:
            calls, given_up, goes_on = self._line.take()
        except ConnectionError as error:
            self._end(error)
            return
        for call in calls:
            number = call.id
            if number in given_up:
                self._line.dropped(number)
                continue
            task = _task(self._loop, self._answer(call))
            # An eager one may have ended, and is not there to be removed.
            if not task.done():
                self._tasks[number] = task
        for number in given_up:
            self._stop(number, self._given_up)
        if not goes_on:
            self._end(None)

    def _expire(self, number: int) -> None:
        self._stop(number, self._expired)

    def _stop(self, number: int, why: set[int]) -> None:
        task = self._tasks.get(number)
        if task is not None:
            why.add(number)
            task.cancel()

    def _end(self, error: ConnectionError | None) -> None:
        self._loop.remove_reader(self._line.fileno())
        if self._over.done():
            return
        if error is None:
            self._over.set_result(None)
        else:
            self._over.set_exception(error)

    async def _answer(self, call: _core.WorkerCall) -> None:
        number, sent, deadline = call.id, call.context, call.deadline
        expiry = None if deadline is None else self._loop.call_later(deadline, self._expire, number)
        try:
            context = PluginContext.model_validate_json(sent)
            result = await self._run(call, context)
            text = result.__pydantic_serializer__.to_json(result)
            left = context.__pydantic_serializer__.to_json(context)
            # A denial stays one, whatever is beside it.
            if result.continue_processing:
                check_numbers(result, "result", text)
                check_numbers(context, "context", left if left != sent else b"")
            if not self._line.reply(number, text, left if left != sent else None):
                raise ValueError("the reply exceeds the limit of messages (max_content_size)")
        except asyncio.CancelledError as error:
            self._cancelled(number, error)
        except (Exception, SystemExit) as error:
            # A plugin that exits in one call must not take the others with it.
            self._fail(number, error)
        finally:
            if expiry is not None:
                expiry.cancel()
            self._tasks.pop(number, None)
            self._given_up.discard(number)
            self._expired.discard(number)

    def _cancelled(self, number: int, error: asyncio.CancelledError) -> None:
        if number in self._given_up:
            self._line.dropped(number)
        elif number in self._expired:
            text = f"Plugin {self._name} exceeded its deadline"
            model = PluginErrorModel(message=text, plugin_name=self._name, code="TIMED_OUT")
            self._fail(number, PluginError(model))
        else:
            self._fail(number, error)

    def _fail(self, number: int, error: BaseException) -> None:
        if self._line.fail(number, _described(error, self._name)):
            return
        # What it says is more than where it comes from.
        error.__traceback__ = None
        if not self._line.fail(number, _described(error, self._name)):
            large = ValueError("the plugin's error exceeds the limit of messages")
            self._line.fail(number, _described(large, self._name))

    async def _run(self, call: _core.WorkerCall, context: PluginContext) -> PluginResult[Any]:
        hook = call.hook
        hook_ref = self._registry.get_plugin_hook_by_name(self._name, hook) or self._late(hook)
        payload = hook_ref.plugin_ref.plugin.json_to_payload(hook, call.payload)
        if hook_ref.accepts_extensions:
            result = await hook_ref.hook(payload, context, _extensions(call.extensions))
        else:
            result = await hook_ref.hook(payload, context)
        if not isinstance(result, PluginResult):
            raise TypeError(f"hook {hook} returned a {type(result).__name__}, not a PluginResult")
        return result

    def _late(self, hook: str) -> HookRef:
        """A hook that the entry does not list."""
        plugin_ref = self._registry.get_plugin(self._name)
        assert plugin_ref is not None
        return HookRef(hook, plugin_ref)


def _task(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    """Begin at once, where that can be: most calls have ended before the event loop turns."""
    if sys.version_info >= (3, 12):
        return asyncio.Task(work, loop=loop, eager_start=True)
    return loop.create_task(work)


def _extensions(text: bytes | None) -> Any:
    if text is None:
        return None
    from cpex.framework.extensions.extensions import Extensions

    return Extensions.model_validate_json(text)


def _described(error: BaseException, plugin_name: str) -> bytes:
    """Describe a failure to the host, as JSON: an error model, and the traceback if it is the plugin's.

    An exception that is a denial is one of the host, too: `violation` is beside the fields.
    """
    model = getattr(error, "error", None) if isinstance(error, PluginError) else None
    if not isinstance(model, PluginErrorModel):
        model = PluginErrorModel(message=_shown(error), plugin_name=plugin_name)
    fields = {**model.__dict__, "traceback": formatted(error, _of_plugin(error.__traceback__))}
    if isinstance(error, PluginViolationError):
        fields |= {"message": str(error), "denial": True, "violation": error.violation}
    try:
        return pydantic_core.to_json(fields, inf_nan_mode="null")
    except (pydantic_core.PydanticSerializationError, ValueError, RecursionError):
        # Details that are no JSON, or text that is no Unicode. A denial stays one.
        texts = {name: shown(text) for name, text in fields.items() if isinstance(text, str)}
        return pydantic_core.to_json({**fields, **texts, "details": {}, "violation": None})


def _shown(error: BaseException) -> str:
    try:
        return repr(error)
    except Exception:
        # An exception of the plugin's own, which may do anything when it is looked at.
        return type(error).__name__


def _of_plugin(traceback: TracebackType | None) -> TracebackType | None:
    """The part of a traceback from the first frame on that is not of this module."""
    while traceback is not None and traceback.tb_frame.f_code.co_filename == __file__:
        traceback = traceback.tb_next
    return traceback
