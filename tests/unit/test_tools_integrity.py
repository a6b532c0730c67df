"""Hashes of packages: computed, looked up, compared (L8); and where the index is found."""

from __future__ import annotations

import hashlib
import logging
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest

from cpex.tools import integrity
from cpex.tools._plugins.index import PYPI, TEST_PYPI, PackageIndexes
from cpex.tools.integrity import (
    IntegrityVerificationError,
    compute_file_hash,
    fetch_pypi_package_hashes,
    find_matching_hash,
    verify_package_integrity,
)

SHA256 = hashlib.sha256(b"x").hexdigest()


@pytest.fixture
def package(tmp_path: Path) -> Path:
    path = tmp_path / "p-1.0-py3-none-any.whl"
    path.write_bytes(b"x")
    return path


def test_hashing(package: Path) -> None:
    assert compute_file_hash(package) == SHA256
    assert compute_file_hash(package, "md5") == hashlib.md5(b"x").hexdigest()
    with pytest.raises(ValueError, match="^Unsupported hash algorithm: nope$"):
        compute_file_hash(package, "nope")


@pytest.mark.parametrize("expected", [SHA256, SHA256.upper()])
def test_the_right_hash(package: Path, expected: str) -> None:
    assert verify_package_integrity(package, expected, "p")


@pytest.mark.parametrize("expected", ["f" * 64, "", SHA256[:-1]])
def test_another_hash(package: Path, expected: str) -> None:
    assert verify_package_integrity(package, expected, "p", strict=False) is False
    with pytest.raises(IntegrityVerificationError) as caught:
        verify_package_integrity(package, expected, "p")
    error = caught.value
    assert (error.package_name, error.expected_hash, error.actual_hash) == ("p", expected, SHA256)
    assert str(error) == f"Integrity verification failed for p: expected {expected[:16]}..., got {SHA256[:16]}..."


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="^Package file not found: "):
        verify_package_integrity(tmp_path / "none", SHA256)


def test_looking_a_file_up() -> None:
    hashes = {"P-1.whl": {"sha256": "a"}, "q-1.whl": {"md5": "b"}}
    assert find_matching_hash(Path("dir/P-1.whl"), hashes) == "a"
    assert find_matching_hash(Path("p-1.whl"), hashes) == "a"
    assert find_matching_hash(Path("q-1.whl"), hashes) is None
    assert find_matching_hash(Path("r-1.whl"), hashes) is None


@pytest.mark.parametrize(
    ("listed", "urls"),
    [
        ("", (PYPI,)),
        ("global.index-url='https://a/simple'\n", ("https://a/simple",)),
        (":env:.index-url='https://e/simple'\nglobal.index-url='https://a/simple'\n", ("https://e/simple",)),
        ("download.index-url='https://d/'\nglobal.index-url='https://a/'\n", ("https://d/",)),
        ("global.extra-index-url='\\nhttps://b/\\nhttps://c/'\n", (PYPI, "https://b/", "https://c/")),
        (":env:.no-index='1'\n", ()),
    ],
)
def test_the_indexes_of_pip(listed: str, urls: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """Private indexes: what pip is configured with, files and variables, is what is asked."""
    done = subprocess.CompletedProcess([], 0, stdout=listed)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: done)
    assert PackageIndexes.configured().urls == urls
    assert PackageIndexes.configured(use_test=True).pip_options == ("--index-url", TEST_PYPI)


class Web:
    """Answers in place of the network."""

    def __init__(self, answers: dict[str, httpx.Response]) -> None:
        self.answers = answers
        self.requests: list[httpx.Request] = []

    @property
    def asked(self) -> list[str]:
        return [str(request.url) for request in self.requests]

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return self.answers.get(str(request.url), httpx.Response(404))


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Web:
    answering = Web({})
    client = httpx.Client
    monkeypatch.setattr(
        httpx, "Client", lambda **options: client(**{**options, "transport": httpx.MockTransport(answering)})
    )
    return answering


