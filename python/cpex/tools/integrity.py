"""Is a downloaded package the one its index published? SHA-256, compared with what the index says."""

import hashlib
import hmac
import logging
from pathlib import Path

__all__ = [
    "HASH_CHUNK_SIZE",
    "PYPI_JSON_API_URL",
    "TEST_PYPI_JSON_API_URL",
    "IntegrityVerificationError",
    "compute_file_hash",
    "fetch_pypi_package_hashes",
    "find_matching_hash",
    "verify_package_integrity",
]

HASH_CHUNK_SIZE = 8192
PYPI_JSON_API_URL = "https://pypi.org/pypi/{package}/json"
TEST_PYPI_JSON_API_URL = "https://test.pypi.org/pypi/{package}/json"

_SHOWN = 16

logger = logging.getLogger(__name__)


class IntegrityVerificationError(Exception):
    """A package is not what its index says it is.

    Attributes:
        package_name: The package.
        expected_hash: What the index says.
        actual_hash: What was downloaded.
    """

    def __init__(self, package_name: str, expected_hash: str, actual_hash: str) -> None:
        """Says which package, and how both hashes begin.

        Args:
            package_name: The package.
            expected_hash: What the index says.
            actual_hash: What was downloaded.
        """
        super().__init__(
            f"Integrity verification failed for {package_name}: "
            f"expected {expected_hash[:_SHOWN]}..., got {actual_hash[:_SHOWN]}..."
        )
        self.package_name = package_name
        self.expected_hash = expected_hash
        self.actual_hash = actual_hash


def compute_file_hash(file_path: Path, algorithm: str = "sha256") -> str:
    """Hashes a file.

    Args:
        file_path: The file.
        algorithm: An algorithm of ``hashlib``.

    Returns:
        The hash in lower-case hexadecimal.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If there is no such algorithm.
    """
    try:
        digest = hashlib.new(algorithm)
    except ValueError as error:
        raise ValueError(f"Unsupported hash algorithm: {algorithm}") from error
    with open(file_path, "rb") as file:
        while chunk := file.read(HASH_CHUNK_SIZE):
            digest.update(chunk)
    computed = digest.hexdigest()
    logger.debug("Computed %s hash for %s: %s...", algorithm, Path(file_path).name, computed[:_SHOWN])
    return computed


def verify_package_integrity(
    file_path: Path, expected_hash: str, package_name: str | None = None, strict: bool = True
) -> bool:
    """Compares a file with a hash.

    Args:
        file_path: The file.
        expected_hash: The SHA-256 it should have, in hexadecimal.
        package_name: How messages call it; by default its file name.
        strict: Whether a mismatch is raised.

    Returns:
        Whether it has that hash.

    Raises:
        FileNotFoundError: If there is no such file.
        IntegrityVerificationError: If it does not have that hash and `strict` is true.
    """
    if not file_path.is_file():
        raise FileNotFoundError(f"Package file not found: {file_path}")
    name = package_name or file_path.name
    logger.info("Verifying integrity of %s", name)
    actual_hash = compute_file_hash(file_path)
    if hmac.compare_digest(actual_hash.encode(), expected_hash.lower().encode()):
        logger.info("✓ Integrity verification passed for %s", name)
        return True
    logger.log(
        logging.ERROR if strict else logging.WARNING,
        "Integrity verification failed for %s\n  Expected: %s\n  Actual:   %s",
        name,
        expected_hash,
        actual_hash,
    )
    if strict:
        raise IntegrityVerificationError(name, expected_hash, actual_hash)
    return False


def find_matching_hash(
    file_path: Path, hashes_dict: dict[str, dict[str, str]], package_name: str | None = None
) -> str | None:
    """Looks a file up in what an index publishes.

    Args:
        file_path: The file; only its name counts.
        hashes_dict: What `fetch_pypi_package_hashes` returned.
        package_name: How messages call it; by default its file name.

    Returns:
        Its SHA-256, or None if the index has none for that name.
    """
    wanted = file_path.name
    hashes = hashes_dict.get(wanted)
    if hashes is None:
        same = (hashes for name, hashes in hashes_dict.items() if name.lower() == wanted.lower())
        hashes = next(same, None)
    found = (hashes or {}).get("sha256")
    if found is None:
        logger.warning("No matching hash found for %s in PyPI metadata", package_name or wanted)
    return found


def fetch_pypi_package_hashes(
    package_name: str, version: str | None = None, use_test: bool = False, timeout: float = 30.0
) -> dict[str, dict[str, str]]:
    """Asks the package index for the hashes of a package's files.

    Asks the indexes that pip is configured with (``PIP_INDEX_URL``, pip.conf), by the JSON form of the simple
    API, or else by ``/pypi/{package}/json``.

    Args:
        package_name: The package.
        version: Only the files of this version.
        use_test: Ask test.pypi.org instead.
        timeout: Seconds to wait for each answer.

    Returns:
        The hashes of each file, by algorithm.

    Raises:
        RuntimeError: If no index has the package, or none answers.
    """
    from cpex.tools._plugins.index import PackageIndexes

    return PackageIndexes.configured(use_test=use_test).hashes(package_name, version, timeout)
