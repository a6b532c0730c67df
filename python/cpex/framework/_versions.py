"""Ordering of version numbers as PEP 440 defines it, without a dependency."""

import re
from functools import total_ordering

_VERSION = re.compile(
    r"v?(?:(?P<epoch>\d+)!)?(?P<release>\d+(?:\.\d+)*)"
    r"(?:[._-]?(?P<pre>alpha|beta|preview|pre|rc|a|b|c)[._-]?(?P<pre_n>\d*))?"
    r"(?:-(?P<post_implicit>\d+)|[._-]?(?P<post>post|rev|r)[._-]?(?P<post_n>\d*))?"
    r"(?:[._-]?(?P<dev>dev)[._-]?(?P<dev_n>\d*))?"
    r"(?:\+[a-z0-9]+(?:[._-][a-z0-9]+)*)?",
    re.IGNORECASE,
)
_PRE_RANK = {"a": 0, "alpha": 0, "b": 1, "beta": 1, "c": 2, "rc": 2, "pre": 2, "preview": 2}
_BEFORE_ANY_PRE = (-1, 0)
_AFTER_ANY_PRE = (3, 0)


@total_ordering
class Version:
    """A version that can be compared. Local labels are ignored."""

    __slots__ = ("_key",)

    def __init__(self, text: str) -> None:
        """Parses a version.

        Args:
            text: E.g. ``1.2.0rc1``.

        Raises:
            ValueError: If it is not a version.
        """
        match = _VERSION.fullmatch(text.strip())
        if match is None:
            raise ValueError(f"invalid version: {text!r}")
        release = tuple(int(part) for part in match["release"].split("."))
        while len(release) > 1 and release[-1] == 0:
            release = release[:-1]
        is_post = match["post_implicit"] is not None or match["post"] is not None
        post = int(match["post_implicit"] or match["post_n"] or 0) if is_post else -1
        dev = float(match["dev_n"] or 0) if match["dev"] else float("inf")
        if match["pre"]:
            pre = (_PRE_RANK[match["pre"].lower()], int(match["pre_n"] or 0))
        else:
            pre = _BEFORE_ANY_PRE if match["dev"] and not is_post else _AFTER_ANY_PRE
        self._key = (int(match["epoch"] or 0), release, pre, post, dev)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Version) and self._key == other._key

    def __lt__(self, other: "Version") -> bool:
        return self._key < other._key

    def __hash__(self) -> int:
        return hash(self._key)

    @classmethod
    def parse(cls, text: str) -> "Version | None":
        """Parses a version that may be wrong.

        Args:
            text: The text.

        Returns:
            The version, or None if it is not one.
        """
        try:
            return cls(text)
        except ValueError:
            return None
