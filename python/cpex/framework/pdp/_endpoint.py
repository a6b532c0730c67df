"""Addresses with placeholders."""

from __future__ import annotations

from collections.abc import Mapping
from string import Formatter
from typing import Any
from urllib.parse import quote, urlsplit

from cpex.framework._compat import is_compatible


class Endpoint:
    """An address such as `http://opa:8181/v1/data/{tool}/allow`."""

    def __init__(self, template: str) -> None:
        """Read a template.

        Args:
            template: The address; `{key}` stands for a value of the input.

        Raises:
            ValueError: If a brace does not belong to a plain placeholder, or it can never be an http(s) address.
        """
        self.template = template
        try:
            parts = list(Formatter().parse(template))
        except ValueError as error:
            raise ValueError(f"endpoint: {error}; write {{key}} for a value, {{{{ and }}}} for braces") from None
        for _, name, form, conversion in parts:
            if name is not None and (not name or set(name) & set(".[]") or form or conversion):
                raise ValueError(f"endpoint: {{{name}}} is no placeholder; write {{key}}, without '.', '[', '!' or ':'")
        self._parts = [(literal, name) for literal, name, _, _ in parts]
        # With the published package's encoding, a value can be the beginning of an address.
        any_address = template.startswith("{") and is_compatible()
        example = "".join(literal if name is None else f"{literal}1" for literal, name in self._parts)
        if not any_address and not _is_http(example):
            raise ValueError("endpoint: not an http(s) address; write one such as http://opa:8181/v1/data/tools/allow")

    def fill(self, values: Mapping[str, Any]) -> str | None:
        """Put values in place of the placeholders, each encoded as part of one path segment.

        Args:
            values: The input; only its strings count.

        Returns:
            The address; None if a value is missing.
        """
        encode = str if is_compatible() else _segment
        filled = []
        for literal, name in self._parts:
            filled.append(literal)
            if name is None:
                continue
            value = values.get(name)
            if not isinstance(value, str):
                return None
            filled.append(encode(value))
        return "".join(filled)


def _segment(value: str) -> str:
    # A dot segment is taken out of a path unless its dots are escaped, which `quote` does not do.
    return quote(value, safe="") if value.strip(".") else value.replace(".", "%2E")


def _is_http(address: str) -> bool:
    try:
        parts = urlsplit(address)
        _ = parts.port
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)
