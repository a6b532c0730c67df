"""The Rust engine of CPEX: scheduling, policies, conditions, copy-on-write, configuration text."""

from collections.abc import Awaitable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final, Protocol, Self, TypeVar, final

from pydantic import BaseModel
from typing_extensions import disjoint_base

from cpex.framework.external._options import ClientOptions, Pooling, StartedServer, TlsFiles
from cpex.framework.external._server.listen import Listen
from cpex.framework.isolated._recipe import Recipe
from cpex.framework.isolated._workers import WorkerOptions

__all__ = [
    "BuiltEnvironment",
    "Builtin",
    "BuiltinHook",
    "CopyOnWriteDict",
    "Engine",
    "ExternalClient",
    "HookCall",
    "IsolatedClient",
    "Kept",
    "PluginCall",
    "PluginService",
    "PositionIndex",
    "WorkerCall",
    "WorkerLine",
    "__version__",
    "apply_policy",
    "ask_interpreter",
    "build_environment",
    "complete",
    "copyonwrite",
    "extension_slots",
    "filter_extensions",
    "get_matchable_value",
    "hold_environments",
    "is_finite",
    "load_config",
    "matches",
    "merge_extensions",
    "normalize_content_type",
    "only_grew",
    "payload_matches",
    "read_sandbox",
    "requirements_files",
    "sandbox_support",
    "size_in_bytes",
    "slip_of",
    "touch",
    "wrap_payload_for_isolation",
]

_K = TypeVar("_K")
_V = TypeVar("_V")
_T = TypeVar("_T")

__version__: Final[str]

@disjoint_base
class CopyOnWriteDict(dict[_K, _V]):
    """A dict that remembers what was written and deleted since it was made."""

    def __new__(cls, original: Mapping[_K, _V]) -> Self: ...
    def __init__(self, original: Mapping[_K, _V]) -> None: ...
    def __copy__(self) -> Self: ...
    def __deepcopy__(self, memo: Any) -> Self: ...
    def pop(self, key: _K, *args: Any) -> Any: ...
    def setdefault(self, key: _K, default: Any = None) -> Any: ...
    def update(self, other: Any = None, **kwargs: Any) -> None: ...
    def get_modifications(self) -> dict[_K, _V]: ...
    def get_deleted(self) -> set[_K]: ...
    def has_modifications(self) -> bool: ...

def copyonwrite(o: _T) -> _T: ...
def wrap_payload_for_isolation(payload: BaseModel) -> BaseModel: ...
def apply_policy(
    original: BaseModel, modified: BaseModel, writable_fields: frozenset[str], apply_to: BaseModel | None = None
) -> tuple[BaseModel | None, list[str]]:
    """Returns the accepted payload (None: nothing accepted) and the names of the fields that were dropped."""

@final
class PositionIndex:
    """Where each part of a configuration document stands."""

    def locate(self, path: Iterable[str | int]) -> tuple[int, int] | None:
        """Returns line and column, from 1, of the deepest part that the path reaches."""

    def unknown_keys(self, known: Any) -> list[tuple[str, int, int, str]]:
        """Returns kind, line, column and message of each key that nothing reads."""

def load_config(
    text: str, path: str, env: Mapping[str, str] | None = None, compat: bool = False
) -> tuple[Any, list[tuple[str, int, int, str]], PositionIndex]:
    """Returns the value of the text, what looks suspicious in it, and where its parts stand."""

def slip_of(word: str, candidates: list[str]) -> str | None:
    """Returns the candidate that a word differs from in two letters at most, unless it adds whole words to one."""

def size_in_bytes(text: str) -> int:
    """Returns the bytes of a text as `300MiB`; raises a `ValueError` if it is no size."""

def sandbox_support() -> str:
    """Returns what this machine can contain a program with, as JSON."""

def read_sandbox(policy: bytes) -> tuple[str, str, list[str]]:
    """Returns the profile of a sandbox, what it allows in words, and the variables that it hands on."""

def extension_slots() -> list[tuple[str, str, str | None, str | None]]:
    """Returns path, tier, and the capabilities to read and to write of each slot."""

def filter_extensions(extensions: Any | None, capabilities: Iterable[str]) -> Any | None:
    """Returns what a plugin sees that was granted these capabilities."""

def merge_extensions(
    original: Any | None, plugin_output: Any | None, capabilities: Iterable[str], plugin_name: str
) -> Any | None:
    """Returns `original` with what a plugin may write, or itself if nothing was taken over."""

def only_grew(before: Any, after: Any, slot: str) -> bool:
    """Tells whether a slot that may only grow did nothing else."""

def matches(condition: Any, context: Any) -> bool: ...
def payload_matches(payload: Any, hook_type: str, conditions: list[Any], context: Any) -> bool: ...
def get_matchable_value(payload: Any, hook_type: str) -> str | None: ...
def normalize_content_type(content_type: Any) -> str: ...
def complete(instance: BaseModel) -> None:
    """Makes an instance whole that the engine handed out unfinished; see `cpex.framework._pending`."""

