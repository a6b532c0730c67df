"""Where calls from the network meet the plugins, on the event loop."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

import pydantic_core

from cpex.framework.errors import PluginError, convert_exception_to_error
from cpex.framework.extensions.extensions import Extensions
from cpex.framework.extensions.tiers import merge_extensions
from cpex.framework.external._json import check_numbers
from cpex.framework.models import PluginContext, PluginErrorModel, PluginResult

if TYPE_CHECKING:
    from cpex import _core
    from cpex.framework.manager import PluginManager

logger = logging.getLogger(__name__)


class Desk:
    """Takes the calls of a service, many at a time, and runs each as a task."""

    def __init__(self, service: _core.PluginService, manager: PluginManager) -> None:
        """Take calls from now on, on the running event loop.

        Args:
            service: Where they come from.
            manager: Whose plugins they are for.
        """
        self._service = service
        self._manager = manager
        self._loop = asyncio.get_running_loop()
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._given_up: set[asyncio.Task[None]] = set()
        self._loop.add_reader(service.fileno(), self._turn)

    async def close(self, patience: float) -> None:
        """Take no more calls, and wait for plugins that were told to stop.

        Args:
            patience: Seconds to wait.
        """
        self._turn()
        self._loop.remove_reader(self._service.fileno())
        left = {*self._tasks.values(), *self._given_up}
        for task in left:
            task.cancel()
        if left:
            _, stubborn = await asyncio.wait(left, timeout=patience)
            if stubborn:
                logger.warning("%s plugin calls do not stop", len(stubborn))

    def _turn(self) -> None:
        calls, abandoned, lines = self._service.take()
        for level, line in lines:
            logger.log(level, "%s", line)
        for call in calls:
            task = self._loop.create_task(self._answer(call))
            # An eager task may have ended, and is not there to be removed.
            if not task.done():
                self._tasks[call.id] = task
        for call_id in abandoned:
            given_up = self._tasks.pop(call_id, None)
            if given_up is not None:
                self._given_up.add(given_up)
                given_up.add_done_callback(self._given_up.discard)
                given_up.cancel()

    async def _answer(self, call: _core.PluginCall) -> None:
        name = call.plugin
        try:
            context = PluginContext.model_validate_json(call.context)
            result = await self._run(call, context)
            text = result.__pydantic_serializer__.to_json(result)
            kept = None if context.is_empty() else context.__pydantic_serializer__.to_json(context)
            # A denial stays one, whatever is beside it.
            if result.continue_processing:
                check_numbers(result, "result", text)
                check_numbers(context, "context", kept or b"")
            call.answer(text, kept, result.continue_processing)
        except (Exception, SystemExit) as error:
            # A plugin that exits must not take those of others with it.
            _fail(call, error_model(error, name))
        finally:
            self._tasks.pop(call.id, None)

    async def _run(self, call: _core.PluginCall, context: PluginContext) -> PluginResult[Any]:
        manager, text = self._manager, call.extensions
        hook_ref = None if text is None else manager._registry.get_plugin_hook_by_name(call.plugin, call.hook)
        if text is None or hook_ref is None:
            return await manager.invoke_hook_for_plugin(
                call.plugin, call.hook, call.payload, context, payload_as_json=True
            )
        payload = hook_ref.plugin_ref.plugin.json_to_payload(call.hook, call.payload)
        extensions = Extensions.model_validate_json(text)
        result = await manager._get_executor().execute_plugin(hook_ref, payload, context, False, extensions=extensions)
        if result.modified_extensions is not None:
            # The host compares with all that it sent, also with what the plugin is not shown here.
            granted, written = hook_ref.plugin_ref.capabilities, result.modified_extensions
            result.modified_extensions = merge_extensions(extensions, written, granted, call.plugin)
        return result


def error_model(error: Exception | SystemExit, plugin_name: str) -> PluginErrorModel:
    """Describe to a peer why a call failed.

    Args:
        error: What was raised.
        plugin_name: Name of the plugin that was asked.

    Returns:
        The plugin's own description if it gave one.
    """
    return error.error if isinstance(error, PluginError) else convert_exception_to_error(error, plugin_name)


def _fail(call: _core.PluginCall, error: PluginErrorModel) -> None:
    try:
        details = pydantic_core.to_json(error.details or {}, inf_nan_mode="null")
        call.fail(error.message, error.plugin_name, error.code or "", details, error.mcp_error_code)
    except Exception as unsendable:
        # Details that are no JSON, or a code that is no 32-bit number.
        plain = convert_exception_to_error(unsendable, error.plugin_name)
        call.fail(error.message, plain.plugin_name, "", b"{}", plain.mcp_error_code)
