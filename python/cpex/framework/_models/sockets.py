"""Where a Unix domain socket may lie."""

import logging
import stat
from pathlib import Path

logger = logging.getLogger("cpex.framework.models")

UDS_TLS_ERROR = "TLS configuration is not supported for Unix domain sockets"
HIJACK_ADVICE = (
    "This may allow unauthorized socket hijacking. "
    "Consider using a directory with restricted permissions (e.g., 0o700)."
)
RESTRICT_ADVICE = "Consider using a directory with restricted permissions."


def resolve_uds(uds: str | None, owner: str, advice: str) -> str | None:
    """Makes a socket path absolute and checks the directory it lies in.

    Args:
        uds: The path as configured, or None.
        owner: What the path belongs to, for messages.
        advice: What to tell whoever put the socket into a world-writable directory.

    Returns:
        The absolute path, or None.

    Raises:
        ValueError: If the path is blank or its directory does not exist.
    """
    if uds is None:
        return None
    if not uds.strip():
        raise ValueError(f"{owner} uds must be a non-empty string.")
    path = Path(uds).expanduser().resolve()
    parent = path.parent
    if not parent.is_dir():
        raise ValueError(f"{owner} uds parent directory does not exist: {parent}")
    if parent.stat().st_mode & stat.S_IWOTH:
        logger.warning("%s uds parent directory %s is world-writable. %s", owner, parent, advice)
    return str(path)
