"""Probes: an isolated plugin in the folder of a project."""

import asyncio
import functools
import os
import re
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from cpex.framework import GlobalContext, PluginConfig, PluginError, TenantPluginManager
from cpex.framework.hooks.tools import ToolPreInvokePayload
from cpex.framework.models import Config

from .kit import HOOK, request

Settings = Mapping[str, Any]
LIMIT = 10_000
PATIENCE = 5


def promptly(probe: Callable[..., Coroutine[Any, Any, Any]]) -> Callable[..., Any]:
    """Runs a probe without waiting, as `asyncio.run` does, for threads in which 0.1.4 waits 30 s for an answer."""

    def run(*arguments: Any) -> Any:
        return asyncio.new_event_loop().run_until_complete(probe(*arguments))

    return functools.update_wrapper(run, probe)


class Hosted:
    """A manager with the plugin."""

    def __init__(self, manager: TenantPluginManager) -> None:
        self.manager = manager

    async def fate(self, name: str, context: GlobalContext | None = None, **args: Any) -> Any:
        """Returns what becomes of a call: what the plugin says, or how it failed."""
        payload = ToolPreInvokePayload(name=name, args=args)
        try:
            result, _ = await self.manager.invoke_hook(HOOK, payload, context or request())
        except PluginError as error:
            late = "exceeded" in error.error.message
            return "late" if late else [error.error.message, error.error.code, error.error.details]
        return result.metadata if result.continue_processing else "denied"

    async def told(self) -> dict[str, Any]:
        """Returns what the plugin tells of its process, once that has started."""
        while (told := await self.fate("tell")) == "late":
            pass
        assert isinstance(told, dict), told
        return told


@asynccontextmanager
async def hosted(
    project: str, settings: Settings | None = None, timeout: float = 60, **fields: Any
) -> AsyncIterator[Hosted]:
    """Starts a manager with the project as the working directory."""
    os.chdir(project)
    config = {"class_name": "probe.plugin.Probe", **(settings or {})}
    entry = {"name": "Probe", "kind": "isolated_venv", "hooks": [HOOK], "config": config, **fields}
    plugins = [PluginConfig.model_validate(entry)]
    manager = TenantPluginManager(Config(plugins=plugins, plugin_dirs=["plugins"]), timeout=timeout)
    await manager.initialize()
    yield Hosted(manager)
    await manager.shutdown()


async def loaded(folder: Path, project: str, settings: Settings) -> int:
    """Returns how many plugins a manager has whose plugin has these settings, and may be missing."""
    async with hosted(project, settings, on_error="ignore") as host:
        return host.manager.plugin_count


async def homes(folder: Path, project: str, settings: Settings) -> list[Any]:
    """Returns the top folder of the environment that the plugin runs in, and whether it has CPEX from there."""
    async with hosted(project, settings) as host:
        told = await host.told()
    environment = Path(told["prefix"]).relative_to(project)
    return [environment.parts[0], Path(told["cpex"]).is_relative_to(told["prefix"])]


async def process(folder: Path, project: str, settings: Settings) -> list[Any]:
    """Returns what the plugin sees of four variables, and whether its process runs on after `shutdown()`."""
    async with hosted(project, settings) as host:
        told = await host.told()
    seen = [name for name in ("LC_ALL", "PATH", "SECRET", "TOKEN") if name in told["variables"]]
    return [seen, Path(f"/proc/{told['pid']}").exists()]


@promptly
async def elsewhere(folder: Path, project: str) -> bool:
    """Returns whether a plugin answers when the working directory is another one at the first call."""
    async with hosted(project, timeout=PATIENCE) as host:
        os.chdir(folder)
        return bool(await host.fate("tell") != "late")


async def failing_start(folder: Path, project: str, fields: Mapping[str, Any]) -> Any:
    """Returns what becomes of a call of a plugin whose own start fails."""
    async with hosted(project, {"fails": True}, **fields) as host:
        fate = await host.fate("tell")
    return fate if fate == "denied" else "failed" if isinstance(fate, list) else "passed"


async def carried(folder: Path, project: str) -> list[Any]:
    """Returns the state of a request that the plugin has changed, an error of its own, and what it says of infinity."""
    context = request()
    context.state["gone"] = 1
    async with hosted(project) as host:
        await host.fate("write", context)
        return [context.state, await host.fate("complain"), await host.fate("infinite")]


@promptly
async def limits(folder: Path, project: str) -> list[Any]:
    """Returns what becomes of the largest request that the host lets pass, and of a reply that is larger."""
    async with hosted(project, timeout=PATIENCE, max_content_size=LIMIT) as host:
        await host.told()
        refused = await host.fate("tell", text="x" * LIMIT)
        (size,) = re.findall(r"exceeds max_content_size\.  (\d+)", refused[0])
        largest = await host.fate("tell", text="x" * (2 * LIMIT - int(size)))
        reply = await host.fate("say", size=LIMIT)
    return [largest if largest == "late" else "answered", "failed" if isinstance(reply, list) else "answered"]


@promptly
async def beside(folder: Path, project: str) -> list[Any]:
    """Returns what becomes of a call beside another one, which never ends, and of one that ends the process."""
    async with hosted(project, timeout=PATIENCE) as host:
        await host.told()
        _, answer = await asyncio.gather(host.fate("wait"), host.fate("tell"))
        ended = await host.fate("end")
    return [answer if answer == "late" else "answered", ended if ended == "late" else ended[1]]


async def driven_by_hand(folder: Path, project: str) -> list[bool]:
    """Returns whether the object of a started plugin has a communicator, and whether it tells of its processes."""
    async with hosted(project) as host:
        (ref,) = host.manager._registry.get_all_plugins()
        plugin: Any = ref.plugin
        return [hasattr(plugin.comm, "send_task"), hasattr(plugin, "workers")]
