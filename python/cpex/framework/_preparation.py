"""Building before the first request what would otherwise be built during it.

The framework's models are defined with `defer_build`: pydantic builds the validator of each at its first use, which
takes milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Any, get_args
from weakref import WeakSet

from pydantic import BaseModel

from cpex import _core
from cpex.framework.hooks.registry import get_hook_registry
from cpex.framework.models import GlobalContext, PluginContext, PluginErrorModel, PluginResult
from cpex.framework.utils import StructuredData

_built: WeakSet[type] = WeakSet()
"""Models that need no second look, whichever manager prepares its hooks next."""


def prepare_hooks(hooks: Iterable[str]) -> None:
    """Build what an invocation of some hooks needs: their payloads and results, and the framework's own models.

    A model that can't be built, perhaps because it refers to something still undefined, says so at its first use.

    Args:
        hooks: Names of the hooks. Those that nobody registered have no models of their own.
    """
    # The base of all models is the one that can't be built.
    seen: set[type] = {BaseModel}
    for model in (PluginContext, PluginErrorModel, PluginResult, StructuredData):
        _build(model, seen)
    registry = get_hook_registry()
    for hook in hooks:
        _build(registry.get_payload_type(hook), seen)
        _build(registry.get_result_type(hook), seen)
    # Makes the engine look up the classes that it works with.
    _core.complete(GlobalContext(request_id=""))


def _build(annotation: Any, seen: set[type]) -> None:
    """Build the models of an annotation, except the ones that were seen before.

    Those that their fields are made of come first: pydantic makes use of what it finds, and would otherwise build them
    once more for each model that they are in.
    """
    for argument in get_args(annotation):
        _build(argument, seen)
    if (
        not isinstance(annotation, type)
        or not issubclass(annotation, BaseModel)
        or annotation in seen
        or annotation in _built
    ):
        return
    seen.add(annotation)
    for field in annotation.model_fields.values():
        _build(field.annotation, seen)
    with suppress(Exception):
        annotation.model_rebuild(raise_errors=False, _types_namespace={})
    if annotation.__pydantic_complete__:
        _built.add(annotation)
