"""A runner in another interpreter, kept alive from case to case."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from .case import Case, Observation

# The tests' directory goes last on the path: nothing in it may hide a module of the package under test.
_BOOT = """
import runpy, sys
sys.path.append(sys.argv.pop())
runpy.run_module(sys.argv.pop(), run_name="__main__")
"""
_NOT_INHERITED = ("PLUGINS_", "PYTHON", "CPEX_")


class Side:
    """One of the two packages under comparison."""

    def __init__(
        self, python: str, module: str = "differential.runner", *, folder: Path | None = None, **variables: str
    ) -> None:
        """Starts a runner.

        Args:
            python: Interpreter of a virtual environment with `cpex` installed.
            module: The runner.
            folder: Its working directory; that of the tests if there is none.
            variables: Set in its environment.
        """
        self._unheard = False
        self._process = subprocess.Popen(
            [python, "-P", "-c", _BOOT, module, str(Path(__file__).parents[1])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=folder,
            env={key: value for key, value in os.environ.items() if not key.startswith(_NOT_INHERITED)} | variables,
        )

    def tell(self, case: Any) -> None:
        """Hands a case over without waiting for the answer; an answer that nobody heard is dropped."""
        assert self._process.stdin is not None
        if self._unheard:
            self._read()
        self._unheard = True
        self._process.stdin.write(json.dumps(case) + "\n")
        self._process.stdin.flush()

    def hear(self) -> Observation:
        """Returns the observation of the case handed over last.

        Raises:
            RuntimeError: The runner died or could not play the case.
        """
        noticed: Observation = json.loads(self._read())
        if "harness" in noticed:
            raise RuntimeError(f"the runner failed: {noticed['harness']}")
        return noticed

    def _read(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        self._unheard = False
        if not line:
            raise RuntimeError(f"the runner ended with status {self._process.wait()}")
        return line

    def play(self, case: Case) -> Observation:
        """Hands a case over and returns its observation."""
        self.tell(case)
        return self.hear()

    def close(self) -> None:
        """Ends the runner."""
        self._process.communicate()
