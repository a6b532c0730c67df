"""One text for every payload that still carries HTTP headers."""

import warnings
from typing import TypeVar

_V = TypeVar("_V")


def warn_headers_deprecated(payload_name: str, value: _V) -> _V:
    """Warns that headers belong in the extensions.

    Args:
        payload_name: Name of the payload class.
        value: The headers given, or None.

    Returns:
        The headers, unchanged.
    """
    if value is not None:
        warnings.warn(
            f"{payload_name}.headers is deprecated; use extensions.http.headers instead. "
            "This field will be removed in a future release.",
            DeprecationWarning,
            stacklevel=3,
        )
    return value
