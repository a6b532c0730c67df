"""Runs detectors over texts and counts what they found."""

from __future__ import annotations

import json
import math
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from carriers import BREAK

MARK = "⟦R⟧"
Row = dict[str, Any]


@dataclass
class Score:
    """Counts of one detector, and the texts it failed on."""

    found: int = 0
    missed: int = 0
    false: int = 0
    wrong: list[str] = field(default_factory=list)

    def precision(self) -> str:
        """The share of findings that are right."""
        return share(self.found, self.found + self.false)

    def recall(self) -> str:
        """The share of labels that were found."""
        return share(self.found, self.found + self.missed)

    def cells(self) -> tuple[str, str]:
        """Precision and recall."""
        return self.precision(), self.recall()


def share(part: int, whole: int) -> str:
    """A share with its counts and Wilson's interval of 95 %."""
    if not whole:
        return "–"
    z = 1.96
    centre = part + z * z / 2
    spread = z * math.sqrt(part * (whole - part) / whole + z * z / 4)
    low, high = (centre - spread) / (whole + z * z), (centre + spread) / (whole + z * z)
    return f"**{part / whole:.3f}** ({low:.2f}–{high:.2f}) {part}/{whole}"


class Bench:
    """The two sides, as commands that read texts and print what they made of them."""

    def __init__(self, ours: str, python: str) -> None:
        self._ours = ours
        self._published = [python, str(Path(__file__).with_name("published.py"))]

    def ours(self, name: str, texts: list[str], **config: object) -> tuple[list[str], int]:
        """What the built-in detector makes of texts, and the nanoseconds."""
        settings = {"redact": {"mask": MARK}, "action": "redact", **config}
        return run([self._ours, name, json.dumps(settings)], texts)

    def plain(self, name: str, texts: list[str]) -> list[str | None]:
        """What the built-in detector makes of texts as it is installed; `None` for one that it denies."""
        made: list[str | None] = [*run([self._ours, name], texts)[0]]
        return made

    def published(self, name: str, texts: list[str], **config: object) -> tuple[list[str], int]:
        """What the published plugin makes of texts, and the nanoseconds."""
        return run([*self._published, name, json.dumps({"redaction_text": MARK, **config})], texts)


def run(command: list[str], texts: list[str]) -> tuple[list[str], int]:
    """Feeds texts to a command."""
    lines = "".join(json.dumps(text) + "\n" for text in texts)
    done = subprocess.run(command, input=lines, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{command[0]}: {done.stderr.strip().splitlines()[-1:]}")
    # Not `splitlines`: texts may have separators of lines that JSON does not escape.
    *made, spent = done.stdout.strip().split("\n")
    return [json.loads(line) for line in made], int(spent)


def covered(text: str, output: str) -> list[tuple[int, int]]:
    """The spans of a text that were replaced by the mark."""
    spans, at = [], 0
    first, *rest = output.split(MARK)
    if not text.startswith(first):
        raise ValueError(f"text was lost: {text!r} became {output!r}")
    at = len(first)
    for index, piece in enumerate(rest):
        last = index == len(rest) - 1
        end = len(text) - len(piece) if last else text.index(piece, at + 1)
        spans.append((at, end))
        at = end + len(piece)
    return spans


def score(rows: list[Row], outputs: list[str], kind: str | None = None) -> Score:
    """Scores outputs for one kind, or for all."""
    total = Score()
    for row, output in zip(rows, outputs, strict=True):
        spans = covered(row["text"], output)
        for name, start, end in row["labels"]:
            if kind in (None, name):
                hit = any(a <= start and end <= b for a, b in spans)
                total.found += hit
                total.missed += not hit
                if not hit:
                    total.wrong.append(f"missed {name}: {row['text'][max(0, start - 50) : end + 20]!r}")
        for a, b in spans:
            if not any(a < end and start < b for _, start, end in row["labels"]):
                total.false += 1
                total.wrong.append(f"false: {row['text'][max(0, a - 30) : b + 20]!r}")
    return total


def load(path: Path) -> list[Row]:
    """The labelled texts of a file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").replace(BREAK, "").strip().split("\n")]
