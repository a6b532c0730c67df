"""Calls an isolated plugin on request, through the host's whole pipeline. Runs with either package.

Usage: isolated_host.py CONFIG

Each line on stdin, `{"concurrency": n, "seconds": t, "size": characters}`, is answered with
`{"calls": n, "seconds": t, "latencies": [ns, …]}`. The first line of the output is how many seconds it took from the
start of the manager to the first answer.
"""

import asyncio
import gc
import json
import logging
import sys
from collections.abc import Awaitable, Callable
from time import perf_counter, perf_counter_ns
from typing import Any

from cpex.framework import GlobalContext, PluginManager
from cpex.framework.hooks.tools import ToolPreInvokePayload

Call = Callable[[Any], Awaitable[None]]


async def start(config: str) -> tuple[Call, float]:
    """Returns the invocation of the hook, whose one plugin is isolated, and the seconds until the first answer."""
    context = GlobalContext(request_id="request-1", user="alice", tenant_id="tenant-1", server_id="server-1")
    began = perf_counter()
    manager = PluginManager(config, timeout=60)
    await manager.initialize()
    if manager.plugin_count != 1:
        raise RuntimeError(f"{manager.plugin_count} of 1 plugins are loaded")

    async def call(payload: Any) -> None:
        await manager.invoke_hook("tool_pre_invoke", payload, context, violations_as_exceptions=False)

    await call(ToolPreInvokePayload(name="search", args={"query": "CPEX"}))
    return call, perf_counter() - began


async def load(call: Call, concurrency: int, seconds: float, size: int) -> dict[str, object]:
    """Keeps that many calls under way for that long."""
    payload = ToolPreInvokePayload(name="search", args={"query": "x" * size, "limit": 10})
    latencies: list[int] = []
    began = perf_counter_ns()
    end = began + int(seconds * 1e9)

    async def caller() -> None:
        now = perf_counter_ns()
        while now < end:
            await call(payload)
            started, now = now, perf_counter_ns()
            latencies.append(now - started)

    await asyncio.gather(*(caller() for _ in range(concurrency)))
    return {"calls": len(latencies), "seconds": (perf_counter_ns() - began) / 1e9, "latencies": latencies}


def main() -> None:
    logging.disable(logging.CRITICAL)
    with asyncio.Runner() as runner:
        call, started = runner.run(start(sys.argv[1]))
        print(json.dumps(started), flush=True)
        runner.run(load(call, 1, 0.3, 1000))
        gc.collect()
        gc.freeze()
        for line in sys.stdin:
            reply = runner.run(load(call, **json.loads(line)))
            print(json.dumps(reply), flush=True)


if __name__ == "__main__":
    main()
