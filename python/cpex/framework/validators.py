"""Checks of URLs that come from configuration."""

import ipaddress
import re
import unicodedata
from urllib.parse import urlparse

from cpex.framework.settings import get_ssrf_settings

_MAX_URL_LENGTH = 2048
_ALLOWED_URL_SCHEMES = ("http://", "https://", "ws://", "wss://")
_DANGEROUS_URL_PATTERNS = re.compile(r"javascript:|data:|vbscript:|about:|chrome:|file:|ftp:|mailto:", re.IGNORECASE)
_DANGEROUS_HTML_PATTERN = re.compile(
    r"</?(?:script|iframe|object|embed|link|meta|base|form|img|svg|video|audio|source|track|area|map|canvas|applet"
    r"|frame|frameset|html|head|body|style)\b",
    re.IGNORECASE,
)
_DANGEROUS_JS_PATTERN = re.compile(r"(?:^|[\s\"'<>=])(?:on[a-z]+\s*=|(?:javascript|vbscript):|<script)", re.IGNORECASE)
_BLOCKED_NETWORKS = tuple(
    ipaddress.IPv4Network(network)
    for network in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "169.254.0.0/16")
)
_UNSPECIFIED = "0.0.0.0"
_NUMBER = re.compile(r"0[xX][0-9a-fA-F]*|0[0-7]*|[1-9][0-9]*")


def _parse_number(text: str) -> int | None:
    if not _NUMBER.fullmatch(text):
        return None
    if text[:2].lower() == "0x":
        return int(text[2:] or "0", 16)
    return int(text, 8 if text.startswith("0") else 10)


def _ipv4_of(host: str) -> ipaddress.IPv4Address | None:
    """Reads a host as the address a resolver would take it for.

    Args:
        host: E.g. ``10.0.0.1``, ``127.1``, ``2130706433``, ``0x7f000001``, ``0177.0.0.1``.

    Returns:
        The address, or None if the host is a name.
    """
    parts = unicodedata.normalize("NFKC", host).removesuffix(".").split(".")
    numbers = [number for part in parts if (number := _parse_number(part)) is not None]
    if len(numbers) != len(parts) or len(parts) > 4:
        return None
    *leading, last = numbers
    if any(number > 255 for number in leading) or last >= 256 ** (4 - len(leading)):
        return None
    return ipaddress.IPv4Address(sum(number << 8 * (3 - at) for at, number in enumerate(leading)) + last)


class SecurityValidator:
    """Refuses what a plugin URL must not be."""

    @staticmethod
    def validate_url(value: str, field_name: str = "URL") -> str:
        """Checks a URL.

        Args:
            value: The URL.
            field_name: What to call it in messages.

        Returns:
            The URL, unchanged.

        Raises:
            ValueError: If it is malformed, dangerous, or points into a private network.
        """
        if not value:
            raise ValueError(f"{field_name} cannot be empty")
        if len(value) > _MAX_URL_LENGTH:
            raise ValueError(f"{field_name} exceeds maximum length of {_MAX_URL_LENGTH}")
        if not value.lower().startswith(_ALLOWED_URL_SCHEMES):
            raise ValueError(f"{field_name} must start with one of: {', '.join(_ALLOWED_URL_SCHEMES)}")
        if _DANGEROUS_URL_PATTERNS.search(value):
            raise ValueError(f"{field_name} contains unsupported or potentially dangerous protocol")
        if "[" in value or "]" in value:
            raise ValueError(f"{field_name} contains IPv6 address which is not supported")
        if "\r" in value or "\n" in value:
            raise ValueError(f"{field_name} contains line breaks which are not allowed")
        if " " in value.split("?", 1)[0]:
            raise ValueError(f"{field_name} contains spaces which are not allowed in URLs")
        _check_authority(value, field_name)
        if _DANGEROUS_HTML_PATTERN.search(value):
            raise ValueError(f"{field_name} contains HTML tags that may cause security issues")
        if _DANGEROUS_JS_PATTERN.search(value):
            raise ValueError(f"{field_name} contains script patterns that may cause security issues")
        return value


def _check_authority(value: str, field_name: str) -> None:
    """Checks user info, host and port of a URL.

    Args:
        value: The URL.
        field_name: What to call it in messages.

    Raises:
        ValueError: If one of them is not acceptable.
    """
    url = urlparse(value)
    if not url.netloc:
        raise ValueError(f"{field_name} is not a valid URL")
    if url.username or url.password:
        raise ValueError(f"{field_name} contains credentials which are not allowed")
    if url.port == 0:
        raise ValueError(f"{field_name} contains invalid port number")
    host = url.hostname
    if not host:
        return
    if host == _UNSPECIFIED:
        raise ValueError(f"{field_name} contains invalid IP address ({_UNSPECIFIED})")
    if not get_ssrf_settings().ssrf_protection_enabled:
        return
    address = _ipv4_of(host)
    if address is None:
        return
    if str(address) == _UNSPECIFIED or any(address in network for network in _BLOCKED_NETWORKS):
        raise ValueError(f"{field_name} contains IP address blocked by SSRF protection ({address})")


def validate_plugin_url(value: str, field_name: str = "URL") -> str:
    """Checks the URL of a plugin.

    Args:
        value: The URL.
        field_name: What to call it in messages.

    Returns:
        The URL, unchanged.

    Raises:
        ValueError: If it is not acceptable.
    """
    return SecurityValidator.validate_url(value, field_name)
