"""Looks after a worker that no sandbox contains, so that nothing that it has started outlives it or its host.

Runs in the plugin's environment, before anything can be imported from it: nothing but the standard library is there.

As a program it does the same for a step of a build: its arguments are the host's process number, and the command.
"""

import os
import resource
import signal
import sys
import time
from contextlib import suppress
from typing import NoReturn

_DEATH_SIGNAL = 1
_CHILD_SUBREAPER = 36
"""What `prctl` is asked for."""

_PATIENCE = 0.5
"""Seconds for what was killed to end; then all of them go at once, with the guardian."""


def guard() -> None:
    """Goes on as a child of this process, which does nothing from then on but to look after it.

    The kernel tells the guardian when the host has ended, and makes it the parent of all that lose theirs, also of
    daemons. It ends them when the worker ends, and then ends like the worker. Where the system cannot do that, the
    worker goes on without a guardian.
    """
    if sys.platform != "linux":
        return
    try:
        import ctypes

        prctl = ctypes.CDLL(None).prctl
    except (ImportError, OSError, AttributeError):
        return
    host, guardian = os.getppid(), os.getpid()
    # A host may have it that signals are ignored.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    if prctl(_CHILD_SUBREAPER, 1, 0, 0, 0) or prctl(_DEATH_SIGNAL, int(signal.SIGTERM), 0, 0, 0):
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return
    worker = os.fork()
    if worker == 0:
        prctl(_DEATH_SIGNAL, int(signal.SIGKILL), 0, 0, 0)
        if os.getppid() != guardian:
            os._exit(1)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(nothing, stream)
    if os.getppid() != host:
        os.kill(worker, signal.SIGKILL)
    status = _wait_for(worker)
    _end_all()
    _end_like(status)


def _wait_for(worker: int) -> int:
    """Waits until the worker has ended, or until it is to be; returns how it ended."""
    while True:
        if signal.sigwait({signal.SIGCHLD, signal.SIGTERM}) == signal.SIGTERM:
            os.kill(worker, signal.SIGKILL)
        # Orphans that have ended are waited for, too.
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            if ended[0] == worker:
                return ended[1]


def _end_all() -> None:
    """Ends what the worker has left: its children are this process's now, and theirs will be."""
    until = time.monotonic() + _PATIENCE
    while True:
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        if time.monotonic() > until:
            os.killpg(0, signal.SIGKILL)
        for child in _children():
            with suppress(ProcessLookupError, PermissionError):
                os.kill(child, signal.SIGKILL)
        time.sleep(0.001)


def _children() -> list[int]:
    this, found = str(os.getpid()), []
    for process in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{process}/stat", encoding="utf-8", errors="replace") as stat:
                # The name, in brackets, may have any characters.
                parent = stat.read().rpartition(")")[2].split()[1]
        except (OSError, IndexError):
            continue
        if parent == this:
            found.append(int(process))
    return found


def _end_like(status: int) -> NoReturn:
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        # The core is the worker's.
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if number != signal.SIGKILL:
            signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
    os._exit(os.waitstatus_to_exitcode(status) & 0xFF)


def main() -> NoReturn:
    """Becomes a command that is looked after."""
    host, command = int(sys.argv[1]), sys.argv[2:]
    if os.getppid() != host:
        sys.exit("The host has ended.")
    guard()
    for ignored in signal.SIGPIPE, signal.SIGXFSZ:
        # By an interpreter, and then by what it becomes.
        signal.signal(ignored, signal.SIG_DFL)
    try:
        os.execv(command[0], command)
    except OSError as error:
        sys.exit(f"cannot start {command[0]}: {error.strerror}")


if __name__ == "__main__":
    main()
