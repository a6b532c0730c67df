"""Writes what `cpex check` found: for a person, for programs, for GitHub and for code scanners."""

import json
from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum
from typing import Any, TextIO

from rich.console import Console
from rich.text import Text

from cpex._core import __version__

from ._checked import Checked
from ._codes import Code, Severity
from ._finding import Finding

_STYLE = {Severity.ERROR: "bold red", Severity.WARNING: "yellow", Severity.NOTE: "cyan"}
_GITHUB = {Severity.NOTE: "notice"}
_SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


class CheckFormat(StrEnum):
    """How findings are written."""

    TEXT = "text"
    JSON = "json"
    GITHUB = "github"
    SARIF = "sarif"


def write_findings(checked: Sequence[Checked], to: CheckFormat, stream: TextIO) -> None:
    """Writes what was found.

    Args:
        checked: The configs, in the order in which they were named.
        to: The format.
        stream: Where it is written.
    """
    _WRITERS[to](checked, stream)


def count(checked: Sequence[Checked], severity: Severity) -> int:
    """Returns how many findings of a severity there are."""
    return sum(finding.code.severity is severity for item in checked for finding in item.findings)


def _write_text(checked: Sequence[Checked], stream: TextIO) -> None:
    console = Console(file=stream)
    for item in checked:
        for finding in item.findings:
            console.print(Text("\n").join(_lines(item, finding)), soft_wrap=True, highlight=False)
            console.print()
    errors, warnings, notes = (count(checked, severity) for severity in Severity)
    parts = [("nothing to mend", "green")]
    if errors or warnings:
        parts = [(_number(errors, "error"), "bold red" if errors else ""), (", ", "")]
        parts.append((_number(warnings, "warning"), "yellow" if warnings else ""))
    if notes:
        parts += [(", ", ""), (_number(notes, "note"), "cyan")]
    console.print(Text.assemble(f"{_number(len(checked), 'file')} checked: ", *parts), highlight=False)


def _lines(checked: Checked, finding: Finding) -> Iterator[Text]:
    severity = finding.code.severity
    place = f"{checked.source.name}:{finding.line}:{finding.column}"
    head = Text.assemble((place, "bold"), ": ", (severity, _STYLE[severity]), ": ", finding.message)
    yield head.append(f" [{finding.code}]", style="dim")
    excerpt = checked.source.excerpt(finding)
    if excerpt is not None:
        line, offset = excerpt
        number = str(finding.line)
        yield Text.assemble((f"  {number} | ", "dim"), line)
        yield Text.assemble((f"  {' ' * len(number)} | ", "dim"), " " * offset, ("^", _STYLE[severity]))
    if finding.hint:
        yield Text.assemble(("  = ", "dim"), finding.hint)


def _write_json(checked: Sequence[Checked], stream: TextIO) -> None:
    report = {
        "version": 1,
        "files": [
            {
                "file": item.source.name,
                "usable": item.is_usable,
                "findings": [_record(finding) for finding in item.findings],
            }
            for item in checked
        ],
        "errors": count(checked, Severity.ERROR),
        "warnings": count(checked, Severity.WARNING),
        "notes": count(checked, Severity.NOTE),
    }
    _dump(report, stream)


def _record(finding: Finding) -> dict[str, Any]:
    return {
        "code": finding.code,
        "severity": finding.code.severity,
        "line": finding.line,
        "column": finding.column,
        "message": finding.message,
        "hint": finding.hint or None,
        "plugin": finding.plugin or None,
    }


def _write_github(checked: Sequence[Checked], stream: TextIO) -> None:
    for item in checked:
        for finding in item.findings:
            place = f"file={_property(item.source.name)},line={finding.line},col={finding.column}"
            text = f"{finding.message}\n{finding.hint}" if finding.hint else finding.message
            title = _property(f"cpex {finding.code}")
            level = _GITHUB.get(finding.code.severity, finding.code.severity)
            stream.write(f"::{level} {place},title={title}::{_data(text)}\n")


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _write_sarif(checked: Sequence[Checked], stream: TextIO) -> None:
    rules = [
        {
            "id": code,
            "shortDescription": {"text": code.summary},
            "defaultConfiguration": {"level": code.severity},
        }
        for code in Code
    ]
    results = [_result(item.source.name, finding) for item in checked for finding in item.findings]
    driver = {"name": "cpex check", "version": __version__, "rules": rules}
    _dump(
        {"$schema": _SARIF_SCHEMA, "version": "2.1.0", "runs": [{"tool": {"driver": driver}, "results": results}]},
        stream,
    )


def _result(file: str, finding: Finding) -> dict[str, Any]:
    region = {"startLine": finding.line, "startColumn": finding.column}
    location = {"physicalLocation": {"artifactLocation": {"uri": file}, "region": region}}
    text = f"{finding.message}. {finding.hint}" if finding.hint else finding.message
    level = finding.code.severity
    return {"ruleId": finding.code, "level": level, "message": {"text": text}, "locations": [location]}


def _dump(value: Any, stream: TextIO) -> None:
    json.dump(value, stream, indent=2, ensure_ascii=False)
    stream.write("\n")


def _number(count_: int, noun: str) -> str:
    return f"{count_} {noun}{'' if count_ == 1 else 's'}"


_WRITERS: dict[CheckFormat, Callable[[Sequence[Checked], TextIO], None]] = {
    CheckFormat.TEXT: _write_text,
    CheckFormat.JSON: _write_json,
    CheckFormat.GITHUB: _write_github,
    CheckFormat.SARIF: _write_sarif,
}
