"""What the host makes of a failure that a worker describes."""

from __future__ import annotations

from typing import Final

import pydantic_core

from cpex.framework.errors import PluginError
from cpex.framework.models import PluginErrorModel

from ._text import shown

__all__ = ["WorkerTraceback", "plugin_error_of"]

_LONGEST: Final = 20_000


class WorkerTraceback(Exception):
    """Stands for what a plugin raised in another process: its text is the traceback of there.

    It is the `__cause__` of the error on the host, as the exception itself is of an error of a plugin of this process.
    """

    def __str__(self) -> str:
        return f'\n"""\n{self.args[0]}\n"""'


def plugin_error_of(described: bytes) -> PluginError:
    """Make the error of what a worker says of it.

    Args:
        described: An error model, and the `traceback` beside its fields, if there is one; as JSON.

    Returns:
        The error.

    Raises:
        ValueError: If it says something else.
    """
    fields = pydantic_core.from_json(described)
    traceback = fields.pop("traceback", None) if isinstance(fields, dict) else None
    model = PluginErrorModel.model_validate(fields)
    # It goes into logs, too.
    model.message = shown(model.message)
    error = PluginError(model)
    if isinstance(traceback, str):
        error.__cause__ = WorkerTraceback(shown(traceback[-_LONGEST:]))
    return error
