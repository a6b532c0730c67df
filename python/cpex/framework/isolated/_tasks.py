"""What a host of CPEX 0.1.x asks a worker: tasks, as JSON objects, one a line (W40-W47)."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import os
import platform
import sys
from collections.abc import Callable
from contextlib import nullcontext
from importlib.metadata import distributions
from pathlib import Path
from typing import Any, BinaryIO, Final

from pydantic import ValidationError

from cpex import _core
from cpex.framework._executor import PluginExecutor
from cpex.framework.base import Plugin
from cpex.framework.errors import PluginError
from cpex.framework.extensions.extensions import Extensions
from cpex.framework.external._json import problems_of
from cpex.framework.isolated._credential import CredentialError, redacted, with_credential
from cpex.framework.loader.plugin import allowed_roots
from cpex.framework.models import PluginConfig, PluginContext, PluginErrorModel, PluginResult
from cpex.framework.registry import PluginInstanceRegistry
from cpex.framework.utils import import_module, parse_class_name

PROTOCOL_VERSION: Final = 1
FEATURES: Final = ("credential", "extensions", "modified_extensions")
CPEX_VERSION: Final = "0.1.4"
"""The release whose contract this is."""

_PATIENCE: Final = 30
"""Seconds that a hook may take."""
_UNKNOWN: Final = "unknown"
_CHUNK: Final = 64 * 1024
_SECRET_HEADERS: Final = frozenset({"authorization", "cookie", "x-api-key"})

logger = logging.getLogger("cpex.framework.isolated.worker")

Reply = dict[str, Any]


class TaskError(Exception):
    """A task that cannot be carried out, in the words for the host."""


def serve() -> None:
    """Carry out tasks, one after the other, until the standard input ends or a task says so.

    The standard output is for replies alone: what a plugin prints goes to the standard error.
    """
    logging.basicConfig(stream=sys.stderr, format="%(levelname)s:%(name)s:%(message)s")
    replies = os.fdopen(os.dup(1), "wb")
    tasks = os.fdopen(os.dup(0), "rb")
    os.dup2(2, 1)
    with open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    worker = _Worker()
    with asyncio.Runner() as runner:
        while (line := _next_line(tasks, worker.limit)) is not None:
            reply, goes_on = runner.run(worker.answer(line))
            replies.write(_written(reply, worker.limit) + b"\n")
            replies.flush()
            if not goes_on:
                break
        runner.run(worker.forget())


def _next_line(tasks: BinaryIO, limit: int | None) -> bytes | None:
    """Read a line; of one that is too long only so much that this can be seen."""
    most = -1 if limit is None else limit * 4 + 2
    line = tasks.readline(most)
    if not line:
        return None
    rest = line
    while not rest.endswith(b"\n") and most > 0 and (rest := tasks.readline(_CHUNK)):
        line = line[: most + 1] + b"x"
    return line


def _written(reply: Reply, limit: int | None) -> bytes:
    text = json.dumps(reply)
    if limit is not None and len(text) > limit:
        text = json.dumps(_error("Serialized response exceeds max content size", reply.get("request_id", _UNKNOWN)))
    return text.encode()


def _error(message: str, request_id: Any, model: PluginErrorModel | None = None) -> Reply:
    reply = {"status": "error", "message": message, "request_id": request_id}
    if model is not None:
        reply["error"] = model.model_dump(mode="json")
    return reply


class _Worker:
    """One plugin at a time: that of the last task."""

    def __init__(self) -> None:
        self.limit: int | None = None
        """Characters of a task and of a reply; known when a plugin is."""
        self._digest = b""
        self._plugin: Plugin | None = None
        self._registry = PluginInstanceRegistry()
        self._executor = PluginExecutor(timeout=_PATIENCE)

    async def answer(self, line: bytes) -> tuple[Reply, bool]:
        """Carry out a task.

        Args:
            line: The task, as JSON.

        Returns:
            What to reply, and whether there are more tasks to come.
        """
        task: Any = None
        try:
            text = line.decode()
            if self.limit is not None and len(text.rstrip("\n")) > self.limit:
                return _error("Task line exceeds max content size", _UNKNOWN), True
            task = json.loads(text)
            if not isinstance(task, dict):
                raise TaskError(f"a task is an object, not a {type(task).__name__}")
            if task.get("task_type") == "shutdown":
                return {"status": "success", "message": "Shutting down", "request_id": task.get("request_id")}, False
            return {**await self._reply(task), "request_id": task.get("request_id", _UNKNOWN)}, True
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            return _error(f"Invalid JSON input: {error}", _UNKNOWN), True
        except Exception as error:
            logger.error("A task failed: %s", type(error).__name__)
            request_id = task.get("request_id", _UNKNOWN) if isinstance(task, dict) else _UNKNOWN
            return _failed(error, request_id, _wants(task)), True

    async def forget(self) -> None:
        """Shut the plugin down, if there is one."""
        plugin, self._plugin, self._digest = self._plugin, None, b""
        if plugin is not None:
            self._registry.unregister(plugin.name)
            try:
                await plugin.shutdown()
            except Exception:
                logger.exception("Plugin '%s' failed to shut down", plugin.name)

    async def _reply(self, task: dict[str, Any]) -> Reply:
        match task.get("task_type"):
            case "load_and_run_hook":
                return await self._run(task)
            case "info":
                return {"status": "success", "environment": _about(), "message": _INFO}
            case "capabilities":
                return {
                    "status": "success",
                    "protocol_version": PROTOCOL_VERSION,
                    "features": list(FEATURES),
                    "cpex_version": CPEX_VERSION,
                }
            case _:
                return {"status": "error", "message": "task type not supported."}

    async def _run(self, task: dict[str, Any]) -> Reply:
        plugin = await self._loaded(task)
        hook = str(task.get("hook_type"))
        payload = plugin.json_to_payload(hook, task.get("payload") or {})
        context = PluginContext.model_validate(task.get("context"))
        hook_ref = self._registry.get_plugin_hook_by_name(plugin.name, hook)
        if hook_ref is None:
            text = f"Plugin '{plugin.name}' has no hook: '{hook}'"
            raise PluginError(PluginErrorModel(message=text, plugin_name=plugin.name))
        payload, token = with_credential(hook, payload, task.get("credential"))
        extensions = _extensions(task.get("extensions"))
        with redacted(token) if token else nullcontext():
            result = await self._executor.execute_plugin(hook_ref, payload, context, False, extensions=extensions)
        reply = _dumped(result)
        if token and token in json.dumps(reply, ensure_ascii=False):
            raise CredentialError("plugin result echoed the inbound credential")
        if "context" in _wants(task) and not context.is_empty():
            reply["context"] = context.model_dump(mode="json")
        return reply

    async def _loaded(self, task: dict[str, Any]) -> Plugin:
        """The plugin of a task: the same one as long as its configuration is the same."""
        text = task.get("config")
        if not isinstance(text, str):
            raise TaskError(f"the JSON object must be str, bytes or bytearray, not {type(text).__name__}")
        try:
            config = json.loads(text)
        except json.JSONDecodeError as error:
            raise TaskError(f"config is no JSON: {error}") from None
        folders = [_checked(folder) for folder in task.get("plugin_dirs") or ()]
        digest = hashlib.sha256(text.encode()).digest()
        if self._plugin is not None and digest == self._digest:
            return self._plugin
        for folder in folders:
            if folder not in sys.path:
                sys.path.append(folder)
        module_name, class_name = parse_class_name(str(task.get("class_name")))
        plugin_class: Callable[[PluginConfig], Plugin] = getattr(import_module(module_name), class_name)
        plugin = plugin_class(PluginConfig.model_validate(config))
        await plugin.initialize()
        await self.forget()
        self._registry.register(plugin)
        self._plugin, self._digest, self.limit = plugin, digest, plugin.config.max_content_size
        return plugin


_INFO: Final = "Environment info retrieved successfully"


def _about() -> dict[str, Any]:
    return {
        "python_version": sys.version,
        "python_executable": sys.executable,
        "platform": platform.platform(),
        "installed_packages": sorted({str(each.metadata["Name"]) for each in distributions()}),
    }


def _checked(folder: Any) -> str:
    path = Path(str(folder)).resolve()
    if not path.is_dir():
        raise TaskError(f"plugin module_path '{path}' does not exist.")
    if not any(path.is_relative_to(root) for root in allowed_roots()):
        raise TaskError(f"plugin module_path '{path}' not in allowed plugin dirs.")
    return str(path)


def _wants(task: Any) -> frozenset[str]:
    wanted = task.get("want") if isinstance(task, dict) else None
    return frozenset(map(str, wanted)) if isinstance(wanted, list) else frozenset()


def _extensions(given: Any) -> Extensions | None:
    """What is known of the slots that a host sent; nothing if they cannot be read."""
    if given is None:
        return None
    try:
        known = {name: given[name] for name in given if name in Extensions.model_fields}
        if len(known) < len(given):
            logger.warning("Slots of the extensions that this worker does not know are left out")
        return Extensions.model_validate(known)
    except (TypeError, ValidationError):
        logger.warning("The extensions of a task cannot be read, and are left out")
        return None


def _dumped(result: PluginResult[Any]) -> Reply:
    _core.complete(result)
    reply = result.model_dump(mode="json")
    if reply.get("modified_extensions") is not None:
        _without_secrets(reply["modified_extensions"])
    return reply


def _without_secrets(value: Any) -> None:
    """Take headers that are credentials out of all maps of headers."""
    if isinstance(value, list):
        for each in value:
            _without_secrets(each)
    if not isinstance(value, dict):
        return
    for name, part in value.items():
        if name.lower().endswith("headers") and isinstance(part, dict):
            for header in [header for header in part if header.lower() in _SECRET_HEADERS]:
                del part[header]
        _without_secrets(part)


def _failed(error: Exception, request_id: Any, wants: frozenset[str]) -> Reply:
    """Say what went wrong, in the words of CPEX 0.1.x; nothing of what the task held is in it."""
    model = error.error if isinstance(error, PluginError) else None
    if isinstance(error, CredentialError):
        text = str(error)
    elif isinstance(error, ValidationError):
        text = f"Unexpected error: {problems_of(error, error.title)}"
    else:
        text = f"Unexpected error: {model.message if model else error}"
    return _error(text, request_id, model if "context" in wants or "error" in wants else None)
