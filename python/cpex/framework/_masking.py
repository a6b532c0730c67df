"""Texts without the secrets in them: for logs, errors and terminals."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

MASK: Final = "***"

SECRET_KEY: Final = re.compile(
    r"auth(?!ors?(?![a-z]))|cookie|credential|dsn|key|passw|pwd|private|secret|token", re.IGNORECASE
)
"""What stands under such a key is taken for a secret; rather one too many."""

URL_CREDENTIALS: Final = re.compile(r"(?<=://)[^/?#\s]+(?=@)")


def without_url_credentials(text: str) -> str:
    """Mask the user information of the URLs in a text.

    Args:
        text: Any text.

    Returns:
        The text, with `***` before each `@host`.
    """
    return URL_CREDENTIALS.sub(MASK, text)


def without_secrets(text: str, settings: Mapping[str, Any]) -> str:
    """Mask what stands under the secret keys of some settings, wherever a text repeats it, and what URLs hold.

    Args:
        text: Any text.
        settings: The settings, nested at will.

    Returns:
        The text, with `***` for each secret.
    """
    for secret in sorted(_secrets(settings), key=len, reverse=True):
        text = text.replace(secret, MASK)
    return without_url_credentials(text)


def _secrets(value: Any, *, secret: bool = False) -> Iterator[str]:
    """Yield the strings that stand, at any depth, under a secret key."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _secrets(item, secret=secret or bool(SECRET_KEY.search(str(key))))
    elif isinstance(value, (list, tuple, set, frozenset)):
        for item in value:
            yield from _secrets(item, secret=secret)
    elif secret and isinstance(value, str) and len(value) > 3:
        yield value
