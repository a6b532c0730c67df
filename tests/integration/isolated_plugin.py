"""An isolated plugin that does what it is called with: the name of the tool says what."""

import asyncio
import errno
import logging
import os
import signal
import subprocess
import sys
import time
from typing import Any

from cpex.framework import (
    Plugin,
    PluginContext,
    PluginError,
    PluginErrorModel,
    PluginResult,
    PluginViolation,
    PluginViolationError,
)
from cpex.framework.extensions import Extensions, MetaExtension
from cpex.framework.hooks.tools import ToolPreInvokePayload

Result = PluginResult[ToolPreInvokePayload]


class Probe(Plugin):
    """Keeps nothing between calls."""

    async def initialize(self) -> None:
        if (self.config.config or {}).get("fails"):
            raise RuntimeError("no model here")

    async def tool_pre_invoke(self, payload: ToolPreInvokePayload, context: PluginContext) -> Result:
        result: Result = await getattr(self, f"_{payload.name}")(payload, context, **(payload.args or {}))
        return result

    async def _echo(self, payload: ToolPreInvokePayload, context: PluginContext, **args: Any) -> Result:
        return PluginResult(modified_payload=payload.model_copy(update={"args": {"echoed": args}}))

    async def _tell(self, payload: ToolPreInvokePayload, context: PluginContext, **args: Any) -> Result:
        pydantic = sys.modules["pydantic"]
        return PluginResult(
            metadata={
                "pid": os.getpid(),
                "prefix": sys.prefix,
                "environment": sorted(os.environ),
                "pydantic": pydantic.__version__,
                "stdin": sys.stdin.read(),
                "config": self.config.config,
            }
        )

    async def _deny(self, payload: ToolPreInvokePayload, context: PluginContext, **args: Any) -> Result:
        violation = PluginViolation(reason="no", description="not today", code="NO", details={"n": 1})
        return PluginResult(
            continue_processing=False, violation=violation, denial_metadata={"score": 0.5}, http_headers={"X-Why": "no"}
        )

    async def _deny_loudly(self, payload: ToolPreInvokePayload, context: PluginContext, details: Any = None) -> Result:
        violation = PluginViolation(reason="no", code="NO", details={"n": object() if details == "object" else 1})
        raise PluginViolationError("not today", None if details == "none" else violation)

    async def _write(self, payload: ToolPreInvokePayload, context: PluginContext, **args: Any) -> Result:
        context.state["n"] = context.state.get("n", 0) + 1
        context.global_context.state["who"] = "probe"
        context.global_context.state.pop("gone", None)
        return PluginResult(metadata={"n": context.state["n"]})

    async def _raise(self, payload: ToolPreInvokePayload, context: PluginContext, **args: Any) -> Result:
        raise RuntimeError("kaboom")

    async def _complain(self, payload: ToolPreInvokePayload, context: PluginContext, **args: Any) -> Result:
        raise PluginError(PluginErrorModel(message="sorry", plugin_name="x", code="E1", details={"a": [1]}))

    async def _sleep(self, payload: ToolPreInvokePayload, context: PluginContext, seconds: float, note: str) -> Result:
        try:
            await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            with open(note, "a", encoding="utf-8") as notes:
                notes.write("cancelled\n")
            raise
        return PluginResult()

    async def _block(
        self, payload: ToolPreInvokePayload, context: PluginContext, seconds: float, note: str = os.devnull
    ) -> Result:
        with open(note, "w", encoding="utf-8") as notes:
            notes.write("blocked\n")
        time.sleep(seconds)
        return PluginResult()

    async def _spin(self, payload: ToolPreInvokePayload, context: PluginContext, seconds: float) -> Result:
        until = time.process_time() + seconds
        while time.process_time() < until:
            pass
        return PluginResult(metadata={"pid": os.getpid()})

    async def _exit(self, payload: ToolPreInvokePayload, context: PluginContext, status: int) -> Result:
        os._exit(status)

    async def _crash(self, payload: ToolPreInvokePayload, context: PluginContext) -> Result:
        os.kill(os.getpid(), signal.SIGSEGV)
        return PluginResult()

    async def _fork(self, payload: ToolPreInvokePayload, context: PluginContext) -> Result:
        child = subprocess.Popen(["sleep", "600"])
        # Leaves the group and the session, and loses its parent.
        script = "setsid sleep 600 >/dev/null 2>&1 & echo $!"
        daemon = subprocess.run(["sh", "-c", script], check=True, stdout=subprocess.PIPE, text=True).stdout
        return PluginResult(metadata={"child": child.pid, "daemon": int(daemon), "pid": os.getpid()})

    async def _print(self, payload: ToolPreInvokePayload, context: PluginContext, text: str) -> Result:
        print(text, flush=True)
        return PluginResult()

    async def _say(self, payload: ToolPreInvokePayload, context: PluginContext) -> Result:
        logger = logging.getLogger("classifier.model")
        logger.debug("not worth it")
        logger.warning("no %s", "good")
        try:
            globals()["model"]
        except KeyError:
            logger.exception("lost\nERROR forged")
        os.write(1, b"on stdout\n")
        os.write(2, b"on stderr\n")
        return PluginResult()

    async def _flood(self, payload: ToolPreInvokePayload, context: PluginContext, size: int, fd: int) -> Result:
        os.write(fd, b"z" * size + b"\n")
        os.write(fd, b"".join(b"line %d\n" % line for line in range(size // 10)))
        return PluginResult()

    async def _last_words(self, payload: ToolPreInvokePayload, context: PluginContext) -> Result:
        for line in range(400):
            print("line", line)
        print("LAST WORDS")
        logging.getLogger("classifier").error("dying")
        os._exit(4)

    async def _touch(self, payload: ToolPreInvokePayload, context: PluginContext, path: str) -> Result:
        with open(path, "w", encoding="utf-8") as file:
            file.write("here")
        return PluginResult()

    async def _read(self, payload: ToolPreInvokePayload, context: PluginContext, path: str) -> Result:
        with open(path, encoding="utf-8") as file:
            return PluginResult(metadata={"text": file.read()})

    async def _quit(self, payload: ToolPreInvokePayload, context: PluginContext) -> Result:
        sys.exit(3)

    async def _fill(self, payload: ToolPreInvokePayload, context: PluginContext) -> Result:
        """Writes to its own folder until it is told that it is enough; what is refused is tried again."""
        self.enough = False
        return PluginResult(metadata=await asyncio.to_thread(self._write_files))

    def _write_files(self) -> dict[str, int]:
        written, refused = 0, 0
        while not self.enough:
            try:
                with open(os.path.expanduser(f"~/{written}"), "wb") as file:
                    file.write(bytes(1 << 20))
                written += 1
            except OSError as error:
                assert error.errno == errno.ENOSPC, error
                refused += 1
        return {"written": written, "refused": refused}

    async def _enough(self, payload: ToolPreInvokePayload, context: PluginContext) -> Result:
        self.enough = True
        return PluginResult()

    async def _infinite(self, payload: ToolPreInvokePayload, context: PluginContext) -> Result:
        return PluginResult(metadata={"n": float("inf")})

    async def _hoard(self, payload: ToolPreInvokePayload, context: PluginContext, size: int) -> Result:
        self.hoard = b"x" * size
        await asyncio.sleep(600)
        return PluginResult()

    async def _garbage(self, payload: ToolPreInvokePayload, context: PluginContext) -> Any:
        return "allow"

    async def _unsendable(self, payload: ToolPreInvokePayload, context: PluginContext) -> Result:
        return PluginResult(metadata={"what": object()})

    async def _large(self, payload: ToolPreInvokePayload, context: PluginContext, size: int) -> Result:
        return PluginResult(metadata={"text": "x" * size})


class Marker(Plugin):
    """Looks at the extensions of a request, and writes to them."""

    async def tool_pre_invoke(
        self, payload: ToolPreInvokePayload, context: PluginContext, extensions: Extensions | None
    ) -> Result:
        if payload.name == "look":
            seen = None if extensions is None else extensions.model_dump(mode="json", exclude_none=True)
            return PluginResult(metadata={"seen": seen})
        assert extensions is not None
        if payload.name == "label":
            assert extensions.security is not None
            security = extensions.security.model_copy(update={"labels": extensions.security.labels | {"new"}})
            return PluginResult(modified_extensions=extensions.model_copy(update={"security": security}))
        forged = MetaExtension(tags=frozenset({"forged"}))
        return PluginResult(modified_extensions=extensions.model_copy(update={"meta": forged}))