def is_finite(value: Any) -> bool:
    """Tells whether no number in a value is NaN or infinite. Pydantic writes `null` in its place, without a word."""

def touch() -> None:
    """Says that a plugin or hook reference changed: compiled line-ups are made again."""

@disjoint_base
class Engine:
    """The scheduler; `PluginExecutor` derives from it. Attributes are read at each call."""

    config: Any
    timeout: float | None
    observability: Any
    hook_policies: dict[str, Any]
    default_hook_policy: Any
    _isolates_always: bool
    _full_detail: bool
    _extension_tiers: str
    _compatible: bool
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

    def _release(self) -> None:
        """Lets go of the plugins it knows. Calls under way keep theirs until they end."""

    def _eligible(
        self, hook_refs: list[Any], payload: Any, global_context: Any, hook_type: str
    ) -> list[tuple[Any, str | None]]:
        """Every hook reference in execution order, with the reason why it would be skipped, or None if it would run."""

@final
class HookCall:
    """A pipeline in flight, on the caller's own task."""

    def __await__(self) -> Self: ...
    def __iter__(self) -> Self: ...
    def __next__(self) -> Any: ...
    def send(self, value: Any) -> Any: ...
    def throw(self, typ: Any, val: Any = None, tb: Any = None) -> Any: ...
    def close(self) -> None: ...
    def result(self) -> Any:
        """Returns what it came to, once; a finished `await` answers None in its place."""

@final
class Builtin:
    """A built-in plugin, made of an entry of the configuration and attached to its hooks."""

    def __new__(
        cls,
        kind: str,
        name: str,
        config: dict[str, Any] | None,
        hooks: list[tuple[str, bool]],
        mode: str,
        may_see_headers: bool,
    ) -> Self:
        """Each hook comes with whether plugins return something else there than what it is about."""

    @staticmethod
    def kinds() -> list[str]:
        """All kinds, as configurations name them."""

    def open(self) -> None:
        """Opens what it writes to, so that a start fails where a call would."""

    @property
    def lingers(self) -> bool:
        """Whether to close it may have to be waited for."""

    def close(self) -> None:
        """Ends it, after the last call. Blocks if it lingers, and lets others have the interpreter meanwhile."""

    @property
    def hooks(self) -> list[str]:
        """The names of its hooks."""

    @property
    def takes_extensions(self) -> bool:
        """Whether its hooks take the request's extensions."""

@disjoint_base
class BuiltinHook:
    """A built-in plugin at one of its hooks."""

    def __new__(cls, builtin: Builtin, hook: str) -> Self: ...
    def call_now(self, payload: Any, context: Any, extensions: Any = None) -> Any:
        """Calls the plugin: a `PluginResult`, or an awaitable of one."""

@final
class Kept:
    """What a built-in plugin keeps in its context while a request lasts."""

    def __new__(cls) -> Self: ...
    def __deepcopy__(self, memo: Any) -> Self: ...

@final
class ExternalClient:
    """A client of one plugin on one server or several."""

    @staticmethod
    def unix(plugin: str, paths: list[str], options: ClientOptions) -> ExternalClient: ...
    @staticmethod
    def grpc(plugin: str, targets: list[str], tls: TlsFiles | None, options: ClientOptions) -> ExternalClient:
        """Raises `ValueError` if certificates or keys cannot be used."""

    @staticmethod
    def http(
        plugin: str, urls: list[str], uds: str | None, tls: TlsFiles, pooling: Pooling, options: ClientOptions
    ) -> ExternalClient:
        """Raises `ValueError` if certificates or keys cannot be used."""

    @staticmethod
    def stdio(plugin: str, server: StartedServer, options: ClientOptions) -> ExternalClient: ...
    def connect(self) -> Awaitable[tuple[bytes | None, bool]] | tuple[bytes | None, bool]:
        """Reaches a server for the first time: its configuration of the plugin as JSON, or None if it has none.

        And whether it understands extensions.

        Like the other methods, returns an awaitable unless the answer is known at once.
        """

    def invoke(
        self, hook: str, payload: bytes, context: bytes, extensions: bytes | None
    ) -> Awaitable[tuple[bytes, bytes | None, bool]] | tuple[bytes, bytes | None, bool]:
        """Runs a hook: its result and, if one came back, the context, both as JSON.

        And whether the server understands extensions; one that does not is sent none.
        """

    def status(self) -> list[dict[str, Any]]:
        """Of each server: `target`, `breaker` (closed, open, half_open), `outstanding` calls, if `silent`, and counts.

        They say how often the breaker `opened`, `half_opened` and `closed`, health checks have `ejected` and
        `readmitted` it, and calls were `retried` and `hedged` there.
        """

    def close(self) -> Awaitable[None] | None:
        """Says goodbye to the servers."""

