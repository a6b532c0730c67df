"""The switch back to the behaviour of the published package."""

from __future__ import annotations

import os

VARIABLE = "PLUGINS_COMPAT"
COMPATIBLE_RELEASE = "0.1.4"


def is_compatible() -> bool:
    """Tell whether `PLUGINS_COMPAT` asks for the published package's behaviour where ours differs on purpose.

    Returns:
        True if it names that release.
    """
    return os.environ.get(VARIABLE, "").strip() == COMPATIBLE_RELEASE
