"""Measures the built-in detectors beside the published plugins on the labelled texts, and prints tables in Markdown.

Both redact with the same mark. What stands between the pieces of the output was found; nothing else of a detector is
looked at. A label is found if all of it is covered. What is covered and touches no label is a false alarm.

    python benches/builtin/quality.py benches/data target/release/examples/scan path/to/python-with-the-plugins
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MARK = "⟦R⟧"
Row = dict[str, Any]

PUBLISHED_PII = {
    "email": "detect_email",
    "phone": "detect_phone",
    "card": "detect_credit_card",
    "iban": "detect_bank_account",
    "ssn": "detect_ssn",
    "ip": "detect_ip_address",
}
PUBLISHED_PII_ALL = [
    *PUBLISHED_PII.values(),
    "detect_bsn",
    "detect_date_of_birth",
    "detect_passport",
    "detect_driver_license",
    "detect_medical_record",
    "detect_aws_keys",
    "detect_api_keys",
]
PUBLISHED_SECRETS = [
    "aws_access_key_id",
    "aws_secret_access_key",
    "google_api_key",
    "github_token",
    "stripe_secret_key",
    "slack_token",
    "private_key_block",
    "generic_api_key_assignment",
    "jwt_like",
    "hex_secret_32",
    "base64_24",
]
PUBLISHED_SECRETS_DEFAULT = 7


@dataclass
class Score:
    """Counts of one detector."""

    found: int = 0
    missed: int = 0
    false: int = 0

    def __str__(self) -> str:
        precision = self.found / (self.found + self.false) if self.found + self.false else 0.0
        recall = self.found / (self.found + self.missed) if self.found + self.missed else 0.0
        return f"{precision:.3f} | {recall:.3f}"


class Bench:
    """The two sides, as commands that read texts and print what they made of them."""

    def __init__(self, ours: str, python: str) -> None:
        self._ours = ours
        self._published = [python, str(Path(__file__).with_name("published.py"))]

    def ours(self, name: str, texts: list[str], **config: object) -> tuple[list[str], int]:
        """What the built-in detector makes of texts, and the nanoseconds."""
        settings = {"redact": {"mask": MARK}, "action": "redact", **config}
        return run([self._ours, name, json.dumps(settings)], texts)

    def published(self, name: str, texts: list[str], **config: object) -> tuple[list[str], int]:
        """What the published plugin makes of texts, and the nanoseconds."""
        return run([*self._published, name, json.dumps({"redaction_text": MARK, **config})], texts)


def run(command: list[str], texts: list[str]) -> tuple[list[str], int]:
    """Feeds texts to a command."""
    lines = "".join(json.dumps(text) + "\n" for text in texts)
    done = subprocess.run(command, input=lines, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{command[0]}: {done.stderr.strip().splitlines()[-1:]}")
    *made, spent = done.stdout.splitlines()
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


def score(rows: list[Row], outputs: list[str], kind: str | None = None) -> tuple[Score, list[str]]:
    """Scores outputs for one kind, or for all, and lists what went wrong."""
    total, wrong = Score(), []
    for row, output in zip(rows, outputs, strict=True):
        spans = covered(row["text"], output)
        for name, start, end in row["labels"]:
            if kind in (None, name):
                hit = any(a <= start and end <= b for a, b in spans)
                total.found += hit
                total.missed += not hit
                if not hit:
                    wrong.append(f"missed {name}: {row['text'][:110]}")
        for a, b in spans:
            if not any(a < end and start < b for _, start, end in row["labels"]):
                total.false += 1
                wrong.append(f"false {kind}: {row['text'][max(0, a - 30) : b + 20]}")
    return total, wrong


def only(on: Iterable[str]) -> dict[str, bool]:
    """A switch for every detector of the published plugin, of which some are on."""
    return {name: name in on for name in PUBLISHED_PII_ALL}


def pii(bench: Bench, rows: list[Row]) -> list[str]:
    """Prints the table of personal data."""
    texts = [row["text"] for row in rows]
    problems = []
    print("| kind | precision | recall | precision, published | recall, published |\n|---|---|---|---|---|")
    for kind, switch in PUBLISHED_PII.items():
        mine, wrong = score(rows, bench.ours("pii", texts, entities=[kind])[0], kind)
        theirs, _ = score(rows, bench.published("pii", texts, **only([switch]))[0], kind)
        print(f"| {kind} | {mine} | {theirs} |")
        problems += wrong
    mine, _ = score(rows, bench.ours("pii", texts)[0])
    theirs, _ = score(rows, bench.published("pii", texts, **only(PUBLISHED_PII.values()))[0])
    print(f"| all six at once | {mine} | {theirs} |")
    return problems


def secrets(bench: Bench, rows: list[Row]) -> list[str]:
    """Prints the table of secrets."""
    texts = [row["text"] for row in rows]
    base = {"redact": True, "block_on_detection": False}
    outputs = bench.ours("secrets", texts)[0]
    default = bench.published("secrets", texts, **base)[0]
    every = bench.published("secrets", texts, **base, enabled=dict.fromkeys(PUBLISHED_SECRETS, True))[0]
    print("| kind | recall | recall, published | recall, published with all detectors |\n|---|---|---|---|")
    for kind in sorted({label[0] for row in rows for label in row["labels"]}):
        recalls = [score(rows, made, kind)[0] for made in (outputs, default, every)]
        print(f"| {kind} | " + " | ".join(f"{each.found / (each.found + each.missed):.3f}" for each in recalls) + " |")
    print("\n| | precision | recall |\n|---|---|---|")
    for name, made in (("`builtin.secrets`", outputs), ("published", default), ("published, all detectors", every)):
        print(f"| {name} | {score(rows, made)[0]} |")
    return score(rows, outputs)[1]


def speed(bench: Bench, pii_rows: list[Row], secret_rows: list[Row]) -> None:
    """Prints microseconds per KB for texts of some KB."""
    print("\n| detector | text | µs per KB | published |\n|---|---|---|---|")
    for name, rows in (("pii", pii_rows), ("secrets", secret_rows)):
        plain = [row["text"] for row in rows if not row["labels"] and len(row["text"]) > 150]
        full = [row["text"] for row in rows]
        options = {} if name == "pii" else {"redact": True, "block_on_detection": False}
        for label, texts in (("prose, nothing to find", plain), ("the corpus, an entity every 130 characters", full)):
            documents = grouped(texts, 4096)
            size = sum(len(document.encode()) for document in documents) / 1024
            mine, theirs = bench.ours(name, documents)[1], bench.published(name, documents, **options)[1]
            print(f"| {name} | {label} | {mine / size / 1000:.1f} | {theirs / size / 1000:.1f} |")


def grouped(texts: list[str], size: int) -> list[str]:
    """Texts joined to documents of about so many characters."""
    documents, current = [], ""
    for text in texts:
        current += text + "\n"
        if len(current) >= size:
            documents.append(current)
            current = ""
    return [*documents, current] if current else documents


def load(path: Path) -> list[Row]:
    """The labelled texts of a file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def main(folder: str, ours: str, python: str) -> None:
    """Prints all tables; what went wrong goes to standard error."""
    bench = Bench(ours, python)
    pii_rows, secret_rows = load(Path(folder) / "pii.jsonl"), load(Path(folder) / "secrets.jsonl")
    problems = pii(bench, pii_rows)
    print()
    problems += secrets(bench, secret_rows)
    speed(bench, pii_rows, secret_rows)
    print("\n".join(problems), file=sys.stderr)


if __name__ == "__main__":
    main(*sys.argv[1:])
