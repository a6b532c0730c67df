"""Shows a run to a person: one line per invocation, what changed, and the totals."""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from cpex.framework import PluginMode
from cpex.framework.models import Config

from ._problem import Problem
from ._run import Decision, Outcome
from ._totals import Totals

_LOOK = {
    Decision.ALLOWED: ("✓", "green"),
    Decision.MODIFIED: ("~", "yellow"),
    Decision.BLOCKED: ("✗", "bold red"),
    Decision.FAILED: ("!", "bold magenta"),
}
_INDENT, _DECISION_WIDTH, _HOOK_WIDTH, _TIME_WIDTH = 7, 11, 20, 8
_CHANGES_SHOWN = 4
_MIN_WIDTH, _FILE_WIDTH, _MAX_WIDTH = 80, 100, 140


class Report:
    """The report on a console.

    Args:
        console: Where it is written.
        config: The plugin config of the run.
        only: The decisions to show; the totals count all.
    """

    def __init__(self, console: Console, config: Config, only: frozenset[Decision]) -> None:
        self._console = console
        self._config = config
        self._only = only
        if not console.is_terminal:
            console.width = max(console.width, _FILE_WIDTH)
        self._width = max(_MIN_WIDTH, min(console.width, _MAX_WIDTH))
        rest = self._width - _INDENT - _DECISION_WIDTH - _HOOK_WIDTH - _TIME_WIDTH
        self._deciding_width = min(31, rest // 2)
        self._subject_width = rest - self._deciding_width

    def terminal(self, errors: Console) -> Console | None:
        """Returns the terminal for the progress display: this one, or that of `errors` if the report is in a file."""
        return next((console for console in (self._console, errors) if console.is_terminal), None)

    def problem(self, problem: Problem) -> None:
        """Leaves a line that could not be read to stderr."""

    def begin(self, session: str) -> None:
        """Shows what is about to run, and the heads of the columns."""
        count = sum(plugin.mode != PluginMode.DISABLED for plugin in self._config.plugins or [])
        self._console.print(f"{count} plugin{'' if count == 1 else 's'} · session {escape(session)}", highlight=False)
        self._console.print()
        heads = f"{'line':>{_INDENT - 1}} {'decision':<{_DECISION_WIDTH}}{'hook':<{_HOOK_WIDTH}}"
        heads += f"{'about':<{self._subject_width}}{'decided by':<{self._deciding_width}}{'time':>{_TIME_WIDTH}}"
        self._print(Text(heads, style="bold"))

    def outcome(self, outcome: Outcome) -> None:
        """Shows one invocation."""
        if outcome.decision not in self._only:
            return
        self._print(Text("\n").join([self._headline(outcome), *self._details(outcome)]))

    def totals(self, totals: Totals, elapsed: float) -> None:
        """Shows the sums, after the last invocation."""
        self._console.print()
        self._console.print(self._plugins(totals))
        if any(tally.total and not tally.duration_ns for tally in totals.plugins.values()):
            self._console.print("[dim]–: not measured; concurrent and background plugins share their time[/]")
        self._console.print()
        self._console.print(self._hooks(totals))
        self._console.print()
        parts = [
            f"[{_LOOK[decision][1]}]{totals.decisions[decision]} {decision}[/]"
            for decision in Decision
            if totals.decisions[decision]
        ]
        if totals.unreadable:
            parts.append(f"[bold magenta]{totals.unreadable} unreadable[/]")
        count = totals.decisions.total()
        head = f"[bold]{count} invocation{'' if count == 1 else 's'}[/]"
        self._console.print(f"{head}: {' · '.join(parts) or 'nothing to do'}", highlight=False)
        spent = f"[dim]{elapsed:.2f} s, of which {_time(totals.duration_ns)} in the pipelines[/]"
        self._console.print(spent, highlight=False)

    def _headline(self, outcome: Outcome) -> Text:
        mark, style = _LOOK[outcome.decision]
        quiet = outcome.decision is Decision.ALLOWED
        decided = Text(", ".join(outcome.plugins), style="cyan")
        decided.truncate(self._deciding_width - 1, overflow="ellipsis")
        line = Text()
        line.append(f"{outcome.recorded.line:>6} ", style="dim")
        line.append(f"{mark} {outcome.decision:<9}", style=f"dim {style}" if quiet else style)
        line.append(_fit(outcome.recorded.hook, _HOOK_WIDTH), style="dim" if quiet else "")
        line.append(_fit(outcome.recorded.subject, self._subject_width), style="dim" if quiet else "bold")
        line.append_text(decided)
        line.append(" " * (self._deciding_width - decided.cell_len))
        line.append(f"{_time(outcome.duration_ns):>{_TIME_WIDTH}}", style="dim")
        return line

    def _details(self, outcome: Outcome) -> Iterator[Text]:
        if outcome.reason:
            reason = Text.assemble((f"{outcome.code}  " if outcome.code else "", _LOOK[outcome.decision][1]))
            yield self._indented(reason.append(" ".join(outcome.reason.split()), style="default"))
        for change in outcome.changes[:_CHANGES_SHOWN]:
            line = Text(f"{change.path}  ")
            line.append(change.old, style="red")
            line.append(" → " if change.old and change.new else "added " if change.new else " removed", style="dim")
            line.append(change.new, style="green")
            yield self._indented(line)
        if len(outcome.changes) > _CHANGES_SHOWN:
            yield self._indented(Text(f"and {len(outcome.changes) - _CHANGES_SHOWN} more changes", style="dim"))
        for note in outcome.notes:
            yield self._indented(Text(" ".join(note.split()), style="magenta"))

    def _indented(self, text: Text) -> Text:
        text.truncate(self._width - _INDENT - 2, overflow="ellipsis")
        return Text(" " * (_INDENT + 2)).append_text(text)

    def _print(self, text: Text) -> None:
        self._console.print(text, no_wrap=True, overflow="ignore", crop=False, highlight=False, soft_wrap=True)

    def _plugins(self, totals: Totals) -> Table:
        modes = {plugin.name: str(plugin.mode) for plugin in self._config.plugins or []}
        outcomes = ["modified", "blocked"]
        seen = {outcome for tally in totals.plugins.values() for outcome in tally.counts}
        outcomes += [name for name in ("suppressed", "failed", "timed_out", "cancelled") if name in seen]
        table = _table(("plugin", "mode"), ("ran", *outcomes, "median time"))
        for name, tally in totals.plugins.items():
            cells = [_count(tally.counts[outcome], outcome) for outcome in outcomes]
            median = _time(tally.median_ns) if tally.duration_ns else "–"
            table.add_row(Text(name, style="cyan"), modes.get(name, ""), _count(tally.total, "ran"), *cells, median)
        return table

    def _hooks(self, totals: Totals) -> Table:
        table = _table(("hook",), ("invoked", *Decision, "median time"))
        for name, tally in totals.hooks.items():
            cells = [_count(tally.counts[decision], decision) for decision in Decision]
            table.add_row(name, str(tally.total), *cells, _time(tally.median_ns))
        return table


def print_problems(console: Console, problems: Iterable[Problem]) -> None:
    """Says what is wrong, where, and what would be right."""
    for problem in problems:
        head = Text.assemble(("! ", "bold magenta"), (problem.where, "bold"), f": {problem.what}")
        console.print(head, soft_wrap=True, highlight=False)
        if problem.hint:
            hint = Text(problem.hint, style="dim")
            if console.is_terminal:
                console.print(Padding(hint, (0, 0, 0, 2), expand=False), highlight=False)
            else:
                console.print(Text("  ").append_text(hint), soft_wrap=True, highlight=False)


class Reading(AbstractContextManager["Reading"]):
    """The live progress of reading a session: by bytes, since the number of lines is not known before the end.

    Args:
        console: A terminal, or None for no display.
        size: The length of the session in bytes, or None for a stream.
    """

    def __init__(self, console: Console | None, size: int | None) -> None:
        owns_stdout = console is not None and not console.stderr
        self._progress = Progress(
            TextColumn("[bold]{task.fields[count]}[/] invocations"),
            BarColumn(bar_width=40),
            TaskProgressColumn(),
            TimeRemainingColumn(),
            TextColumn("[red]{task.fields[blocked]} blocked[/]"),
            console=console,
            transient=True,
            redirect_stdout=owns_stdout,
            redirect_stderr=owns_stdout,
            disable=console is None,
        )
        self._task = self._progress.add_task("", total=size, count=0, blocked=0)

    def __enter__(self) -> "Reading":
        self._progress.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._progress.stop()

    def moved_to(self, position: int, totals: Totals) -> None:
        """Shows that the session is read up to a byte position."""
        blocked = totals.decisions[Decision.BLOCKED]
        self._progress.update(self._task, completed=position, count=totals.decisions.total(), blocked=blocked)


def _table(names: tuple[str, ...], numbers: tuple[str, ...]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for name in names:
        table.add_column(name, min_width=15, no_wrap=True)
    for name in numbers:
        table.add_column(name.replace("_", " "), justify="right", min_width=8, no_wrap=True)
    return table


def _count(number: int, outcome: str) -> Text:
    if not number:
        return Text("–", style="dim")
    style = next((look[1] for decision, look in _LOOK.items() if decision == outcome), "")
    return Text(str(number), style=style if outcome != Decision.ALLOWED else "")


def _fit(text: str, width: int) -> str:
    text = " ".join(text.split())
    if cell_len(text) < width:
        return set_cell_size(text, width)
    if "://" in text:  # the end of an address says more than its beginning
        return set_cell_size(f"…{text[2 - width :]}", width)
    return set_cell_size(f"{set_cell_size(text, width - 2)}…", width)


def _time(nanoseconds: float) -> str:
    if nanoseconds < 1e6:
        return f"{nanoseconds / 1e3:.0f} µs"
    return f"{nanoseconds / 1e6:.1f} ms" if nanoseconds < 1e9 else f"{nanoseconds / 1e9:.2f} s"
