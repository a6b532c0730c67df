"""Asks decision points on whichever CPEX this interpreter has: cases as JSON on standard input, outcomes on the output.

Knows the standard library and `cpex.framework.pdp` only, so that it runs beside the published package as well.
"""

import asyncio
import json
import logging
import sys
from typing import Any

from cpex.framework.pdp import AuthZenResolver, OpaResolver
from cpex.framework.pdp.base import PdpError

RESOLVERS = {"opa": OpaResolver, "authzen": AuthZenResolver}


async def play(base: str, case: dict[str, Any]) -> dict[str, Any]:
    """Asks once; an error is its type and, if it is the resolvers' own, its text and endpoint."""
    resolver = RESOLVERS[case["pdp"]](
        base + case.get("path", "/x"), timeout_ms=20_000, headers={"X-Case": case["name"]}, fail_open=case["fail_open"]
    )
    try:
        result = await resolver.resolve(case["input"])
    except PdpError as error:
        return {"raised": str(error), "endpoint": error.endpoint, "cause": type(error.cause).__name__}
    except Exception as error:
        return {"raised": type(error).__name__}
    finally:
        await resolver.close()
    context = json.loads(json.dumps(result.context))
    return {"allowed": result.allowed, "reason": result.reason, "context": context, "timed": result.latency_ms > 0}


async def main() -> None:
    """Plays the cases one after the other."""
    base, cases = json.load(sys.stdin)
    print(json.dumps([await play(base, case) for case in cases]))


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    asyncio.run(main())
