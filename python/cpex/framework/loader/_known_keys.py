"""Which keys a plugin configuration file may have: those of the models."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any, TypeAlias, get_args, get_origin

from pydantic import BaseModel

from cpex.framework.models import Config

__all__ = ["known_keys"]

KnownKeys: TypeAlias = "dict[str, KnownKeys] | list[KnownKeys] | None"
"""A mapping by its keys, a sequence by its item, None where anything goes."""


@cache
def known_keys() -> KnownKeys:
    """Collect the keys of the configuration models.

    Returns:
        The keys, in the form of `_core.PositionIndex.unknown_keys`.
    """
    return _fields(Config)


def _fields(model: type[BaseModel]) -> dict[str, KnownKeys]:
    return {field.alias or name: _below(field.annotation) for name, field in model.model_fields.items()}


def _below(annotation: Any) -> KnownKeys:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return _fields(annotation)
    if get_origin(annotation) is list:
        item = _below(*get_args(annotation))
        return None if item is None else [item]
    return _first(_below(argument) for argument in get_args(annotation) if get_origin(annotation) is not dict)


def _first(candidates: Iterable[KnownKeys]) -> KnownKeys:
    return next((candidate for candidate in candidates if candidate is not None), None)
