"""Plays cases on whichever CPEX this interpreter has: JSON lines in, one observation a line out.

Knows `cpex.framework` and the standard library only, so that it runs beside the published package as well.
"""

import asyncio
import copy
import importlib
import json
import logging
import os
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import cpex.framework as framework
from cpex.framework import GlobalContext, PluginContext, PluginManager, PluginResult, TenantPluginManager
from cpex.framework.extensions import Extensions
from cpex.framework.hooks.policies import HookPayloadPolicy
from cpex.framework.models import Config
from cpex.framework.observability import current_trace_id
from cpex.framework.settings import settings

from . import script
from .case import PAYLOADS, Call, Case, Manager, Observation
from .clock import VirtualLoop
from .observe import Listener, Spans, dump, tell

SETTLE_SECONDS = 3600.0


class World:
    """One case being played: its manager, its plugins' stage and everything that was noticed."""

    def __init__(self, case: Case, listener: Listener, scratch: str) -> None:
        self.case = case
        self.listener = listener
        self.scratch = scratch
        self.spans = Spans()
        self.names: dict[str, str] = {}
        self.stage = script.Stage({plugin["name"]: plugin["scripts"] for plugin in reversed(case["plugins"])})
        script.set_stage(self.stage)

    async def play(self) -> Observation:
        """Runs the whole case."""
        try:
            self.manager = await self._load()
        except Exception as error:
            return {"load": tell(error)}
        self._learn_names()
        loaded = {"plugins": self.manager.plugin_count, "has": self.manager.has_hooks_for(self.case["hook"])}
        if self.case["manager"].get("observed"):
            current_trace_id.set("trace")
        calls: list[Observation] = []
        table: dict[str, PluginContext] | None = None
        context: GlobalContext | None = None
        for index, call in enumerate(self.case["calls"]):
            if "before" in call:
                await self._prepare(call["before"])
            if context is None or not call.get("keep_context"):
                context = self._context(index, call)
            noticed, table = await self._call(call, context, table if call.get("table") else None)
            calls.append(noticed)
        await self.manager.shutdown()
        return {"load": loaded, "calls": calls}

    async def _load(self) -> PluginManager:
        options: Manager = self.case["manager"]
        policies = {hook: HookPayloadPolicy(frozenset(fields)) for hook, fields in options.get("policies", {}).items()}
        arguments: dict[str, Any] = {
            "hook_policies": policies or None,
            "default_hook_policy": options.get("default_policy"),
            "observability": self.spans if options.get("observed") else None,
        }
        timeout = options.get("timeout", 30)
        if timeout is not None:
            arguments["timeout"] = timeout
        entries = [self._entry(plugin) for plugin in self.case["plugins"]]
        PluginManager.reset()
        manager: PluginManager
        if options["made"] == "config":
            manager = TenantPluginManager(Config.model_validate({"plugins": entries}), **arguments)
        else:
            with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".yaml", dir=self.scratch) as file:
                json.dump({"plugins": entries, "plugin_dirs": []}, file, ensure_ascii=False)
                file.flush()
                kind = TenantPluginManager if options["made"] == "yaml" else PluginManager
                manager = kind(file.name, **arguments)
        if timeout is None:
            manager.executor.timeout = None
        await manager.initialize()
        return manager

    async def _prepare(self, what: str) -> None:
        if what == "restart":
            await self.manager.shutdown()
            await self.manager.initialize()
        elif what == "enable_again":
            await self.manager.executor.reset_runtime_disabled()
        elif self.case["plugins"]:
            self.manager._registry.unregister(self.case["plugins"][0]["name"])
        self._learn_names()

    def _learn_names(self) -> None:
        self.listener.take()
        self.names |= {ref.uuid: ref.name for ref in self.manager._registry.get_all_plugins()}

    def _entry(self, plugin: Any) -> dict[str, Any]:
        keys = ("name", "mode", "priority", "on_error", "conditions", "config", "capabilities")
        entry = {key: plugin[key] for key in keys if key in plugin}
        entry["hooks"] = plugin.get("hooks", [self.case["hook"]])
        own_kind = f"{script.__name__}.{script.KINDS[plugin.get('style', 'named')]}"
        entry["kind"] = plugin.get("kind", own_kind)
        return entry

    def _context(self, index: int, call: Call) -> GlobalContext:
        fields = call.get("context", self.case["context"])
        return GlobalContext.model_validate({"request_id": f"req-{index}", **copy.deepcopy(fields)})

    def _payload(self, call: Call) -> Any:
        name = PAYLOADS[call.get("hook", self.case["hook"])]
        model = getattr(framework, name, None) or getattr(script, name)
        return model.model_validate(_build(call.get("payload", self.case["payload"])))

    def _extensions(self, call: Call) -> Extensions | None:
        fields = call.get("extensions", self.case.get("extensions"))
        return None if fields is None else Extensions.model_validate(fields)

    async def _call(
        self, call: Call, context: GlobalContext, table: dict[str, PluginContext] | None
    ) -> tuple[Observation, dict[str, PluginContext] | None]:
        loop = asyncio.get_running_loop()
        task = loop.create_task(self._attempt(call, context, table))
        timer = loop.call_later(call["cancel_after_ms"] / 1000, task.cancel) if "cancel_after_ms" in call else None
        noticed, result, returned = await task
        if timer is not None:
            timer.cancel()
        if "raised" in noticed:
            await self._cancel_stragglers()
        if isinstance(result, PluginResult):
            noticed["background"] = dump(await result.wait_for_background_tasks())
            noticed["table_afterwards"] = self._table(returned, table)
            noticed["context_afterwards"] = dump(context)
        noticed["logs_afterwards"] = self.listener.take()
        noticed["disabled"] = sorted(self.manager.executor._runtime_disabled)
        noticed["left_over"] = len(asyncio.all_tasks()) - 1
        noticed["spans"] = self.spans.take()
        return {**noticed, **self.stage.take()}, returned

    async def _attempt(
        self, call: Call, context: GlobalContext, table: dict[str, PluginContext] | None
    ) -> tuple[Observation, Any, dict[str, PluginContext] | None]:
        payload = self._payload(call)
        self.stage.payload, self.stage.context = payload, context
        loop = asyncio.get_running_loop()
        before = loop.time()
        result, returned = None, None
        noticed: Observation = {}
        try:
            result, returned = await self._invoke(call, payload, context, table)
            noticed["result"] = dump(result)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            noticed["raised"] = tell(error)
        # Before anything else gets to run: background plugins have not been started yet.
        noticed["payload"] = dump(payload)
        noticed["same_payload"] = getattr(result, "modified_payload", None) is payload
        noticed["took"] = round(loop.time() - before, 6) if isinstance(loop, VirtualLoop) else None
        noticed["context"] = dump(context)
        noticed["table"] = self._table(returned, table)
        noticed["logs"] = self.listener.take()
        return noticed, result, returned

    async def _invoke(
        self, call: Call, payload: Any, context: GlobalContext, table: dict[str, PluginContext] | None
    ) -> tuple[Any, dict[str, PluginContext] | None]:
        hook = call.get("hook", self.case["hook"])
        as_exceptions = call.get("as_exceptions", False)
        if "only_plugin" in call:
            as_json = call.get("as_json", False)
            argument = payload.model_dump_json() if as_json else payload
            result = await self.manager.invoke_hook_for_plugin(
                call["only_plugin"], hook, argument, context, as_exceptions, as_json
            )
            return result, None
        extensions = self._extensions(call)
        if "direct" in call:
            refs = self.manager._registry.get_hook_refs_for_hook(hook)
            refs = refs[::-1] if call["direct"] == "reversed" else refs + refs
            return await self.manager.executor.execute(refs, payload, context, hook, table, as_exceptions, extensions)
        return await self.manager.invoke_hook(hook, payload, context, table, as_exceptions, extensions)

    async def _cancel_stragglers(self) -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=SETTLE_SECONDS)

    def _table(self, table: dict[str, PluginContext] | None, passed: dict[str, PluginContext] | None) -> Any:
        if table is None:
            return None
        known = passed or {}
        return {key: {"context": dump(one), "kept": known.get(key) is one} for key, one in table.items()}


