"""The files that say what is installed, configuration and registry: one command at a time changes them."""

import logging
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from cpex.tools import cli
from cpex.tools.settings import get_plugin_registry_path

from .rollback import files_restored_on_failure

if sys.platform != "win32":
    import fcntl

logger = logging.getLogger("cpex.tools.cli")


@contextmanager
def records_changed_together() -> Iterator[None]:
    """Waits until no other command changes the records; then puts them back as they were if the block fails.

    Yields:
        Nothing.
    """
    files = (Path(cli.settings.config_file), get_plugin_registry_path())
    with _exclusive(file.parent for file in files), files_restored_on_failure(*files):
        yield


@contextmanager
def _exclusive(folders: Iterable[Path]) -> Iterator[None]:
    """Locks folders, which needs no file that stays behind. They are made if need be, and go if nothing is in them.

    Windows and some network file systems have no such locks: there nobody waits.
    """
    if sys.platform == "win32":
        yield
        return
    with ExitStack() as locks:
        for folder in sorted({folder.resolve() for folder in folders}):  # always in one order: nobody waits in a circle
            locks.enter_context(_locked(folder))
        yield


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    made = not folder.exists()
    while True:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RuntimeError(f"'{folder}' is needed as a folder: {error.strerror}") from error
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            _wait_for(handle)
            if not _is_still(folder, handle):
                continue  # who had it has removed it
            yield
            return
        finally:
            if made and _is_still(folder, handle):
                with suppress(OSError):
                    folder.rmdir()
            os.close(handle)


def _wait_for(handle: int) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        cli.console.print("Waiting for another cpex command to finish ...")
        fcntl.flock(handle, fcntl.LOCK_EX)
    except OSError as error:
        logger.debug("Without a lock: %s", error)


def _is_still(folder: Path, handle: int) -> bool:
    with suppress(OSError):
        return os.path.samestat(os.stat(folder), os.fstat(handle))
    return False
