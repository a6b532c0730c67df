"""growth.py N: prints the resident memory in MB before and after N invocations of mixed pipelines."""

import asyncio
import gc
import logging
import sys
from pathlib import Path

from cpex.framework import GlobalContext, PluginConfig, TenantPluginManager
from cpex.framework.hooks.tools import ToolPreInvokePayload
from cpex.framework.models import Config
from scenarios import HOOK, make_manager

WARM_UP = 50_000
EVERY_NTH_FANS_OUT = 20


def resident_mb() -> float:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


async def chained() -> TenantPluginManager:
    kinds = {"Remember": "sequential", "Rewrite": "transform", "Suspend": "sequential", "Allow": "audit"}
    entries = [
        PluginConfig.model_validate({"name": kind, "kind": f"scripted.{kind}", "hooks": [HOOK], "mode": mode})
        for kind, mode in kinds.items()
    ]
    manager = TenantPluginManager(Config(plugins=entries))
    await manager.initialize()
    return manager


async def run(managers: list[TenantPluginManager], start: int, stop: int) -> None:
    for i in range(start, stop):
        manager = managers[1] if i % EVERY_NTH_FANS_OUT == 0 else managers[0]
        payload = ToolPreInvokePayload(name=f"tool-{i}", args={"query": f"number {i}"})
        result, _ = await manager.invoke_hook(HOOK, payload, GlobalContext(request_id=f"request-{i}"))
        if not result.continue_processing:
            raise RuntimeError("a benchmark plugin blocked")


async def main(invocations: int) -> None:
    managers = [await chained(), await make_manager("Suspend", count=3, mode="concurrent")]
    await run(managers, 0, WARM_UP)
    before = resident_mb()
    await run(managers, WARM_UP, WARM_UP + invocations)
    print(before, resident_mb())


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    asyncio.run(main(int(sys.argv[1])))
