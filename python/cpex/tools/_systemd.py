"""What a service tells systemd, as sd_notify(3) says."""

import os
import socket

__all__ = ["notify"]


def notify(state: str) -> None:
    """Tell the service manager that started this process, if one asked to be told.

    Args:
        state: What to tell, such as `READY=1`.
    """
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    # A socket of the abstract namespace is written with an @.
    name = f"\0{address[1:]}" if address.startswith("@") else address
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
        sock.connect(name)
        sock.sendall(state.encode())