def simple_json(*files: tuple[str, str]) -> httpx.Response:
    body: dict[str, Any] = {"files": [{"filename": name, "hashes": {"sha256": digest}} for name, digest in files]}
    return httpx.Response(200, json=body, headers={"Content-Type": "application/vnd.pypi.simple.v1+json"})


def configured(monkeypatch: pytest.MonkeyPatch, *urls: str) -> None:
    monkeypatch.setattr(PackageIndexes, "configured", classmethod(lambda cls, use_test=False: cls(urls)))


def test_the_json_form_of_the_simple_api_is_preferred(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    configured(monkeypatch, "https://a/simple")
    web.answers["https://a/simple/my-json/"] = simple_json(("my_json-1.0.tar.gz", "a"), ("my_json-2.0.tar.gz", "b"))
    assert fetch_pypi_package_hashes("My.json") == {
        "my_json-1.0.tar.gz": {"sha256": "a"},
        "my_json-2.0.tar.gz": {"sha256": "b"},
    }
    assert fetch_pypi_package_hashes("My.json", "2.0") == {"my_json-2.0.tar.gz": {"sha256": "b"}}
    assert web.asked == ["https://a/simple/my-json/"] * 2


def test_links_and_the_other_api_are_fallbacks(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    configured(monkeypatch, "https://a/simple/")
    page = '<a href="../../x/p-1.0-py3-none-any.whl#sha256=a">p</a><a href="q">q</a>'
    web.answers["https://a/simple/p/"] = httpx.Response(200, html=page)
    assert fetch_pypi_package_hashes("p")["p-1.0-py3-none-any.whl"] == {"sha256": "a"}
    web.answers["https://a/simple/p/"] = httpx.Response(200, html=page.replace("#sha256=a", ""))
    releases = {"1.0": [{"filename": "p-1.0.tar.gz", "digests": {"sha256": "c"}}]}
    web.answers["https://a/pypi/p/json"] = httpx.Response(200, json={"releases": releases})
    assert fetch_pypi_package_hashes("p") == {"p-1.0.tar.gz": {"sha256": "c"}}


def test_pypi_has_its_own_address(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """B26: the name of a package that ends in n is not mangled."""
    configured(monkeypatch, PYPI)
    with pytest.raises(RuntimeError, match="^Package 'cpex-exfil-detection' not found on PyPI$"):
        fetch_pypi_package_hashes("cpex-exfil-detection")
    assert web.asked[1] == integrity.PYPI_JSON_API_URL.format(package="cpex-exfil-detection")


def test_the_first_index_counts(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second index cannot vouch for another file of the same name."""
    configured(monkeypatch, "https://a/simple", "https://b/simple")
    web.answers["https://a/simple/p/"] = simple_json(("p-1.0.tar.gz", "a"))
    web.answers["https://b/simple/p/"] = simple_json(("p-1.0.tar.gz", "evil"), ("p-2.0.tar.gz", "b"))
    assert fetch_pypi_package_hashes("p") == {"p-1.0.tar.gz": {"sha256": "a"}, "p-2.0.tar.gz": {"sha256": "b"}}


def test_failures_name_no_credentials(
    web: Web, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    configured(monkeypatch, "https://user:s3cret@a/simple")
    web.answers["https://a/pypi/p/json"] = httpx.Response(500)
    with caplog.at_level(logging.DEBUG), pytest.raises(RuntimeError) as caught:
        fetch_pypi_package_hashes("p")
    assert str(caught.value) == "Failed to fetch the hashes of 'p' (a: HTTP 500)"
    assert caught.value.__cause__ is None
    assert "HTTP Request: GET https://a/simple/p/" in caplog.text
    assert "s3cret" not in caplog.text
    assert {request.headers["authorization"] for request in web.requests} == {"Basic dXNlcjpzM2NyZXQ="}
