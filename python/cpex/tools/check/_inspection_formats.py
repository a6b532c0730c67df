"""Writes what runs for each hook: as tables, as JSON, and as a Mermaid flowchart."""

import json
from collections.abc import Callable
from dataclasses import asdict
from enum import StrEnum
from itertools import pairwise
from typing import Any, TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from cpex.framework import PluginMode

from ._finding import printable
from ._inspection import HookView, Inspection, PhaseView, PluginView, Turn

_FILE_WIDTH = 140
_STATUS_STYLE = {"loaded": "green", "not started": "green", "disabled": "dim"}


class InspectFormat(StrEnum):
    """How an inspection is written."""

    TEXT = "text"
    JSON = "json"
    MERMAID = "mermaid"


def write_inspection(inspection: Inspection, to: InspectFormat, stream: TextIO) -> None:
    """Writes an inspection.

    Args:
        inspection: What to write.
        to: The format.
        stream: Where it is written.
    """
    _WRITERS[to](inspection, stream)


def _write_text(inspection: Inspection, stream: TextIO) -> None:
    console = Console(file=stream)
    if not console.is_terminal:
        console.width = max(console.width, _FILE_WIDTH)
    console.print(_plugins(inspection.plugins))
    for hook in inspection.hooks:
        console.print()
        console.print(_headline(hook), highlight=False)
        console.print(_turns(hook, inspection.request is not None))
    if not inspection.hooks:
        console.print(f"\n{printable(inspection.without_hooks)}", highlight=False, markup=False)


def _plugins(plugins: list[PluginView]) -> Table:
    table = _table("plugin", "status", "kind", "version", "on error", "timeout", "capabilities")
    for plugin in plugins:
        config = plugin.config
        status = Text(plugin.status, style=_STATUS_STYLE.get(plugin.status, "bold red"))
        if config is None:
            table.add_row(_name(plugin.name or "(no name)"), status)
            continue
        failing = f"{config.on_error}{', required' if config.required else ''}"
        failing += f", missing: {config.on_missing}" if config.on_missing else ""
        timeout = f"{config.timeout_ms} ms" if config.timeout_ms else "default"
        cells = (config.kind, config.version or "", failing, timeout, _rights(plugin))
        table.add_row(_name(plugin.name), status, *(Text(printable(cell)) for cell in cells))
        sandbox = plugin.sandbox.partition(":")[0]  # all of it would stretch the column
        for text, style in ((plugin.problem, "red"), (plugin.note, "dim"), (sandbox, "dim")):
            if text:
                table.add_row("", Text(""), Text(printable(" ".join(text.split())), style=style))
    return table


def _rights(plugin: PluginView) -> str:
    parts = [("sees", [slot for slot in plugin.may_see if slot not in plugin.may_write]), ("writes", plugin.may_write)]
    return "; ".join(f"{verb} {', '.join(slots)}" for verb, slots in parts if slots)


def _headline(hook: HookView) -> Text:
    head = Text.assemble((printable(hook.name), "bold"), (f"  {hook.payload or 'not registered'}", "dim"))
    if hook.writable is not None:
        head.append(f"  plugins may write: {', '.join(hook.writable) or 'nothing'}", style="dim")
    if len(hook.rewritten_by) > 1:
        head.append(f"  may be rewritten by {printable(', then '.join(hook.rewritten_by))}", style="dim")
    return head


def _turns(hook: HookView, asked: bool) -> Table:
    table = _table("#", "phase", "priority", "plugin", "may", "runs when", *(["this request"] if asked else []))
    number = 0
    for phase in hook.phases:
        for turn in phase.turns:
            number += 1
            cells: list[str | Text] = [
                str(number),
                phase.mode,
                str(turn.config.priority),
                _name(turn.config.name),
            ]
            cells += [_may(phase, turn), Text("\nor ".join(map(printable, turn.conditions)) or "always")]
            if asked:
                is_run = turn.skipped is None
                cells.append(Text("runs" if is_run else turn.skipped or "", style="green" if is_run else "yellow"))
            table.add_row(*cells)
    return table


def _may(phase: PhaseView, turn: Turn) -> str:
    rights = ["block"] if phase.may_block else []
    rights += ["rewrite"] if turn.may_rewrite else []
    return ", ".join(rights) or "watch"


def _name(name: str) -> Text:
    return Text(printable(name), style="cyan")


