"""Shows on standard error what is being built, while a command waits for it."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape

from cpex.framework.isolated._environment import REPORTER, STEPS, Step


@contextmanager
def builds_shown() -> Iterator[None]:
    """Shows the steps of environments that are built in the block: a line for each, and on a terminal a spinner.

    Yields:
        Nothing.
    """
    console = Console(stderr=True)
    status = console.status("", spinner="dots")

    def show(plugin: str, step: Step) -> None:
        text = f"{escape(plugin)}: {STEPS[step]} ..."
        if console.is_terminal:
            status.update(text)
            status.start()
        else:
            console.print(text, highlight=False, soft_wrap=True)

    token = REPORTER.set(show)
    try:
        yield
    finally:
        REPORTER.reset(token)
        status.stop()
