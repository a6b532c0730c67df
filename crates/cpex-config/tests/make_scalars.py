"""Writes `data/scalars.json`: what PyYAML's `safe_load` makes of scalar texts, for `tests/scalars.rs`.

Run it with a Python that has PyYAML: `python tests/make_scalars.py`.
"""

import base64
import datetime
import itertools
import json
import pathlib
from typing import Any

import yaml

WORDS = ["yes", "no", "true", "false", "on", "off", "null", "y", "n", "none", "nil"]
PLAIN = [
    *(form for word in WORDS for form in (word, word.title(), word.upper(), word[0] + word[1:].upper())),
    *("~", "=", "<<", "abc", "a b", "-", "+", ".", "..", "_", "1 2", "١", "é", "😀"),
    *(
        "0",
        "00",
        "+0",
        "-0",
        "1",
        "-1",
        "+12",
        "007",
        "-017",
        "08",
        "0o17",
        "0O17",
        "0b101",
        "-0b1",
        "0b",
        "0b_1",
        "0b2",
    ),
    *("0x1F", "0xfF_", "-0x10", "0x", "0xg", "1_000", "1__0", "_1", "1_", "0_", "0_7", "0_8", "+-1", "--1"),
    *(
        "123456789012345678901234567890",
        "340282366920938463463374607431768211455",
        "-340282366920938463463374607431768211456",
    ),
    *(
        "0xffffffffffffffffffffffffffffffffff",
        "1:30",
        "-1:30",
        "1:60",
        "1:5:09",
        "190:20:30",
        "0:30",
        "01:30",
        "1:",
        ":30",
    ),
    *(
        "1.0",
        "1.",
        ".5",
        "-.5",
        "+.5",
        "0.5",
        "-0.0",
        "00.5",
        "1.5e3",
        "1.5e+3",
        "1.5E-03",
        "1e5",
        "1.e+5",
        ".5e+1",
        ".5e1",
    ),
    *(
        "1_0.5_0",
        "1._",
        "._5",
        "1.5.2",
        "1.2.3",
        "685.230_15e+03",
        "190:20:30.15",
        "1:30.5",
        "1:60.5",
        "0:0.5",
        "-1:30.5",
    ),
    *(".inf", "-.inf", "+.Inf", ".INF", ".iNf", "inf", ".nan", ".NaN", ".NAN", "-.nan", "nan", "1e400", "1.0e+400"),
    *(
        "2001-12-14",
        "2001-1-1",
        "2001-13-14x",
        "0001-01-01",
        "2001-12-14 21:59:43",
        "2001-1-4 1:59:43",
        "2001-12-14t21:59:43",
    ),
    *(
        "2001-12-14T21:59:43Z",
        "2001-12-14t21:59:43.10-05:00",
        "2001-12-14 21:59:43.1234567 +5",
        "2001-12-14 21:59:43 +05:30",
    ),
    *(
        "2001-12-14 21:59",
        "2001-12-14T",
        "2001-12-14 21:59:43.",
        "2001-12-14 21:59:43 Z",
        "20011214",
        "2001-12-14 21:59:43 z",
    ),
    *(
        "2001-12-14\t21:59:43",
        "2000-02-29",
        "2001-12-14 21:59:43.000001",
        "2001-12-14 21:59:43 -0",
        "2001-12-14-5",
        "12:30:45",
    ),
    *(
        "1.0.0",
        "v1",
        "1-2",
        "10.0.0.1",
        "1,000",
        "0.1.4",
        "5m",
        "50%",
        "1e",
        "e5",
        "0x1.5",
        "1.5_",
        "1:2:3:4",
        "1:2:3:4.5",
    ),
]
BAD_DATES = [
    "2001-13-14",
    "2001-02-29",
    "2001-12-14 25:00:00",
    "2001-12-14 21:60:00",
    "0000-01-01",
    "2001-12-14 21:59:43 +24:00",
]
TAGGED = [
    f"!!{tag} {text}"
    for tag, text in itertools.product(
        ["str", "int", "float", "bool", "null", "timestamp", "binary"],
        [
            '"1"',
            "'1.5'",
            "yes",
            "YeS",
            "null",
            "''",
            "0o17",
            "0x1f",
            "1_0",
            "1e5",
            "inf",
            "2001-1-1",
            "aGVsbG8=",
            "aGVsbG8",
            "a",
            "x",
        ],
    )
]
QUOTED = ['"yes"', "'1'", '"2001-12-14"', "''", '"a\\tb\\u263A\\x41\\n"', "'it''s'", '! "12"', "! 12", '"<<"', "'='"]


def portable(value: Any) -> Any:
    """A JSON form that keeps the Python type."""
    match value:
        case None:
            return {"null": True}
        case bool():
            return {"bool": value}
        case int():
            return {"int": str(value)}
        case float():
            return {"float": repr(value)}
        case str():
            return {"str": value}
        case bytes():
            return {"bytes": base64.b16encode(value).decode().lower()}
        case datetime.datetime():
            offset = value.utcoffset()
            minutes = None if offset is None else int(offset.total_seconds() // 60)
            return {"datetime": [*value.timetuple()[:6], value.microsecond, minutes]}
        case datetime.date():
            return {"date": [value.year, value.month, value.day]}
    raise TypeError(type(value))


def load(text: str) -> Any:
    try:
        return portable(yaml.safe_load(f"- {text}\n")[0])
    except Exception:
        return {"error": True}


def main() -> None:
    texts = dict.fromkeys([*PLAIN, *BAD_DATES, *TAGGED, *QUOTED])
    table = [[text, load(text)] for text in texts]
    lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in table)
    path = pathlib.Path(__file__).parent / "data" / "scalars.json"
    path.write_text(f"[\n{lines}\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main()
