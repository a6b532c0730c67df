"""What a plugin URL may not be, in the order in which it is found out (F11, B29)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cpex.framework.settings import settings
from cpex.framework.validators import SecurityValidator, validate_plugin_url

PROTOCOL = "F contains unsupported or potentially dangerous protocol"
SPACES = "F contains spaces which are not allowed in URLs"
CREDENTIALS = "F contains credentials which are not allowed"
HTML = "F contains HTML tags that may cause security issues"
SCRIPT = "F contains script patterns that may cause security issues"


@pytest.fixture(autouse=True)
def fresh_settings() -> Iterator[None]:
    settings.cache_clear()
    yield
    settings.cache_clear()


@pytest.mark.parametrize(
    "url",
    [
        "http://a",
        "HTTPS://a.com/x",
        "wss://a/x",
        "ws://localhost:80/",
        "http://a/?q=a b",
        "http://8.8.8.8/",
        "http://172.32.0.1/",
        "http://134744072/",
        "http://256.1.1.1/",
        "http://09.1.1.1/",
        "http://1.2.3.4.5/",
        "http://4294967296/",
        "http://10.0.0.1.example.com/",
        "http://a/<header>",
        "http://a/?onload=x",
        "http://a/?option=2",
    ],
)
def test_accepted_unchanged(url: str) -> None:
    assert validate_plugin_url(url) == url


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("", "F cannot be empty"),
        ("x" * 2049, "F exceeds maximum length of 2048"),
        ("ftp://a", "F must start with one of: http://, https://, ws://, wss://"),
        (" http://a", "F must start with one of: http://, https://, ws://, wss://"),
        ("http://a/JavaScript:x", PROTOCOL),
        ("http://user_profile:8", PROTOCOL),
        ("http://a/?data:[x", PROTOCOL),
        ("http://[::1]/", "F contains IPv6 address which is not supported"),
        ("http://a/\n", "F contains line breaks which are not allowed"),
        ("http://a/ b", SPACES),
        ("http://", "F is not a valid URL"),
        ("http:///x", "F is not a valid URL"),
        ("http://u@a/", CREDENTIALS),
        ("http://:p@a/", CREDENTIALS),
        ("http://a:0/", "F contains invalid port number"),
        ("http://a:99999/", "Port out of range 0-65535"),
        ("http://a/<script>", HTML),
        ("http://a/</body>", HTML),
        ("http://a/<form\taction>", HTML),
        ("http://a/?x=onload=1", SCRIPT),
        ('http://a/?x="onerror=1', SCRIPT),
    ],
)
def test_refused(url: str, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        SecurityValidator.validate_url(url, "F")
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("10.1.2.3", "10.1.2.3"),
        ("172.16.0.1", "172.16.0.1"),
        ("192.168.1.1:80", "192.168.1.1"),
        ("127.255.255.255", "127.255.255.255"),
        ("169.254.169.254", "169.254.169.254"),
        ("127.1", "127.0.0.1"),
        ("127.0.1", "127.0.0.1"),
        ("2130706433", "127.0.0.1"),
        ("0x7f000001", "127.0.0.1"),
        ("0x7f.1", "127.0.0.1"),
        ("0177.0.0.1", "127.0.0.1"),
        ("017700000001", "127.0.0.1"),
        ("127.0.0.1.", "127.0.0.1"),
        ("１２７.0.0.1", "127.0.0.1"),
        ("3232235777", "192.168.1.1"),
        ("0", "0.0.0.0"),
    ],
)
def test_private_addresses_in_any_notation(host: str, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError) as caught:
        validate_plugin_url(f"http://{host}/")
    assert str(caught.value) == f"URL contains IP address blocked by SSRF protection ({address})"
    monkeypatch.setenv("PLUGINS_SSRF_PROTECTION_ENABLED", "false")
    settings.cache_clear()
    assert validate_plugin_url(f"http://{host}/") == f"http://{host}/"


def test_the_unspecified_address_is_never_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLUGINS_SSRF_PROTECTION_ENABLED", "false")
    with pytest.raises(ValueError, match=r"URL contains invalid IP address \(0\.0\.0\.0\)"):
        validate_plugin_url("http://0.0.0.0/")
