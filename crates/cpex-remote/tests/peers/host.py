"""A published host that calls the plugin of a configuration file and prints, as JSON, what it sees of each answer."""

import asyncio
import json
import sys

from cpex.framework import GlobalContext, PluginError, PluginManager
from cpex.framework.hooks.tools import ToolPreInvokePayload

sys.tracebacklimit = 0
HOOK = "tool_pre_invoke"


async def ask(manager, name, args):
    """Make one call; what came of it, without what differs from run to run."""
    shared = GlobalContext(request_id=f"r-{name}", user="alice", tenant_id="t", server_id="s", state={"sk": True})
    try:
        result, contexts = await manager.invoke_hook(
            HOOK, ToolPreInvokePayload(name=name, args=args), global_context=shared
        )
    except PluginError as error:
        return {"error": error.error.model_dump(mode="json")}
    seen = result.model_dump(mode="json", exclude={"executions"})
    seen["contexts"] = [
        {"state": context.state, "metadata": context.metadata, "global": context.global_context.state}
        for context in contexts.values()
    ]
    if name == "echo":
        seen["modified_payload"] = seen["modified_payload"]["args"] == args
    return seen


async def main(config):
    """Go through the script."""
    manager = PluginManager(config)
    await manager.initialize()
    script = {
        "allow": {"text": "hi", "n": 3},
        "modify": {"text": "modify"},
        "state": {},
        "deny": {},
        "raise": {},
        "error": {},
        "echo": {"text": "ä" * 400_000, "list": list(range(1000)), "none": None},
    }
    answers = {"plugins": manager.plugin_count}
    for name, args in script.items():
        answers[name] = await ask(manager, name, args)
    await manager.shutdown()
    print(json.dumps(answers, ensure_ascii=False, sort_keys=True))


asyncio.run(main(sys.argv[1]))
