"""tenants.py N: prints what one of N managers costs: ms to build, ms to build from a file, KB of memory."""

import asyncio
import gc
import json
import logging
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from cpex.framework import GlobalContext, TenantPluginManager
from cpex.framework.hooks.tools import ToolPreInvokePayload
from cpex.framework.loader.config import ConfigLoader
from scenarios import HOOK

PLUGINS = 10
WARM_UP = 20


def resident_kb() -> float:
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e3


async def build(count: int, make: Callable[[], TenantPluginManager]) -> tuple[list[TenantPluginManager], float]:
    """Returns managers that have served a request each, and the milliseconds that building one took."""
    started = time.perf_counter()
    managers = [make() for _ in range(count)]
    for manager in managers:
        await manager.initialize()
    elapsed = time.perf_counter() - started
    for manager in managers:
        await manager.invoke_hook(HOOK, ToolPreInvokePayload(name="tool"), GlobalContext(request_id="request"))
    return managers, elapsed * 1e3 / count


async def main(count: int, path: str) -> None:
    entries = [{"name": f"p{i}", "kind": "scripted.Allow", "hooks": [HOOK], "priority": i} for i in range(PLUGINS)]
    Path(path).write_text(json.dumps({"plugins": entries}))
    config = ConfigLoader.load_config(path)
    await build(WARM_UP, lambda: TenantPluginManager(config))
    before = resident_kb()
    managers, from_config_ms = await build(count, lambda: TenantPluginManager(config))
    kilobytes = (resident_kb() - before) / count
    _, from_file_ms = await build(count, lambda: TenantPluginManager(path))
    for manager in managers:
        await manager.shutdown()
    print(from_config_ms, from_file_ms, kilobytes)


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(main(int(sys.argv[1]), f"{folder}/plugins.yaml"))
