"""Downloads a package without installing it, and looks into it."""

import stat
import tarfile
import zipfile
from pathlib import Path, PurePosixPath
from tempfile import NamedTemporaryFile

from .environment import Environment


def download(python: str, requirement: str, folder: Path, options: tuple[str, ...] = ()) -> Path:
    """Downloads one package, without what it depends on.

    Args:
        python: The interpreter whose pip does it.
        requirement: What pip calls it: ``name>=1``, ``git+https://…``.
        folder: Where the file goes; empty.
        options: Further options of pip.

    Returns:
        The file.

    Raises:
        RuntimeError: If it cannot be had.
    """
    return _downloaded(python, folder, *options, requirement)


def download_source(python: str, pinned: str, folder: Path, options: tuple[str, ...] = ()) -> Path:
    """Downloads one source archive whose hash is known. It is compared before anything in it is run.

    Args:
        python: The interpreter whose pip does it.
        pinned: What a requirements file says of it: ``name==1.0 --hash=sha256:…``.
        folder: Where the file goes; empty.
        options: Further options of pip.

    Returns:
        The file.

    Raises:
        RuntimeError: If it cannot be had, or has another hash.
    """
    with NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as requirements:
        requirements.write(pinned)
        requirements.flush()
        return _downloaded(python, folder, *options, "--require-hashes", "-r", requirements.name)


def _downloaded(python: str, folder: Path, *arguments: str) -> Path:
    Environment(python).pip("download", "--no-deps", "--dest", str(folder), *arguments)
    files = [path for path in folder.iterdir() if path.is_file()]
    if len(files) != 1:
        raise RuntimeError(f"pip left {len(files)} files, not one")
    return files[0]


def unpack(archive: Path, folder: Path) -> None:
    """Unpacks a wheel or source archive. What would land outside of the folder is refused.

    Args:
        archive: The file.
        folder: Where its contents go.

    Raises:
        ValueError: If it is no archive, or a member leads out of the folder.
    """
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as opened:
                for member in opened.infolist():
                    _check_member(archive, member)
                opened.extractall(folder)
        else:
            with tarfile.open(archive) as packed:
                packed.extractall(folder, filter="data")
    except (tarfile.TarError, zipfile.BadZipFile) as error:
        raise ValueError(f"Cannot unpack {archive.name}: {error}") from error


def _check_member(archive: Path, member: zipfile.ZipInfo) -> None:
    path = PurePosixPath(member.filename.replace("\\", "/"))
    is_link = stat.S_ISLNK(member.external_attr >> 16)
    has_drive = ":" in path.parts[0] if path.parts else False
    if path.is_absolute() or has_drive or ".." in path.parts or is_link:
        raise ValueError(f"Cannot unpack {archive.name}: '{member.filename}' leads out of the folder")
