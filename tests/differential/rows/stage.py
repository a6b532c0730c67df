"""Runs probes on whichever CPEX this interpreter has: JSON lines in, one outcome a line out."""

import asyncio
import importlib
import inspect
import json
import logging
import os
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

from cpex.framework import PluginManager
from cpex.framework.settings import settings


def perform(name: str, arguments: list[Any]) -> Any:
    """Runs one probe in a folder and with settings of its own."""
    module, _, function = name.partition(":")
    probe = getattr(importlib.import_module(module), function)
    PluginManager.reset()
    settings.cache_clear()
    before, path = Path.cwd(), list(sys.path)
    with tempfile.TemporaryDirectory(prefix="cpex-row-") as folder:
        os.chdir(folder)
        try:
            outcome = probe(Path(folder), *arguments)
            return {"returned": asyncio.run(outcome) if inspect.iscoroutine(outcome) else outcome}
        except Exception as error:
            return {"raised": type(error).__name__, "says": str(error)}
        finally:
            os.chdir(before)
            sys.path[:] = path


def main() -> None:
    """Answers every line of standard input until it ends."""
    logging.getLogger().addHandler(logging.NullHandler())
    warnings.simplefilter("ignore")
    for line in sys.stdin:
        sys.stdout.write(json.dumps(perform(*json.loads(line))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
    # Threads that a package has left are not waited for.
    os._exit(0)
