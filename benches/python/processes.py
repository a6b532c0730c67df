"""Figures of a whole process: how long an import takes, what a million invocations leave behind, what a
manager costs when there are hundreds.
"""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
TIMED_IMPORT = "import time; t = time.perf_counter_ns(); {statement}; print(time.perf_counter_ns() - t)"


def import_times(pythons: dict[str, str], repeats: int) -> dict[str, dict[str, float]]:
    """Returns for each interpreter the best import times in milliseconds, measured in turn in fresh processes."""
    statements = {
        "pydantic": "import pydantic",
        "pydantic.BaseModel": "from pydantic import BaseModel",
        "cpex.framework": "import cpex.framework",
        "cpex.framework.PluginManager": "from cpex.framework import Plugin, PluginManager, ToolPreInvokePayload",
    }
    best: dict[str, dict[str, float]] = {name: {} for name in pythons}
    for repeat in range(repeats + 1):
        for name, python in pythons.items():
            for label, statement in statements.items():
                command = [python, "-c", TIMED_IMPORT.format(statement=statement)]
                elapsed = int(subprocess.run(command, check=True, capture_output=True, text=True).stdout) / 1e6
                if repeat:  # the first round writes the bytecode caches
                    best[name][label] = min(elapsed, best[name].get(label, elapsed))
    return best


def growth(python: str, invocations: int) -> dict[str, float]:
    """Returns the resident memory in MB before and after that many invocations."""
    command = [python, str(HERE / "growth.py"), str(invocations)]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=sys.stderr, text=True).stdout
    before, after = (float(part) for part in output.split())
    return {"before_mb": before, "after_mb": after, "grown_mb": after - before, "invocations": invocations}


def tenants(python: str, managers: int) -> dict[str, float]:
    """Returns what one of that many managers costs: milliseconds to build it, from a file as well, and kilobytes."""
    command = [python, str(HERE / "tenants.py"), str(managers)]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=sys.stderr, text=True).stdout
    from_config, from_file, kilobytes = (float(part) for part in output.split())
    return {"from_config_ms": from_config, "from_file_ms": from_file, "kb": kilobytes, "managers": managers}
