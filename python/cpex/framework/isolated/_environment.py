"""The environment of an isolated plugin: built when it has to be, checked, and held while somebody runs from it."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cpex import _core
from cpex.framework.errors import PluginError
from cpex.framework.models import PluginErrorModel

from . import _borrow
from ._closure import Borrowed, ConflictError, borrowed_by
from ._options import EnvironmentOptions, recipe
from ._place import Place, place_of

if TYPE_CHECKING:
    from cpex.framework.models import PluginConfig

logger = logging.getLogger("cpex.framework.isolated")

WORKER: Final = "cpex.framework.isolated.worker"
"""Module whose `main()` a worker runs."""

Step = str
"""A key of `STEPS`."""

STEPS: Final = {
    "wait": "waiting for another process that builds it",
    "make": "making an empty environment",
    "install": "installing packages",
    "check": "checking the environment",
    "keep": "writing it to the disk",
}
"""The steps of a build, in words."""

Reporter = Callable[[str, Step], None]

REPORTER: Final[ContextVar[Reporter | None]] = ContextVar("cpex_environment_reporter", default=None)
"""Who is told of the steps of every build in this context: the plugin's name and the step. A command shows them."""

BUILD_FAILED: Final = "ENVIRONMENT_BUILD_FAILED"
"""Code of the error of a failed build."""


@dataclass(frozen=True, slots=True)
class Environment:
    """A whole environment. As long as this object lives, nobody removes it.

    Attributes:
        place: Where the plugin is.
        folder: The environment.
        python: Its interpreter: a worker is started with this path, not with one through `.venv`.
        borrowed: What it lacks and a worker has from the host.
        reused: Whether it was there already.
    """

    place: Place
    folder: Path
    python: Path
    borrowed: Borrowed
    reused: bool
    _lease: object = field(repr=False)

    def command(self, module: str = WORKER, *arguments: str, guarded: bool = False) -> list[str]:
        """Say how a program is run in it that may import this package.

        Args:
            module: The module whose `main()` is the program.
            *arguments: What it finds in `sys.argv[1:]`.
            guarded: Whether what it starts is to end with it, and all with this process.

        Returns:
            The command; it needs the `variables`.
        """
        guard = [_borrow.GUARDED] if guarded else []
        return [str(self.python), "-P", _borrow.__file__, *guard, module, *arguments]

    @property
    def variables(self) -> dict[str, str]:
        """Environment variables that such a program needs, besides what the plugin may see of the host's."""
        return {_borrow.VARIABLE: self.borrowed.as_json(self.place.root), "VIRTUAL_ENV": str(self.folder)}

    @property
    def readable(self) -> tuple[Path, ...]:
        """The folders and files that such a program has to be able to read, besides those of the system.

        Of the plugin that is its package alone: beside it may be others, and the configuration of the host.
        """
        return (*self.place.code, self.folder, *_interpreter(self.python, self.place), *self.borrowed.paths)


def _interpreter(python: Path, place: Place) -> Iterator[Path]:
    """What an interpreter reads of its own: its prefix, unless that holds other things, too."""
    program = python.resolve()
    prefix = program.parents[1]
    if not any(folder.is_relative_to(prefix) for folder in (Path.home(), place.project)):
        yield prefix
        return
    yield program
    yield from (folder for folder in (prefix / "lib", prefix / "lib64") if folder.is_dir())


class Cancel:
    """A build can be given up with it, from any thread."""

    def __init__(self) -> None:
        """Make one that is not set."""
        self._event = threading.Event()

    def cancel(self) -> None:
        """Give the build up; what it has started is ended."""
        self._event.set()

    @property
    def is_cancelled(self) -> bool:
        """Whether it was given up."""
        return self._event.is_set()


