"""Copy-on-write containers and payload isolation, from the engine."""

import copy
import logging
from typing import Any

from pydantic import BaseModel

from cpex._core import CopyOnWriteDict, CopyOnWriteList, copyonwrite, wrap_payload_for_isolation

__all__ = ["CopyOnWriteDict", "CopyOnWriteList", "copyonwrite", "wrap_payload_for_isolation"]

logger = logging.getLogger(__name__)

_PRIMITIVE_TYPES = (str, int, float, bool, bytes, type(None))


def _safe_deepcopy(value: Any) -> Any:
    """Copies a value as deeply as it can be copied.

    Args:
        value: Anything.

    Returns:
        A deep copy, or the value itself, with a warning, if it cannot be copied.
    """
    try:
        return copy.deepcopy(value)
    except Exception as error:
        logger.warning("Could not deep-copy %s, sharing it: %s", type(value).__name__, type(error).__name__)
        return value


def _wrap_value(value: Any) -> Any:
    """Isolates one field of a payload.

    Args:
        value: Anything.

    Returns:
        The value itself if nobody can change it, a copy-on-write container, an isolated model, or a copy.
    """
    if isinstance(value, _PRIMITIVE_TYPES):
        return value
    if isinstance(value, (dict, list)):
        return copyonwrite(value)
    if isinstance(value, BaseModel):
        return wrap_payload_for_isolation(value)
    return _safe_deepcopy(value)
