"""Calls a server on request: with the host's whole pipeline, or with a bare client of the transport.

Usage: client.py host CONFIG | floor unix|grpc|mcp PATH PORT

Each line on stdin, `{"concurrency": n, "seconds": t}`, is answered with
`{"calls": n, "seconds": t, "latencies": [ns, …]}`.
"""

import asyncio
import gc
import json
import logging
import sys
from time import perf_counter_ns

from floors import CALL, Call


async def call_host(config: str) -> Call:
    """An invocation of the hook, whose one plugin is the server's."""
    from cpex.framework import GlobalContext, PluginManager
    from cpex.framework.hooks.tools import ToolPreInvokePayload

    manager = PluginManager(config, timeout=60)
    await manager.initialize()
    context = GlobalContext(request_id="request-1", user="alice", tenant_id="tenant-1", server_id="server-1")
    payload = ToolPreInvokePayload(name="search", args={"query": "CPEX", "limit": 10})

    async def call() -> object:
        result, _ = await manager.invoke_hook("tool_pre_invoke", payload, context, violations_as_exceptions=False)
        return result

    if manager.plugin_count != 1:
        raise RuntimeError(f"{manager.plugin_count} of 1 plugins are loaded")
    return call


async def load(call: Call, concurrency: int, seconds: float) -> dict[str, object]:
    """Keeps that many calls under way for that long."""
    latencies: list[int] = []
    began = perf_counter_ns()
    end = began + int(seconds * 1e9)

    async def caller() -> None:
        now = perf_counter_ns()
        while now < end:
            await call()
            started, now = now, perf_counter_ns()
            latencies.append(now - started)

    await asyncio.gather(*(caller() for _ in range(concurrency)))
    return {"calls": len(latencies), "seconds": (perf_counter_ns() - began) / 1e9, "latencies": latencies}


def main() -> None:
    logging.disable(logging.CRITICAL)
    kind, *words = sys.argv[1:]
    with asyncio.Runner() as runner:
        made = call_host(words[0]) if kind == "host" else CALL[words[0]](words[1], int(words[2]))
        call = runner.run(made)
        runner.run(load(call, 1, 0.3))
        runner.run(load(call, 64, 0.5))
        gc.collect()
        gc.freeze()
        for line in sys.stdin:
            reply = runner.run(load(call, **json.loads(line)))
            print(json.dumps(reply), flush=True)


if __name__ == "__main__":
    main()
