"""How `cpex plugin` says that it works, and asks: on a terminal, and without one."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console

from cpex.framework.isolated._environment import REPORTER, STEPS
from cpex.tools import cli

if TYPE_CHECKING:
    from inquirer.questions import Question  # type: ignore[import-not-found, import-untyped, unused-ignore]


class NoTerminalError(RuntimeError):
    """A question cannot be asked, because nobody is there to answer."""


@contextmanager
def working(what: str) -> Iterator[None]:
    """Says what is being done in the block: a spinner on a terminal, otherwise a line on standard error.

    Args:
        what: What is being done, as markup.

    Yields:
        Nothing.
    """
    if cli.console.is_terminal:
        with (
            cli.console.status(what, spinner="dots") as status,
            _steps_told(lambda step: status.update(f"{what}: {step}")),
        ):
            yield
    else:
        notices().print(f"{what} ...", highlight=False, soft_wrap=True)
        with _steps_told(lambda step: notices().print(f"  {step} ...", highlight=False, soft_wrap=True)):
            yield


@contextmanager
def _steps_told(tell: Callable[[str], None]) -> Iterator[None]:
    token = REPORTER.set(lambda _, step: tell(STEPS[step]))
    try:
        yield
    finally:
        REPORTER.reset(token)


def notices() -> Console:
    """Gives a console on standard error, for what is not the answer.

    Returns:
        The console.
    """
    return Console(stderr=True, log_time=False, log_path=False)


def ask(question: "Question", without_terminal: str) -> dict[str, Any] | None:
    """Asks the user.

    Args:
        question: The question.
        without_terminal: What to do where nobody can be asked.

    Returns:
        The answer under the name of the question, or None if the user gives none.

    Raises:
        NoTerminalError: If standard input is not a terminal.
    """
    try:
        answers: dict[str, Any] | None = cli.inquirer.prompt([question])
    except Exception as error:  # what a missing terminal raises depends on the system
        if sys.stdin.isatty():
            raise
        raise NoTerminalError(f"there is no terminal to ask on; {without_terminal}") from error
    return answers
