"""A process that is forked while plugins in WebAssembly are at work, as servers with workers are."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROGRAM = """
import asyncio, os, sys, threading, warnings
warnings.simplefilter('ignore', DeprecationWarning)
from cpex.framework import GlobalContext, PluginManager
from cpex.framework.hooks.tools import ToolPostInvokePayload

manager = PluginManager(sys.argv[1])
asyncio.run(manager.initialize())

async def strike():
    # Longer than a call is polled where it is made.
    payload = ToolPostInvokePayload(name='search', result='the plan ' * 20_000)
    result, _ = await manager.invoke_hook('tool_post_invoke', payload, GlobalContext(request_id='1'))
    return result.metadata['struck']

stop = threading.Event()
struck = []
def busy():
    async def work():
        while not stop.is_set():
            struck.append(await strike())
    asyncio.run(work())

worker = threading.Thread(target=busy)
worker.start()
codes = []
for _ in range(20):
    process = os.fork()
    if process == 0:
        os._exit(0 if asyncio.run(strike()) == 20_000 else 1)
    codes.append(os.waitpid(process, 0)[1])
stop.set()
worker.join()
assert codes == [0] * 20, codes
assert struck and set(struck) == {20_000}
"""


def test_children_are_answered_that_were_forked_during_a_call(module: Path, tmp_path: Path) -> None:
    config = tmp_path / "plugins.yaml"
    # One place, which the parent holds nearly all the time.
    config.write_text(
        "plugins: [{name: guard, kind: wasm, hooks: [tool_post_invoke], required: true,\n"
        f"  config: {{module: {module}, instances: 1, config: {{struck_words: [plan]}}}}}}]\n"
    )
    subprocess.run([sys.executable, "-c", PROGRAM, config], check=True, timeout=300)
