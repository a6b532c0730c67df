#!/usr/bin/env python3
"""Adds up the closing lines of the test runners whose logs are given, and prints one plain line."""

import re
import sys
from pathlib import Path

CLOSING = re.compile(r"^(?:=+ .*(?:passed|failed|skipped|error).* in [\d.]+m?s.*=+|\s*Summary \[.*|test result: .*)$")
COUNT = re.compile(r"(\d+) (passed|failed|skipped|errors?|ignored)")


def main(paths: list[str]) -> int:
    total = {"passed": 0, "failed": 0, "skipped": 0}
    column = {"error": "failed", "errors": "failed", "ignored": "skipped"}
    for path in paths:
        for line in Path(path).read_text(encoding="utf-8", errors="replace").splitlines():
            plain = re.sub(r"\x1b\[[0-9;]*m", "", line)
            if CLOSING.match(plain):
                for number, word in COUNT.findall(plain):
                    total[column.get(word, word)] += int(number)
    print(f"{total['passed']} passed, {total['failed']} failed, {total['skipped']} skipped")
    return 1 if total["failed"] or not total["passed"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
