"""Text of a plugin that is shown elsewhere."""

from __future__ import annotations

from typing import Final

__all__ = ["shown"]

_REPLACED: Final = {code: "\ufffd" for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\n\t"}


def shown(text: str) -> str:
    """Make a text fit to be sent and to be read in a terminal, which would obey control characters.

    Args:
        text: Any text.

    Returns:
        It, in Unicode; control characters are replaced, but for ends of lines and tabs.
    """
    return text.encode(errors="backslashreplace").decode().translate(_REPLACED)
