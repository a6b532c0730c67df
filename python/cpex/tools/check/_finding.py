"""One thing that was found, and the text it was found in."""

import re
from dataclasses import dataclass
from functools import cached_property

from ._codes import ELSEWHERE, Code
from ._masking import masked

_IGNORE = re.compile(r"#.*?\bcpex:\s*ignore\[([\w\s,-]*)\]")
_SHOWN = 160


def printable(text: str) -> str:
    """Returns a text with escapes for what a terminal or a log would act on."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing a person has to mend, or at least to look at.

    Attributes:
        code: What kind of thing it is.
        line: Line of the file, from 1.
        column: Column, from 1.
        message: What is wrong.
        hint: What would be right; empty if there is nothing to add.
        plugin: Name of the plugin it is about; empty if it is about no single one.
    """

    code: Code
    line: int
    column: int
    message: str
    hint: str = ""
    plugin: str = ""


@dataclass(frozen=True)
class Source:
    """The text of a config.

    Attributes:
        name: What the file is called in messages.
        text: Its content; empty if it cannot be read.
    """

    name: str
    text: str

    @cached_property
    def lines(self) -> list[str]:
        """The lines, as editors count them."""
        return self.text.replace("\r\n", "\n").replace("\r", "\n").split("\n")

    def line(self, number: int) -> str:
        """Returns a line, by its number from 1; empty beyond the end."""
        return self.lines[number - 1] if 0 < number <= len(self.lines) else ""

    def excerpt(self, finding: Finding) -> tuple[str, int] | None:
        """Returns the line of a finding, cut to a length that can be shown, and the offset of the caret in it.

        Secrets are masked. None for a secret itself, which may be the whole line, and where there is nothing to show.
        """
        line = masked(self.line(finding.line))
        if finding.code is Code.SECRET_IN_CLEAR or finding.code in ELSEWHERE or not line.strip():
            return None
        offset = min(finding.column - 1, len(line))
        start = max(0, offset - _SHOWN // 2) if len(line) > _SHOWN else 0
        shown = "".join(char if char.isprintable() else " " for char in line[start : start + _SHOWN])
        return shown.rstrip(), offset - start

    def ignores(self, finding: Finding) -> bool:
        """Tells whether the line of a finding, or a comment above it, says `cpex: ignore[code]`."""
        above = self.line(finding.line - 1)
        candidates = [self.line(finding.line), above if above.lstrip().startswith("#") else ""]
        return any(
            finding.code in map(str.strip, codes.split(",")) for line in candidates for codes in _IGNORE.findall(line)
        )
