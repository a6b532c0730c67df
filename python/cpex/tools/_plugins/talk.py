"""How `cpex plugin` says that it works, and asks: on a terminal, and without one."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console

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
        with cli.console.status(what, spinner="dots"):
            yield
    else:
        notices().print(f"{what} ...", highlight=False, soft_wrap=True)
        yield


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
