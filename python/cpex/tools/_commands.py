"""The commands of `cpex`."""

import asyncio
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, BinaryIO

import typer
from rich.console import Console

from cpex._core import __version__
from cpex.framework import PluginMode
from cpex.framework.models import Config
from cpex.framework.settings import settings

from ._bootstrap import bootstrap
from ._check import check
from ._doctor import doctor
from ._inspect import inspect
from ._json import JsonReport, private_stdout
from ._load import load_config, open_manager, stand_ins
from ._log import shown_log
from ._plugins.command import plugin
from ._problem import Problem, UnusableError
from ._report import Reading, Report, print_problems
from ._run import Decision, Replay
from ._serve import serve
from ._session import read_session
from ._totals import Totals

EXIT_OK = 0
EXIT_UNPROCESSED = 1
EXIT_UNUSABLE = 2
EXIT_INTERRUPTED = 130

markup_mode = settings.cli_markup_mode or "markdown"

app = typer.Typer(
    name="cpex",
    help="Plugins and policies for AI agents: create, install and check them, and see what they decide.",
    no_args_is_help=True,
    add_completion=settings.cli_completion,
    rich_markup_mode=None if markup_mode == "disabled" else markup_mode,
    pretty_exceptions_show_locals=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"cpex {__version__}")
        raise typer.Exit


@app.callback()
def callback(
    show_version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=_print_version, is_eager=True)
    ] = False,
) -> None: ...


app.command()(bootstrap)
app.command()(check)
app.command()(doctor)
app.command()(inspect)
app.command()(plugin)
app.command()(serve)


@app.command()
def run(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="The plugin config, a YAML file.")],
    session: Annotated[str, typer.Argument(metavar="SESSION", help="The recorded session; - reads standard input.")],
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON Lines to standard output.")] = False,
    only: Annotated[
        str, typer.Option(metavar="DECISIONS", help="Show only these, e.g. blocked,modified; the totals count all.")
    ] = "",
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show the log of the plugins, too.")] = False,
) -> None:
    """Feed a recorded agent session through the pipelines of a plugin config and show what is decided.

    SESSION holds one hook invocation a line: `{"hook": "tool_pre_invoke", "payload": {...}, "context": {...}}`, where
    context (request_id, user, tenant_id, server_id, state, metadata) is optional. Each line is judged on its own: a
    recorded answer is shown even if its request is blocked. Plugins are found as in an application, and beside CONFIG.

    Exit status:

    * 0: all lines were processed
    * 1: some line could not be processed
    * 2: CONFIG or SESSION cannot be used
    """
    shown = _decisions(only)
    screen, errors = Console(), Console(stderr=True)
    if not as_json and screen.is_terminal and errors.is_terminal:
        errors = screen  # messages must pass above the progress display, not through it
    try:
        with (
            shown_log(errors, verbose),
            private_stdout() if as_json else nullcontext(sys.stdout) as stdout,
            _open_session(session) as source,
            asyncio.Runner() as loop,
        ):
            loaded = load_config(config)
            manager = loop.run(open_manager(loaded, config))
            try:
                print_problems(errors, stand_ins(manager, loaded, config))
                if not _names(loaded):
                    print_problems(errors, [Problem(str(config), "no plugins to run: everything is allowed")])
                report = JsonReport(stdout, shown) if as_json else Report(screen, loaded, shown)
                all_processed = _replay(loop, Replay(manager), source, report, _names(loaded), errors)
            finally:
                loop.run(manager.shutdown())
    except UnusableError as error:
        print_problems(errors, error.problems)
        raise typer.Exit(EXIT_UNUSABLE) from error
    raise typer.Exit(EXIT_OK if all_processed else EXIT_UNPROCESSED)


@dataclass(frozen=True, slots=True)
class _Source:
    name: str
    stream: BinaryIO
    size: int | None

    @property
    def position(self) -> int:
        return self.stream.tell() if self.size is not None else 0


def _decisions(only: str) -> frozenset[Decision]:
    names = [name.strip() for name in only.split(",") if name.strip()]
    unknown = [name for name in names if name not in list(Decision)]
    if unknown:
        raise typer.BadParameter(f"{unknown[0]!r} is none of {', '.join(Decision)}", param_hint="--only")
    return frozenset(map(Decision, names)) or frozenset(Decision)


@contextmanager
def _open_session(session: str) -> Iterator[_Source]:
    if session == "-":
        yield _Source("<stdin>", sys.stdin.buffer, None)
        return
    try:
        stream = open(session, "rb")  # noqa: SIM115 - closed below, where the error of opening is not in the way
    except OSError as error:
        what = f"cannot read the session: {(error.strerror or str(error)).lower()}"
        raise UnusableError([Problem(session, what)]) from error
    with stream:
        yield _Source(session, stream, os.fstat(stream.fileno()).st_size)


def _names(config: Config) -> list[str]:
    return [plugin.name for plugin in config.plugins or [] if plugin.mode != PluginMode.DISABLED]


def _replay(
    loop: asyncio.Runner,
    replay: Replay,
    source: _Source,
    report: Report | JsonReport,
    plugins: list[str],
    errors: Console,
) -> bool:
    totals = Totals(plugins)
    report.begin(source.name)
    started = time.perf_counter()
    try:
        with Reading(report.terminal(errors), source.size) as reading:
            for entry in read_session(source.stream, source.name):
                if isinstance(entry, Problem):
                    totals.unreadable += 1
                    report.problem(entry)
                    print_problems(errors, [entry])
                else:
                    outcome = loop.run(replay.invoke(entry))
                    totals.add(outcome)
                    report.outcome(outcome)
                reading.moved_to(source.position, totals)
    except KeyboardInterrupt as interrupt:
        raise typer.Exit(EXIT_INTERRUPTED) from interrupt
    finally:
        report.totals(totals, time.perf_counter() - started)
    return totals.all_processed
