"""The Rust engine of CPEX: scheduling, policies, conditions, copy-on-write, configuration text."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableSet
from typing import Any, Final, Generic, Literal, TypeVar, final

from pydantic import BaseModel

_K = TypeVar("_K")
_V = TypeVar("_V")
_T = TypeVar("_T")

__version__: Final[str]

class CopyOnWriteDict(dict[_K, _V]):
    """A dict that remembers what was written and deleted since it was made."""

    def __init__(self, original: Mapping[_K, _V]) -> None: ...
    def get_modifications(self) -> dict[_K, _V]: ...
    def get_deleted(self) -> set[_K]: ...
    def has_modifications(self) -> bool: ...

def copyonwrite(o: _T) -> _T: ...
def wrap_payload_for_isolation(payload: BaseModel) -> BaseModel: ...
def apply_policy(
    original: BaseModel, modified: BaseModel, writable_fields: frozenset[str], apply_to: BaseModel | None
) -> tuple[BaseModel | None, list[str]]:
    """Returns the accepted payload (None: nothing accepted) and the names of the fields that were dropped."""

def matches(condition: Any, context: Any) -> bool: ...
def payload_matches(payload: Any, hook_type: str, conditions: list[Any], context: Any) -> bool: ...
def get_matchable_value(payload: Any, hook_type: str) -> str | None: ...
def normalize_content_type(content_type: Any) -> str: ...
def complete(instance: BaseModel) -> None:
    """Makes an instance whole that the engine handed out unfinished; see `cpex.framework._pending`."""

def touch() -> None:
    """Says that a plugin or hook reference changed: compiled line-ups are made again."""

class Engine:
    """The scheduler; `PluginExecutor` derives from it. Attributes are read at each call."""

    config: Any
    timeout: float | None
    observability: Any
    hook_policies: dict[str, Any]
    default_hook_policy: Any
    _runtime_disabled: set[str]
    def __new__(cls, *args: Any, **kwargs: Any) -> Engine: ...
    def _begin(
        self,
        hook_refs: list[Any],
        payload: Any,
        global_context: Any,
        hook_type: str,
        local_contexts: dict[str, Any] | None,
        violations_as_exceptions: bool,
        extensions: Any,
    ) -> tuple[Any, dict[str, Any] | None] | HookCall:
        """Runs until the first plugin that suspends. A tuple is the finished result; a `HookCall` is to be awaited."""

    def _begin_one(
        self,
        hook_ref: Any,
        payload: Any,
        local_context: Any,
        violations_as_exceptions: bool,
        global_context: Any,
        combined_metadata: dict[str, Any] | None,
        extensions: Any,
    ) -> Any | HookCall:
        """One plugin, outside a pipeline (`execute_plugin`). A `PluginResult`, or a `HookCall` to be awaited."""

    def _eligible(self, hook_refs: list[Any], payload: Any, global_context: Any, hook_type: str) -> list[tuple[Any, str | None]]:
        """Every hook reference in execution order, with the reason why it would be skipped, or None if it would run."""

@final
class HookCall(Awaitable[Any]):
    """A pipeline in flight, on the caller's own task."""