def build(
    config: PluginConfig,
    plugin_dirs: Sequence[str] = (),
    *,
    on_step: Callable[[Step], None] | None = None,
    cancel: Cancel | None = None,
    anew: bool = False,
) -> Environment:
    """Give a plugin its environment. If there is none for what is asked for today, it is built: this may take minutes.

    Of many processes that ask at the same time one builds, the others wait. A build that is cut short, even by a power
    failure, leaves nothing that passes for an environment.

    Args:
        config: The plugin's entry of the configuration.
        plugin_dirs: The accepted folders of plugins.
        on_step: Is told of each step when it begins; without it the `REPORTER` is, and without that one the log.
        cancel: What the build can be given up with.
        anew: Build even if there is one.

    Returns:
        The environment.

    Raises:
        PluginError: If it cannot be built; `error.code` is `ENVIRONMENT_BUILD_FAILED`, `error.details` has `step`,
            `command`, `requirements`, `exit_code` and `stderr`, its last lines, all without credentials.
        ValueError: If the entry is wrong.
        FileNotFoundError: If a file or folder that it names is not there.
    """
    place = place_of(config, plugin_dirs)
    options = EnvironmentOptions.of(config)
    return build_at(place, options, on_step=on_step, cancel=cancel, anew=anew)


def build_at(
    place: Place,
    options: EnvironmentOptions,
    *,
    on_step: Callable[[Step], None] | None = None,
    cancel: Cancel | None = None,
    anew: bool = False,
) -> Environment:
    """Give a plugin its environment whose places are known.

    Args:
        place: Where the plugin is.
        options: How it is built.
        on_step: Is told of each step when it begins.
        cancel: What the build can be given up with.
        anew: Build even if there is one.

    Returns:
        The environment.

    Raises:
        PluginError: If it cannot be built.
        ValueError: If an option is wrong.
    """
    asked = recipe(place, options, anew=anew)
    watcher = _Watcher(place, asked["interpreter"]["abi"], on_step, cancel or Cancel())
    built = _core.build_environment(asked, watcher)
    assert watcher.borrowed is not None
    return Environment(place, built.folder, built.python, watcher.borrowed, built.reused, built)


async def prepare(
    config: PluginConfig,
    plugin_dirs: Sequence[str] = (),
    *,
    on_step: Callable[[Step], None] | None = None,
) -> Environment:
    """Give a plugin its environment, as `build` does, while the event loop goes on. Cancelling ends the build.

    Args:
        config: The plugin's entry of the configuration.
        plugin_dirs: The accepted folders of plugins.
        on_step: Is told of each step when it begins, on another thread.

    Returns:
        The environment.

    Raises:
        PluginError: If it cannot be built.
        ValueError: If the entry is wrong.
        FileNotFoundError: If a file or folder that it names is not there.
    """
    cancel = Cancel()
    building = asyncio.ensure_future(asyncio.to_thread(build, config, plugin_dirs, on_step=on_step, cancel=cancel))
    try:
        return await asyncio.shield(building)
    except asyncio.CancelledError:
        cancel.cancel()
        await asyncio.wait([building])
        if not building.cancelled():
            building.exception()
        raise


class _Watcher:
    """What the builder asks and tells, on its thread."""

    def __init__(self, place: Place, abi: str, on_step: Callable[[Step], None] | None, cancel: Cancel) -> None:
        self._place = place
        self._abi = abi
        self._on_step = on_step
        self._cancel = cancel
        self.borrowed: Borrowed | None = None

    def step(self, step: Step) -> None:
        reporter = REPORTER.get()
        if self._on_step is not None:
            self._on_step(step)
        elif reporter is not None:
            reporter(self._place.name, step)
        else:
            logger.info("%s: %s", self._place.name, STEPS[step])

    def is_cancelled(self) -> bool:
        return self._cancel.is_cancelled

    def check(self, folder: Path) -> tuple[str, bool] | None:
        """Say what speaks against an environment, and whether it will of one that is built again."""
        try:
            self.borrowed = borrowed_by(folder, self._abi)
        except ConflictError as error:
            return str(error), error.lasts
        return None

    def error(self, message: str, details: Mapping[str, Any]) -> PluginError:
        """Make the error of a failed build."""
        name = self._place.name
        return PluginError(
            PluginErrorModel(
                message=f"Plugin '{name}': {message}", plugin_name=name, code=BUILD_FAILED, details=dict(details)
            )
        )
