"""Makes the labelled texts on which the built-in detectors are measured.

There are two corpora. The development corpus is what a detector may be changed by; `tests/corpus.rs` holds its figures.
The held-out corpus has another seed, carriers of its own and harmless things of its own; nobody reads it text by text,
and the published figures come from it.

    python benches/builtin/make_corpus.py held-out .bench/quality
    python benches/builtin/make_corpus.py development benches/data --each 40

Keys of well-known formats are random. In the files a sign stands inside of each, as hosts of code refuse files with
such keys; who reads the files takes it out.
"""

from __future__ import annotations

import argparse
import json
import random
import re
from pathlib import Path

from faker import Faker

import personal
import secret
from carriers import BREAK, Case, Split

SEEDS = {Split.DEVELOPMENT: 20_260_401, Split.HELD_OUT: 20_261_122}
# In a carrier: something that is no personal data and no secret, so that no two texts are alike.
FILLER = re.compile(r"«(\w+)»")


def main() -> None:
    """Writes `pii.jsonl`, `disguised.jsonl` and `secrets.jsonl`: a text and its labels (kind, start, end) a line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("split", type=Split)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, help="another corpus of the same kind")
    parser.add_argument("--each", type=int, default=400, help="texts of each kind")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    chance = random.Random(options.seed or SEEDS[options.split])
    corpora = {
        "pii": personal.texts(chance, options.split, options.each),
        "disguised": personal.disguised(chance, options.split, max(1, options.each // 8)),
        "secrets": secret.texts(chance, options.split, max(1, options.each // 4)),
    }
    english = Faker("en_US")
    english.seed_instance(chance.random())
    for name, cases in corpora.items():
        rows = [row(case, chance, english) for case in cases]
        chance.shuffle(rows)
        lines = (json.dumps(each, ensure_ascii=False) + "\n" for each in rows)
        (options.folder / f"{name}.jsonl").write_text("".join(lines), encoding="utf-8")


def row(case: Case, chance: random.Random, english: Faker) -> dict[str, object]:
    """A text with its label, if it has one."""
    makers = {
        "name": english.first_name,
        "word": english.word,
        "int": lambda: str(chance.randint(2, 900)),
        "date": lambda: english.date_time().strftime("%Y-%m-%d"),
        "time": lambda: english.date_time().strftime("%H:%M:%S"),
        "price": lambda: f"{chance.randint(1, 900)}.{chance.randint(10, 99)}",
        "uuid": lambda: english.uuid4(),
        "path": lambda: english.uri_path(3),
    }
    carrier = FILLER.sub(lambda found: str(makers[found[1]]()), case.carrier)
    start = carrier.index("{}")
    labels = [[case.kind, start, start + len(case.value)]] if case.kind else []
    value = case.value[:2] + BREAK + case.value[2:] if case.kind in secret.KINDS else case.value
    return {"text": carrier.replace("{}", value, 1), "labels": labels}


if __name__ == "__main__":
    main()
