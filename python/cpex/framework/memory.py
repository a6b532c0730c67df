"""Copy-on-write containers and payload isolation, from the engine."""

import copy
import logging
from collections.abc import Iterable
from typing import Any, SupportsIndex, TypeVar

from pydantic import BaseModel

from cpex._core import CopyOnWriteDict, copyonwrite, wrap_payload_for_isolation

__all__ = ["CopyOnWriteDict", "CopyOnWriteList", "copyonwrite", "wrap_payload_for_isolation"]

logger = logging.getLogger(__name__)

_T = TypeVar("_T")

_PRIMITIVE_TYPES = (str, int, float, bool, bytes, type(None))


class CopyOnWriteList(list[_T]):
    """A list that remembers whether a mutator was called since it was made.

    It holds a shallow snapshot: later changes of the original are invisible, nested containers are shared.
    """

    _modified = False

    def __init__(self, original: list[_T]) -> None:
        """Takes a snapshot.

        Args:
            original: The items.
        """
        super().__init__(original)

    def has_modifications(self) -> bool:
        """Tells whether a mutator was called, even one that raised."""
        return self._modified

    def append(self, value: _T) -> None:
        self._modified = True
        super().append(value)

    def extend(self, values: Iterable[_T]) -> None:
        self._modified = True
        super().extend(values)

    def insert(self, index: SupportsIndex, value: _T) -> None:
        self._modified = True
        super().insert(index, value)

    def pop(self, index: SupportsIndex = -1) -> _T:
        self._modified = True
        return super().pop(index)

    def remove(self, value: _T) -> None:
        self._modified = True
        super().remove(value)

    def clear(self) -> None:
        self._modified = True
        super().clear()

    def reverse(self) -> None:
        self._modified = True
        super().reverse()

    def sort(self, *, key: Any = None, reverse: bool = False) -> None:
        self._modified = True
        super().sort(key=key, reverse=reverse)

    def __setitem__(self, index: Any, value: Any) -> None:
        self._modified = True
        super().__setitem__(index, value)

    def __delitem__(self, index: SupportsIndex | slice) -> None:
        self._modified = True
        super().__delitem__(index)

    def __iadd__(self, values: Iterable[_T]) -> "CopyOnWriteList[_T]":  # type: ignore[misc, override]  # as list's own
        self._modified = True
        super().__iadd__(values)
        return self

    def __imul__(self, times: SupportsIndex) -> "CopyOnWriteList[_T]":
        self._modified = True
        super().__imul__(times)
        return self

    def copy(self) -> list[_T]:
        """Returns a plain list of the items."""
        return list(self)

    def __repr__(self) -> str:
        return f"CopyOnWriteList({super().__repr__()})"


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
