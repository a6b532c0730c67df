"""Files that an operation changes together, put back if it fails."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cpex.framework._files import replace_file


@contextmanager
def files_restored_on_failure(*paths: Path) -> Iterator[None]:
    """Puts files and folders back if the block fails.

    Args:
        paths: Files, or folders of small files; they need not exist.

    Yields:
        Nothing.
    """
    before = {path: _contents(path) for path in paths}
    try:
        yield
    except BaseException:
        for path, contents in before.items():
            if _contents(path) != contents:
                _put_back(path, contents)
        raise


def _contents(path: Path) -> dict[Path, bytes]:
    if path.is_dir():
        return {file: file.read_bytes() for file in path.rglob("*") if file.is_file()}
    return {path: path.read_bytes()} if path.is_file() else {}


def _put_back(path: Path, contents: dict[Path, bytes]) -> None:
    for file in _contents(path).keys() - contents.keys():
        file.unlink()
    for file, data in contents.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        if not file.is_file() or file.read_bytes() != data:
            replace_file(file, data)
    if path.is_dir():
        _prune(path)


def _prune(folder: Path) -> None:
    for below in (path for path in folder.iterdir() if path.is_dir()):
        _prune(below)
    if not any(folder.iterdir()):
        shutil.rmtree(folder)
