"""Which keys a plugin configuration file may have: those of the models, and what `plugin_settings` is read for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, TypeAlias, get_args, get_origin

from pydantic import BaseModel

from cpex.framework._switches import ALLOWED_DIRS, SWITCHES
from cpex.framework.models import Config

if TYPE_CHECKING:
    from cpex import _core

__all__ = ["suspicious_keys"]

KnownKeys: TypeAlias = "dict[str, KnownKeys] | list[KnownKeys] | None"
"""A mapping by its keys, a sequence by its item, None where anything goes."""


_SETTINGS = dict.fromkeys((*SWITCHES, ALLOWED_DIRS))
_SUGGESTION = "; did you mean "
_PLUGINS_MEANT = f'{_SUGGESTION}"plugins"'


def suspicious_keys(data: Mapping[Any, Any], positions: _core.PositionIndex) -> list[tuple[str, int, int, str]]:
    """Find the keys that nothing reads, and a file without plugins: it guards nothing.

    Hosts keep settings of their own under `plugin_settings`: there, only what resembles one of ours is suspicious. A
    protection whose name is misspelt would otherwise be off without a word.

    Args:
        data: The configuration.
        positions: Where its parts stand.

    Returns:
        Kind, line, column and message of each.
    """
    top = {key: None for key in data if isinstance(key, str)}
    settings = positions.unknown_keys({**top, "plugin_settings": _SETTINGS}) if "plugin_settings" in top else []
    misspelt = [problem for problem in settings if _SUGGESTION in problem[-1]]
    unknown = positions.unknown_keys(_model_keys())
    return [*unknown, *misspelt, *_no_plugins(data, positions, any(_PLUGINS_MEANT in text for *_, text in unknown))]


def _no_plugins(
    data: Mapping[Any, Any], positions: _core.PositionIndex, is_misspelt: bool
) -> Iterator[tuple[str, int, int, str]]:
    if data.get("plugins") is None:
        line, column = positions.locate(("plugins",) if "plugins" in data else ()) or (1, 1)
        hint = "" if is_misspelt else '; write "plugins: []" if that is meant'
        yield "no_plugins", line, column, f"no plugins are named: everything is allowed{hint}"


@cache
def _model_keys() -> KnownKeys:
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
