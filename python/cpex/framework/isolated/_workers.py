"""What an entry says of its workers, and how they are started."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Annotated, Any, Final, TypedDict

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, SkipValidation, field_validator
from pydantic_core import to_json

from cpex import _core
from cpex.framework.isolated._log import LOGGER

from ._faults import Section, SettingError, validated
from ._keys import misplaced_keys, misspelt_keys
from ._sandbox import Sandbox

if TYPE_CHECKING:
    from cpex.framework.models import PluginConfig

    from ._environment import Environment

PROGRAM: Final = "cpex.framework.isolated._hosted"
"""Module whose `main()` is the program of a worker."""

_ROOM_FOR_ESCAPES: Final = 4


def _no_boolean(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("it is a number, not true or false")
    return value


Number = BeforeValidator(_no_boolean)
Count = Annotated[int, Number]
Seconds = Annotated[float, Number, Field(gt=0, allow_inf_nan=False)]


def _size(value: Any) -> Any:
    """Read a size as the sandbox reads it."""
    if value == "unlimited":
        return None
    return _core.size_in_bytes(value) if isinstance(value, str) else value


def _enough(size: int) -> int:
    """Refuse what the sandbox refuses: nothing runs in it."""
    try:
        _core.read_sandbox(to_json({"profile": "default", "memory": size}))
    except ValueError as error:
        raise ValueError(str(error).replace("`memory`", "`memory_limit`")) from None
    return size


def _in_words(size: int) -> str:
    units = ((30, "GiB"), (20, "MiB"), (10, "KiB"))
    return next((f"{size >> bits} {unit}" for bits, unit in units if size % (1 << bits) == 0), f"{size} B")


class BreakerOptions(TypedDict):
    """When no worker is started for a while; times in seconds."""

    failures: int
    wait: float
    longest_wait: float


class SandboxOptions(TypedDict):
    """What contains a worker."""

    policy: bytes
    """As the entry says it, as JSON."""
    root: str
    """The folder that its relative paths are relative to."""
    readable: list[str]
    """Files and folders that the worker itself needs."""


class WorkerOptions(TypedDict):
    """How workers are started and ended, as the core takes it; times in seconds, sizes in bytes."""

    program: str
    arguments: list[str]
    pass_env: list[str]
    set_env: list[tuple[str, str]]
    folder: str | None
    workers: int
    max_message: int
    start_timeout: float
    give_up_timeout: float
    hang_timeout: float
    idle_timeout: float | None
    shutdown_timeout: float
    memory_limit: int | None
    breaker: BreakerOptions
    proven_after: float
    sandbox: SandboxOptions


class RestartSettings(Section):
    """When workers that end again and again are not started for a while."""

    model_config = ConfigDict(extra="forbid")

    failures: Annotated[Count, Field(ge=1)] = 5
    """Early ends in a row after which none is started for a while."""
    wait: Seconds = 1
    """Seconds until one is tried. Doubled each time that one fails."""
    longest_wait: Seconds = 5
    """The most seconds; `wait` if that is more."""


class WorkerSettings(Section):
    """The keys of `config` that are about workers; all others are the plugin's own."""

    model_config = ConfigDict(extra="ignore")

    workers: Annotated[Count, Field(ge=1, le=256)] = 1
    """How many processes run the plugin, side by side."""
    pass_env: list[str] = []
    """Environment variables of the host that the plugin sees, besides `PATH`, `HOME`, `LANG`, `LC_*`, `TMPDIR` and
    `PLUGINS_CONFIG_FILE`."""
    start_timeout: Seconds = 30
    """Seconds to start, import and initialize the plugin."""
    give_up_timeout: Seconds = 1
    """Seconds to stop a call that was cancelled, or took too long; after them the worker is killed."""
    hang_timeout: Seconds = 30
    """Seconds that the plugin may block its event loop."""
    idle_timeout: Seconds | None = None
    """Seconds without a call after which a worker is ended, until the next one; absent: never."""
    memory_limit: Annotated[Annotated[Count, AfterValidator(_enough)] | None, BeforeValidator(_size)] = None
    """Bytes of memory that a worker may use, or a text as `300MiB`; absent, or `unlimited`: as many as there are."""
    restart: RestartSettings = RestartSettings()
    """When workers that end again and again are not started for a while."""
    sandbox: SkipValidation[str | dict[str, Any]] = "none"
    """What the plugin may do: `none`, `default`, `strict`, or a mapping; absent: all that the host may. A key without a
    value is an error, not `none`."""

    @field_validator("sandbox", mode="before")
    @classmethod
    def _says_something(cls, value: Any) -> Any:
        if not isinstance(value, (str, dict)):
            raise ValueError("a sandbox is `none`, `default`, `strict`, or a mapping that starts from one")
        return value

    @classmethod
    def of(cls, config: PluginConfig) -> WorkerSettings:
        """Read them.

        Args:
            config: The plugin's entry.

        Returns:
            The settings.

        Raises:
            SettingError: If one is wrong, not where it belongs, or nearly has the name of one.
        """
        written = config.config or {}
        faults = [*misspelt_keys(written), *misplaced_keys(written, "sandbox")]
        settings, policy = cls(), written.get("sandbox")
        try:
            settings = validated(cls, written, "config")
        except SettingError as error:
            faults += [error, *error.others]
        try:
            if policy != "" and isinstance(policy, (str, dict)):
                Sandbox.of(policy)
        except SettingError as error:
            faults += [error, *error.others]
        if faults:
            raise SettingError.of(faults)
        return settings

    @property
    def containment(self) -> Sandbox:
        """What contains a worker, and ends what it starts."""
        return Sandbox.of(self.sandbox)

    def __str__(self) -> str:
        """Say in a line what contains a worker."""
        limit = "" if self.memory_limit is None else f"; memory_limit {_in_words(self.memory_limit)}"
        return f"{self.containment}{limit}"

    def options(self, environment: Environment, max_content_size: int) -> WorkerOptions:
        """Say how workers are started.

        Args:
            environment: Where they run.
            max_content_size: Characters of the largest request.

        Returns:
            The options.
        """
        size = min(max_content_size * _ROOM_FOR_ESCAPES, 2**31)
        program, *arguments = environment.command(PROGRAM, str(size), guarded=not self.containment.contains)
        return {
            "program": program,
            "arguments": arguments,
            "pass_env": self.pass_env,
            "set_env": list(environment.variables.items()),
            "folder": None,
            "workers": self.workers,
            "max_message": size,
            "start_timeout": self.start_timeout,
            "give_up_timeout": self.give_up_timeout,
            "hang_timeout": self.hang_timeout,
            "idle_timeout": self.idle_timeout,
            "shutdown_timeout": 2.0,
            "memory_limit": self.memory_limit,
            "breaker": {
                "failures": self.restart.failures,
                "wait": self.restart.wait,
                "longest_wait": max(self.restart.wait, self.restart.longest_wait),
            },
            "proven_after": 10.0,
            "sandbox": self._sandbox(environment),
        }

    def _sandbox(self, environment: Environment) -> SandboxOptions:
        return {
            "policy": to_json(self.sandbox),
            "root": str(environment.place.project),
            "readable": [str(path) for path in environment.readable],
        }


def hello(config: PluginConfig, environment: Environment) -> dict[str, Any]:
    """Say what a worker is told of its plugin.

    Args:
        config: The plugin's entry.
        environment: Where it runs.

    Returns:
        What can be written as JSON.
    """
    settings = config.config or {}
    return {
        "config": config.model_dump(mode="json"),
        "class_name": settings["class_name"],
        "root": str(environment.place.root),
        "log_level": logging.getLogger(LOGGER).getEffectiveLevel(),
    }
