"""The package indexes that pip is configured with, and the file hashes they publish."""

import logging
import re
from ast import literal_eval
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import unquote, urljoin, urlsplit

from packaging.specifiers import SpecifierSet
from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import InvalidVersion, Version

from cpex.tools import integrity

from .environment import Environment

if TYPE_CHECKING:
    import httpx

Hashes = dict[str, dict[str, str]]

PYPI = "https://pypi.org/simple/"
TEST_PYPI = "https://test.pypi.org/simple/"

_SIMPLE_JSON = "application/vnd.pypi.simple.v1+json"
_ACCEPT = f"{_SIMPLE_JSON}, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
_SETTING = re.compile(r"(?P<section>global|download|install|:env:)\.(?P<key>[a-z-]+)=(?P<value>.+)")
_SECTIONS = ("global", "install", "download", ":env:")  # a later one overrules

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PackageIndexes:
    """Where pip looks for packages.

    Attributes:
        urls: The simple APIs, the main one first. May hold credentials: never shown.
        pip_options: What makes pip use them if that is not its configuration.
        certificates: File with the trusted certificates, if pip has one.
    """

    urls: tuple[str, ...]
    pip_options: tuple[str, ...] = field(default=())
    certificates: str | None = None

    @classmethod
    def configured(cls, *, use_test: bool = False) -> Self:
        """Reads pip's configuration: its files and its environment variables.

        Args:
            use_test: Use test.pypi.org instead of the configured indexes.

        Returns:
            The indexes.
        """
        settings = _pip_settings()
        certificates = settings.get("cert")
        if use_test:
            return cls((TEST_PYPI,), ("--index-url", TEST_PYPI), certificates)
        if settings.get("no-index", "").lower() in ("1", "true", "yes", "on"):
            return cls((), (), certificates)
        extra = settings.get("extra-index-url", "").split()
        return cls((settings.get("index-url", PYPI), *extra), (), certificates)

    def hashes(self, package: str, version: str | None = None, timeout: float = 30.0) -> Hashes:
        """Collects the hashes of a package's files. If two indexes have a file, the first one counts.

        Args:
            package: The package.
            version: Only the files of this version.
            timeout: Seconds to wait for each answer.

        Returns:
            The hashes of each file, by algorithm.

        Raises:
            RuntimeError: If no index has the package, or none answers.
        """
        import httpx

        verify: Any = True
        if self.certificates:
            import ssl

            verify = ssl.create_default_context(cafile=self.certificates)
        found: Hashes = {}
        failures: list[str] = []
        for url in map(httpx.URL, self.urls):
            # Apart from the URL, which httpx logs.
            credentials = (url.username, url.password) if url.userinfo else None
            address = str(url.copy_with(userinfo=b""))
            try:
                with httpx.Client(timeout=timeout, follow_redirects=True, verify=verify, auth=credentials) as client:
                    found = {**_files_of(client, address, package), **found}
            except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
                failures.append(f"{url.host}: {_reason(error)}")
        if not found and failures:
            raise RuntimeError(f"Failed to fetch the hashes of '{package}' ({'; '.join(failures)})")
        if not found:
            raise RuntimeError(f"Package '{package}' not found on PyPI")
        return {name: hashes for name, hashes in found.items() if version is None or _is_version(name, version)}


def pinned_source(package: str, constraint: str | None, hashes: Hashes) -> str | None:
    """Chooses the newest source archive, and pins it to its hash.

    Args:
        package: The package.
        constraint: E.g. ``>=1,<2``; None takes the newest.
        hashes: The hashes of its files.

    Returns:
        What a requirements file says of it; None if there is none with a SHA-256.
    """
    known: dict[Version, list[str]] = {}
    for filename, digests in hashes.items():
        try:
            version = parse_sdist_filename(filename)[1]
        except (InvalidSdistFilename, InvalidVersion):
            continue
        if "sha256" in digests:
            known.setdefault(version, []).append(digests["sha256"])
    newest = max(SpecifierSet(constraint or "").filter(known), default=None)
    if newest is None:
        return None
    return " ".join([f"{package}=={newest}", *(f"--hash=sha256:{digest}" for digest in known[newest])])


def _pip_settings() -> dict[str, str]:
    try:
        listed = Environment().pip("config", "list")
    except RuntimeError as error:
        logger.debug("Without the configuration of pip: %s", error)
        return {}
    matches = [match for match in map(_SETTING.fullmatch, listed.splitlines()) if match is not None]
    matches.sort(key=lambda match: _SECTIONS.index(match["section"]))
    return {match["key"]: str(literal_eval(match["value"])) for match in matches}


def _files_of(client: "httpx.Client", index: str, package: str) -> Hashes:
    page = client.get(f"{index.rstrip('/')}/{canonicalize_name(package)}/", headers={"Accept": _ACCEPT})
    if page.is_success:
        if page.headers.get("content-type", "").startswith(_SIMPLE_JSON):
            return {file["filename"]: dict(file["hashes"]) for file in page.json()["files"]}
        linked = dict(_Links.of(page.text))
        if any(linked.values()):
            return linked
    answer = client.get(_json_api(index).replace("{package}", canonicalize_name(package)))
    if answer.status_code == 404:
        return {}
    answer.raise_for_status()
    releases = answer.json()["releases"].values()
    return {file["filename"]: dict(file["digests"]) for files in releases for file in files}


def _json_api(index: str) -> str:
    known = {PYPI: integrity.PYPI_JSON_API_URL, TEST_PYPI: integrity.TEST_PYPI_JSON_API_URL}
    api = known.get(f"{index.rstrip('/')}/")
    if api is not None:
        return api
    return urljoin(f"{index.rstrip('/')}/", "../pypi/") + "{package}/json"


class _Links(HTMLParser):
    """The HTML form of the simple API: an anchor a file, its hash in the fragment."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.links.extend(value for name, value in attrs if name == "href" and value)

    @classmethod
    def of(cls, page: str) -> Iterator[tuple[str, dict[str, str]]]:
        parser = cls()
        parser.feed(page)
        for link in map(urlsplit, parser.links):
            algorithm, _, value = link.fragment.partition("=")
            yield unquote(link.path.rpartition("/")[2]), {algorithm: value} if value else {}


def _is_version(filename: str, version: str) -> bool:
    try:
        parse = parse_wheel_filename if filename.endswith(".whl") else parse_sdist_filename
        return parse(filename)[1] == Version(version)
    except (InvalidWheelFilename, InvalidSdistFilename, InvalidVersion):
        return False


def _reason(error: Exception) -> str:
    """Says what failed without the URL, which may hold credentials."""
    import httpx

    if isinstance(error, httpx.HTTPStatusError):
        return f"HTTP {error.response.status_code}"
    if isinstance(error, httpx.HTTPError):
        return type(error).__name__
    return "unreadable answer"