def _build(value: Any) -> Any:
    """Returns a copy of `value` with the models that it describes."""
    if isinstance(value, list):
        return [_build(item) for item in value]
    if not isinstance(value, dict):
        return value
    fields = {key: _build(item) for key, item in value.items()}
    if (path := fields.pop("$model", None)) is None:
        return fields
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name).model_validate(fields)


def observe(case: Case, listener: Listener, scratch: str) -> str:
    """Plays one case in a world of its own and returns the observation as one line."""
    _set_pool(case["manager"].get("pool"))
    world = World(case, listener, scratch)
    loop_factory = asyncio.new_event_loop if case.get("clock") == "real" else VirtualLoop
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        noticed = runner.run(world.play())
    listener.take()
    line = json.dumps(noticed)
    for uuid, name in world.names.items():
        line = line.replace(uuid, f"<{name}>")
    return line


_pool: int | None = None


def _set_pool(pool: int | None) -> None:
    global _pool
    if pool != _pool:
        os.environ.pop("PLUGINS_EXECUTION_POOL", None)
        if pool is not None:
            os.environ["PLUGINS_EXECUTION_POOL"] = str(pool)
        settings.cache_clear()
        _pool = pool


def _whereabouts(error: BaseException) -> str:
    """Names the error and the last line of this package on its path; nothing of the package under test is shown."""
    trace, place = error.__traceback__, ""
    while trace is not None:
        file = Path(trace.tb_frame.f_code.co_filename)
        if file.parent == Path(__file__).parent:
            place = f"{file.name}:{trace.tb_lineno}"
        trace = trace.tb_next
    return f"{type(error).__name__}: {error} ({place})"


def main() -> None:
    """Answers every line of standard input until it ends."""
    listener = Listener()
    logging.getLogger().addHandler(listener)
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory(prefix="cpex-differential-") as scratch:
        for line in sys.stdin:
            try:
                answer = observe(json.loads(line), listener, scratch)
            except Exception as error:
                answer = json.dumps({"harness": _whereabouts(error)})
            sys.stdout.write(answer + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
