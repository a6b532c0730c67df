"""Shows the log of a run on stderr, without repeating what the report says."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.text import Text

_FRAMEWORK = "cpex.framework"
_CONFIG = {"cpex.framework.loader.config", "cpex.framework._unknown_hooks"}


class _ConsoleHandler(logging.Handler):
    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        style = "bold magenta" if record.levelno >= logging.ERROR else "yellow"
        source = "" if record.name in _CONFIG else f"{record.name}: "
        line = Text.assemble((f"{record.levelname.lower()} ", style), (source, "dim"), record.getMessage())
        self._console.print(line, soft_wrap=True, highlight=False)


def _is_news(record: logging.LogRecord) -> bool:
    if record.name == _FRAMEWORK or record.name.startswith(f"{_FRAMEWORK}."):
        return record.name in _CONFIG and record.levelno == logging.WARNING
    return record.levelno >= logging.ERROR


@contextmanager
def shown_log(console: Console, verbose: bool) -> Iterator[None]:
    """Sends log records to `console` while the context is open.

    Args:
        console: Where they are shown.
        verbose: Show all from INFO up; otherwise warnings about the config and errors of plugins only, for decisions
            and plugin failures are in the report.
    """
    handler = _ConsoleHandler(console)
    if not verbose:
        handler.addFilter(_is_news)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO if verbose else logging.WARNING)
    try:
        yield
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
