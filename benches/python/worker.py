"""Measures scenarios with whichever `cpex` this interpreter has, one JSON request a line on stdin.

Request: `{"scenario": name, "pairs": n, "batch_ms": t}`. Reply: `{"floor": [ns, …], "subject": [ns, …], "divisor": d}`,
nanoseconds for one round, floor and subject measured in turn; or `{"error": text}`.
"""

import asyncio
import gc
import json
import logging
import sys
from time import perf_counter_ns
from typing import Any

from scenarios import SCENARIOS, Loop, Scenario


async def once(loop: Loop, rounds: int) -> float:
    started = perf_counter_ns()
    await loop(rounds)
    return (perf_counter_ns() - started) / rounds


async def calibrate(loop: Loop, batch_ms: float) -> int:
    """Returns how many rounds fill a batch, after warming the loop up."""
    await loop(20)
    per_round = min([await once(loop, 20) for _ in range(5)])
    return max(1, int(batch_ms * 1e6 / per_round))


async def measure(scenario: Scenario, pairs: int, batch_ms: float) -> dict[str, Any]:
    floor_rounds = await calibrate(scenario.floor, batch_ms)
    subject_rounds = await calibrate(scenario.subject, batch_ms)
    floor, subject = [], []
    for _ in range(pairs):
        floor.append(await once(scenario.floor, floor_rounds))
        subject.append(await once(scenario.subject, subject_rounds))
    return {"floor": floor, "subject": subject, "divisor": scenario.divisor}


def main() -> None:
    logging.disable(logging.CRITICAL)
    known: dict[str, Scenario] = {}
    with asyncio.Runner() as runner:
        for line in sys.stdin:
            request = json.loads(line)
            name = request["scenario"]
            try:
                if name not in known:
                    known[name] = runner.run(_set_up(name))
                reply = runner.run(measure(known[name], request["pairs"], request["batch_ms"]))
            except Exception as error:
                reply = {"error": f"{type(error).__name__}: {error}"}
            print(json.dumps(reply), flush=True)


async def _set_up(name: str) -> Scenario:
    scenario = await SCENARIOS[name]()
    gc.collect()
    gc.freeze()
    return scenario


if __name__ == "__main__":
    main()
