"""Measures what a hook with one built-in plugin costs in a Python host, and writes it into the plugins' pages.

    python benches/builtin/cost.py [docs/builtin]

Each plugin is configured as on its page. The payload is about a kilobyte of arguments in which it finds nothing. Time
is the best of many rounds, less that of the same hook without a plugin.
"""

import asyncio
import re
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml

from cpex.framework import GlobalContext, PluginManager
from cpex.framework.hooks.http import HttpHeaderPayload, HttpPreRequestPayload
from cpex.framework.hooks.tools import ToolPostInvokePayload, ToolPreInvokePayload

ROUNDS, CALLS = 200, 100
ADMIN = {"email": "ann@example.com", "roles": ["admin"]}
PROSE = "The committee meets on the first Monday of every month, and the minutes are sent to all members. "
ARGUMENTS = {"query": PROSE * 9, "limit": 10, "filters": [PROSE, "open"]}
QUERY = {"type": "object", "required": ["query"], "properties": {"query": {"type": "string", "maxLength": 2000}}}
HEADERS = HttpHeaderPayload({"accept": "application/json", "host": "example.com"})
PAYLOADS = {
    "tool_pre_invoke": ToolPreInvokePayload(name="search", args=ARGUMENTS),
    "tool_post_invoke": ToolPostInvokePayload(name="search", result=ARGUMENTS),
    "http_pre_request": HttpPreRequestPayload(path="/v1/tools", method="POST", headers=HEADERS),
}
# Where a page's plugin would refuse such arguments, or so many calls.
PATIENT: dict[str, dict[str, Any]] = {
    "cost_budget": {"limits": [{"hard": 1_000_000_000, "per": "month", "key": ["tenant"]}]},
    "json_schema": {"arguments": {"search": QUERY}},
    "rate_limiter": {"limits": [{"rate": "1000000000/s"}]},
}


def entry_of(page: str) -> dict[str, Any]:
    """Return the plugin of a page's first configuration."""
    block = re.search(r"```yaml[^\n]*\n(.*?)```", page, re.DOTALL)
    assert block, "a page begins with a configuration"
    entry: dict[str, Any] = yaml.safe_load(block[1])["plugins"][0]
    return entry


async def cost(plugins: list[dict[str, Any]], hook: str, directory: Path) -> float:
    """Return the microseconds of one invocation of a hook, at best."""
    file = directory / "plugins.yaml"
    file.write_text(yaml.safe_dump({"plugins": plugins, "plugin_dirs": [], "plugin_settings": {}}))
    PluginManager.reset()
    manager = PluginManager(str(file))
    await manager.initialize()
    payload, context = PAYLOADS[hook], GlobalContext(request_id="1", tenant_id="t", user=ADMIN)
    result, _ = await manager.invoke_hook(hook, payload, context)
    assert result.continue_processing, result.violation
    best = float("inf")
    for _ in range(ROUNDS):
        started = time.perf_counter()
        for _ in range(CALLS):
            await manager.invoke_hook(hook, payload, context)
        best = min(best, time.perf_counter() - started)
    await manager.shutdown()
    return best / CALLS * 1e6


async def measure(page: Path) -> str:
    """Return the sentence about the cost of a page's plugin."""
    text = page.read_text(encoding="utf-8")
    entry = entry_of(text)
    hook = next(str(hook) for hook in entry["hooks"] if hook in PAYLOADS)
    entry["config"] = {**(entry.get("config") or {}), **PATIENT.get(page.stem, {})}
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        if "path" in entry["config"]:
            entry["config"]["path"] = str(directory / "audit.jsonl")
        with_plugin, without = await cost([entry], hook, directory), await cost([], hook, directory)
    return (
        f"Measured in a Python host, as configured above, with a kilobyte of arguments: {with_plugin - without:.1f} µs."
    )


def main() -> None:
    """Fill in the pages."""
    for page in sorted(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/builtin").glob("*.md")):
        text = page.read_text(encoding="utf-8")
        if not re.search(r"<!-- measure: \w+ -->", text):
            continue
        said = asyncio.run(measure(page))
        print(f"{page.stem}: {said}")
        page.write_text(
            re.sub(r"(<!-- measure: \w+ -->)\n(?:Measured [^\n]*\n)?", rf"\1\n{said}\n", text), encoding="utf-8"
        )


if __name__ == "__main__":
    main()
