"""Plugins in WebAssembly, for `cpex.framework.wasm`."""

from collections.abc import Callable
from typing import final

__all__ = ["Plugin", "Running", "check"]

def check(settings: str, root: str) -> None:
    """Checks the `config` of an entry, and that there is such a module; opens and compiles nothing.

    Raises `ValueError` with two arguments: the path of the field below `config`, and what is wrong with it.
    """

@final
class Plugin:
    """A plugin whose code is compiled."""

    @staticmethod
    def load(name: str, settings: str, root: str) -> Plugin:
        """Reads and compiles the code of a plugin, without the interpreter. Forks of the process wait for it.

        Raises `ValueError`, as `check()`.
        """

    def start(self) -> Running | None:
        """Has one instance start. Returns None if it has, else what is under way.

        Raises `ValueError`, as above, if the plugin does not like its settings; `RuntimeError` if it fails.
        """

    def invoke(
        self, hook: str, payload: bytes, context: bytes, extensions: bytes | None = None
    ) -> Running | tuple[bytes, bytes | None]:
        """Runs a hook: its result and, if one came back, the context, both as JSON; or what is under way.

        Raises `RuntimeError`: with its text, a code and the JSON of details if the plugin says that it has failed, with
        its text alone if it has no answer.
        """

@final
class Running:
    """A call that was not over within a millisecond. It goes on in the background once it is started."""

    def start(self, ended: Callable[[], object]) -> None:
        """Goes on, and calls `ended` from another thread when it has ended."""

    def result(self) -> tuple[bytes, bytes | None] | None:
        """What it has come to; raises what the call would have raised."""

    def abort(self) -> None:
        """Gives it up."""
