"""What the host makes of a failure that a worker describes."""

from __future__ import annotations

from typing import Final

import pydantic_core

from cpex.framework.errors import PluginError, PluginViolationError
from cpex.framework.models import PluginErrorModel, PluginViolation

from ._text import shown

__all__ = ["WorkerOutput", "WorkerTraceback", "plugin_error_of"]

_LONGEST: Final = 20_000


class WorkerTraceback(Exception):
    """Stands for what a plugin raised in another process: its text is the traceback of there.

    It is the `__cause__` of the error on the host, as the exception itself is of an error of a plugin of this process.
    """

    def __str__(self) -> str:
        return f'\n"""\n{self.args[0]}\n"""'


class WorkerOutput(Exception):
    """Stands for why a process has ended: its text is what that said last.

    It is the `__cause__` of the errors of calls that ended with the process, and in none of their fields: these go to
    whoever called, and what a plugin prints may be about the calls of others.

    Attributes:
        stdout: The last lines on its standard output.
        stderr: The last lines on its standard error, and of its log.
    """

    def __init__(self, stdout: list[str], stderr: list[str]) -> None:
        """Keep what it said.

        Args:
            stdout: The last lines on its standard output.
            stderr: The last lines on its standard error, and of its log.
        """
        super().__init__(stdout, stderr)
        self.stdout = stdout
        self.stderr = stderr

    def __str__(self) -> str:
        """Say it by stream."""
        streams = (("stdout", self.stdout), ("stderr", self.stderr))
        return "".join(f"\n{name}:\n" + "\n".join(f"  {line}" for line in lines) for name, lines in streams if lines)


def plugin_error_of(described: bytes) -> PluginError | PluginViolationError:
    """Make the error of what a worker says of it.

    Args:
        described: An error model, as JSON; beside its fields the `traceback`, if there is one, and of an exception that
            is a denial, `denial` and the `violation`.

    Returns:
        The error, or the denial.

    Raises:
        ValueError: If it says something else.
    """
    fields = pydantic_core.from_json(described)
    if not isinstance(fields, dict):
        raise ValueError("no description of an error")
    traceback, denies, violation = (fields.pop(name, None) for name in ("traceback", "denial", "violation"))
    model = PluginErrorModel.model_validate(fields)
    # It goes into logs, too.
    model.message = shown(model.message)
    error: PluginError | PluginViolationError = PluginError(model)
    if denies is True:
        reason = None if violation is None else PluginViolation.model_validate(violation)
        error = PluginViolationError(model.message, reason)
    if isinstance(traceback, str):
        error.__cause__ = WorkerTraceback(shown(traceback[-_LONGEST:]))
    return error