def _table(*names: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for name in names:
        table.add_column(name, overflow="fold", justify="right" if name in ("#", "priority") else "left")
    return table


def _write_json(inspection: Inspection, stream: TextIO) -> None:
    report = {
        "version": 1,
        "file": inspection.file,
        "request": asdict(inspection.request) if inspection.request else None,
        "plugins": [_plugin_record(plugin) for plugin in inspection.plugins],
        "hooks": [
            {
                "hook": hook.name,
                "payload": hook.payload or None,
                "writable_fields": hook.writable,
                "rewritten_by": hook.rewritten_by,
                "phases": [
                    {
                        "mode": phase.mode,
                        "runs": phase.runs,
                        "may_block": phase.may_block,
                        "plugins": [_turn_record(turn, inspection.request is not None) for turn in phase.turns],
                    }
                    for phase in hook.phases
                ],
            }
            for hook in inspection.hooks
        ],
    }
    json.dump(report, stream, indent=2, ensure_ascii=False)
    stream.write("\n")


def _plugin_record(plugin: PluginView) -> dict[str, Any]:
    config = plugin.config
    said = {"problem": plugin.problem or None, "note": plugin.note or None}
    record: dict[str, Any] = {"name": plugin.name, "status": plugin.status, **said}
    if config is None:
        return record
    return record | {
        "kind": config.kind,
        "version": config.version,
        "hooks": config.hooks,
        "mode": config.mode,
        "priority": config.priority,
        "on_error": config.on_error,
        "on_missing": config.on_missing,
        "required": config.required,
        "timeout_ms": config.timeout_ms,
        "sandbox": plugin.sandbox or None,
        "capabilities": sorted(config.capabilities),
        "may_see": plugin.may_see,
        "may_write": plugin.may_write,
        "conditions": [condition.model_dump(mode="json", exclude_none=True) for condition in config.conditions],
    }


def _turn_record(turn: Turn, asked: bool) -> dict[str, Any]:
    record = {
        "plugin": turn.config.name,
        "priority": turn.config.priority,
        "conditions": turn.conditions,
        "may_rewrite": turn.may_rewrite,
        "takes_extensions": turn.takes_extensions,
    }
    return record | {"runs": turn.skipped is None, "skipped": turn.skipped} if asked else record


def _write_mermaid(inspection: Inspection, stream: TextIO) -> None:
    lines = ["flowchart LR"]
    for number, hook in enumerate(inspection.hooks):
        lines += _chart(hook, f"h{number}")
    if not inspection.hooks:
        lines.append(f'  nothing["{_label(inspection.without_hooks)}"]')
    lines += ["  classDef skipped stroke-dasharray: 4 4,opacity: 0.5", "  classDef blocking stroke-width: 3px"]
    stream.write("\n".join(lines) + "\n")


def _chart(hook: HookView, key: str) -> list[str]:
    lines = [f'  subgraph {key}["{_label(hook.name)}"]', "    direction LR", f'    {key}in(["request"])']
    ends = [f"{key}in"]
    for phase in hook.phases:
        names = [f"{key}{phase.mode[0]}{number}" for number in range(len(phase.turns))]
        lines.append(f'    subgraph {key}{phase.mode}["{phase.mode}: {phase.runs}"]')
        lines += [f"      {name}{_node(turn, phase)}" for name, turn in zip(names, phase.turns, strict=True)]
        lines.append("    end")
        if phase.mode is PluginMode.FIRE_AND_FORGET:
            lines += [f"    {key}out -.-> {name}" for name in names]
        elif phase.mode is PluginMode.CONCURRENT:
            lines += [f"    {end} --> {name}" for end in ends for name in names]
            ends = names
        else:
            lines += [f"    {one} --> {other}" for one, other in pairwise([*ends, *names])]
            ends = names[-1:]
    lines += [f'    {key}out(["result"])', *(f"    {end} --> {key}out" for end in ends)]
    return [*lines, "  end"]


def _node(turn: Turn, phase: PhaseView) -> str:
    text = [turn.config.name, f"{turn.config.priority} · {_may(phase, turn)}"]
    text += [f"{'or ' if number else ''}{condition}" for number, condition in enumerate(turn.conditions)]
    text += [f"skipped: {turn.skipped}"] if turn.skipped else []
    look = ":::skipped" if turn.skipped else ":::blocking" if phase.may_block else ""
    return f'["{"<br/>".join(map(_label, text))}"]{look}'


def _label(text: str) -> str:
    """Text inside quotes: what Mermaid, or the HTML that it makes, would read as markup is written as its number."""
    return "".join(char if char.isalnum() or char in " .,:_-/·'" else f"#{ord(char)};" for char in text)


_WRITERS: dict[InspectFormat, Callable[[Inspection, TextIO], None]] = {
    InspectFormat.TEXT: _write_text,
    InspectFormat.JSON: _write_json,
    InspectFormat.MERMAID: _write_mermaid,
}
