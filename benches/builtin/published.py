"""Runs a published plugin over texts, as its users would, and prints what it made of each and the time it took.

Reads JSON strings, one a line, and the plugin's configuration as the second argument:

    python benches/builtin/published.py pii '{"detect_email": true}' < texts.jsonl
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

from cpex.framework import GlobalContext, PluginConfig, PluginContext, ToolPostInvokePayload

KINDS = {
    "pii": ("cpex_pii_filter.pii_filter", "PIIFilterPlugin"),
    "secrets": ("cpex_secrets_detection.secrets_detection", "SecretsDetectionPlugin"),
}


async def main(name: str, config: dict[str, object]) -> None:
    """Prints a JSON string a text (the text itself if the plugin left it), then the nanoseconds of the best round."""
    module, plugin_class = KINDS[name]
    kind = getattr(__import__(module, fromlist=[plugin_class]), plugin_class)
    plugin = kind(PluginConfig(name=name, kind=f"{module}.{plugin_class}", hooks=["tool_post_invoke"], config=config))
    await plugin.initialize()
    payloads = [ToolPostInvokePayload(name="tool", result=json.loads(line)) for line in sys.stdin]
    context = PluginContext(global_context=GlobalContext(request_id="1"))
    for payload in payloads:
        result = await plugin.tool_post_invoke(payload, context)
        changed = result.modified_payload
        print(json.dumps(payload.result if changed is None else changed.result))
    rounds = []
    for _ in range(5):
        start = time.perf_counter_ns()
        for payload in payloads:
            await plugin.tool_post_invoke(payload, context)
        rounds.append(time.perf_counter_ns() - start)
    print(min(rounds))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], json.loads(sys.argv[2])))
