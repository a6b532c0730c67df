"""The switch back to the behaviour of the published package."""

from __future__ import annotations

import os

COMPATIBLE_RELEASE = "0.1.4"


def is_compatible() -> bool:
    """Tell whether `PLUGINS_COMPAT` asks for the published package's behaviour where ours differs on purpose.

    Returns:
        True if it names that release.
    """
    return os.environ.get("PLUGINS_COMPAT", "").strip() == COMPATIBLE_RELEASE
