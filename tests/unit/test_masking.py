"""Secrets do not get into logs, errors and terminals."""

from __future__ import annotations

import pytest

from cpex.framework._loading import failure_text
from cpex.framework._masking import SECRET_KEY, without_secrets, without_url_credentials
from cpex.framework.models import PluginConfig


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("git clone https://ann:pass@word@host/x failed", "git clone https://***@host/x failed"),
        ("https://token@host and http://a:b@c:1?d=e@f", "https://***@host and http://***@c:1?d=e@f"),
        ("https://host/a@b, git@host:a/b, a://b c@d", "https://host/a@b, git@host:a/b, a://b c@d"),
    ],
)
def test_credentials_of_urls(text: str, shown: str) -> None:
    assert without_url_credentials(text) == shown


def test_what_stands_under_a_secret_key_is_masked_wherever_it_is_repeated() -> None:
    settings = {"db": [{"Password": "hunter22", "host": "db1.example"}], "api_keys": {"a": ["k-1234", "k-12345"]}}
    text = "cannot log in to db1.example with hunter22 or k-12345, k-1234"
    assert without_secrets(text, settings) == "cannot log in to db1.example with *** or ***, ***"


@pytest.mark.parametrize("key", ["Authorization", "auth", "x-api-key", "author_token", "client_secret", "DSN"])
def test_secret_keys(key: str) -> None:
    assert SECRET_KEY.search(key)


@pytest.mark.parametrize("key", ["author", "authors", "name", "terms"])
def test_other_keys(key: str) -> None:
    assert not SECRET_KEY.search(key)


def test_an_error_without_a_text_has_a_name() -> None:
    assert failure_text(ValueError(), PluginConfig(name="a", kind="b.C")) == "ValueError"