@final
class PluginCall:
    """A hook of a plugin that is to run for a peer. It is answered once."""

    @property
    def id(self) -> int: ...
    @property
    def hook(self) -> str: ...
    @property
    def plugin(self) -> str: ...
    @property
    def payload(self) -> str: ...
    @property
    def context(self) -> str: ...
    @property
    def extensions(self) -> str | None: ...
    def answer(self, result: bytes, context: bytes | None, allowed: bool) -> None: ...
    def fail(self, message: str, plugin: str, code: str, details: bytes, mcp_error_code: int) -> None: ...

@final
class PluginService:
    """Servers of this process, and the calls that come to them."""

    def __new__(cls, ready: float, alive: float) -> Self: ...
    def fileno(self) -> int: ...
    def take(self) -> tuple[list[PluginCall], list[int], list[tuple[int, str]]]: ...
    def bind(self, listen: Listen) -> Awaitable[str | None]: ...
    def serve(self, configs: list[tuple[str, str]], hooks: list[tuple[str, str]], metrics: bool) -> Awaitable[None]: ...
    def stop(self) -> None: ...

@final
class BuiltEnvironment:
    """An environment of an isolated plugin; nobody removes it as long as this object lives."""

    @property
    def folder(self) -> Path: ...
    @property
    def python(self) -> Path: ...
    @property
    def reused(self) -> bool: ...

class _Watcher(Protocol):
    def step(self, step: str) -> None: ...
    def is_cancelled(self) -> bool: ...
    def check(self, folder: Path) -> tuple[str, bool] | None: ...
    def error(self, message: str, details: Mapping[str, Any]) -> Exception: ...

def build_environment(recipe: Recipe, watcher: _Watcher) -> BuiltEnvironment:
    """Finds or builds the environment of an isolated plugin. May take minutes; the interpreter is free meanwhile."""

def hold_environments(home: Path) -> list[BuiltEnvironment]:
    """Holds all environments that there are in a plugin's folder."""

def requirements_files(file: Path, roots: list[Path]) -> list[Path]:
    """Returns a requirements file and those it includes; ValueError if one is in none of the folders."""

def ask_interpreter(program: Path) -> tuple[Path, str, str]:
    """Returns executable, version and ABI of an interpreter; OSError if the program is none."""

@final
class IsolatedClient:
    """The processes of one isolated plugin."""

    def __new__(cls, plugin: str, hello: bytes, options: WorkerOptions) -> Self:
        """Starts nothing yet. `hello` is what a worker is told of the plugin: an object, as JSON."""

    def start(self) -> Awaitable[bytes] | bytes:
        """Starts the workers, which load the plugin: what the last of them says of itself, as JSON.

        Like the other methods, returns an awaitable unless the answer is known at once.
        """

    def invoke(
        self,
        hook: str,
        payload: bytes,
        context: bytes,
        extensions: bytes | None = None,
        deadline: float | None = None,
    ) -> Awaitable[tuple[bytes, bytes | None, bool]] | tuple[bytes, bytes | None, bool]:
        """Runs a hook: its result and, if it is not as it was, the context, both as JSON; and True: workers understand
        extensions.
        """

    def status(self) -> list[dict[str, Any]]:
        """The fields of a `cpex.framework.isolated.WorkerStatus` for each worker."""

    def kill(self) -> None:
        """Ends the workers, and does not wait for that."""

    def close(self) -> Awaitable[None] | None:
        """Ends the workers; no call is taken any more."""

@final
class WorkerLine:
    """A worker's socket to its host, which the process was started with as its standard input."""

    def __new__(cls, max_message: int) -> Self:
        """Takes the socket; the standard input is empty from then on."""

    def fileno(self) -> int: ...
    def hello(self) -> tuple[int, bytes]:
        """Waits for the host to say what the plugin is: the number to answer with, and JSON."""

    def ready(self, id: int, about: bytes) -> None: ...
    def fail(self, id: int, error: bytes) -> bool:
        """Answers with an error model, as JSON. False if it is too large to be sent."""

    def dropped(self, id: int) -> None:
        """Says that a call that was given up has stopped."""

    def reply(self, id: int, result: bytes, context: bytes | None) -> bool:
        """Answers with a result, and the context unless it is as it was sent. False if they are too large."""

    def take(self) -> tuple[list[WorkerCall], list[int], bool]:
        """The calls that have come, the numbers of those that nobody waits for any more, and whether more may come."""

@final
class WorkerCall:
    """A hook of the plugin that is to run in a worker."""

    @property
    def id(self) -> int: ...
    @property
    def hook(self) -> str: ...
    @property
    def payload(self) -> str: ...
    @property
    def context(self) -> bytes: ...
    @property
    def extensions(self) -> bytes | None: ...
    @property
    def deadline(self) -> float | None:
        """Seconds until the worker gives it up by itself."""
