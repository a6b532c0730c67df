"""A credential that a host hands to a worker beside the payload, whose dump hides it (W46)."""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import Any, Final

from pydantic import SecretStr

from cpex.framework.errors import PluginError
from cpex.framework.hooks.identity import DelegationPayload, IdentityHookType, IdentityPayload
from cpex.framework.models import PluginErrorModel, PluginPayload

_MASK: Final = "**********"
_SHORTEST: Final = 12
"""A shorter token is not looked for: it would be found in much that is none."""
_BEARERS: Final = frozenset({"jwt", "opaque", "spiffe_jwt", "ucan"})
_FIELDS: Final = {
    IdentityHookType.IDENTITY_RESOLVE.value: ("inbound", IdentityPayload),
    IdentityHookType.TOKEN_DELEGATE.value: ("delegated", DelegationPayload),
}


class CredentialError(Exception):
    """A credential that is of no use, or that came out where it must not. Says its shape, never its value."""


def with_credential(hook: str, payload: PluginPayload, credential: Any) -> tuple[PluginPayload, str | None]:
    """Put a credential into a payload.

    Args:
        hook: Name of the hook.
        payload: What the hook is about.
        credential: What the host sent beside it.

    Returns:
        The payload with it, and the token if it is long enough to be looked for.

    Raises:
        CredentialError: If it is not as the hook takes it.
    """
    if credential is None or hook not in _FIELDS:
        return payload, None
    field, payload_type = _FIELDS[hook]
    if not isinstance(credential, dict):
        raise _error(f"credential is no object but a {type(credential).__name__}")
    part = credential.get(field)
    if part is None:
        return payload, None
    if not isinstance(part, dict):
        raise _error(f"credential.{field} is no object but a {type(part).__name__}")
    token = part.get("token")
    if not isinstance(token, str) or not token.strip():
        raise _error(f"credential.{field}.token is no text that says something")
    if not isinstance(payload, payload_type):
        raise _error(f"the payload is a {type(payload).__name__}, not a {payload_type.__name__}")
    if isinstance(payload, IdentityPayload):
        changes = _identity(payload, part, token)
    else:
        changes = {"bearer_token": SecretStr(token)}
    return payload.model_copy(update=changes), token if len(token) >= _SHORTEST else None


def _identity(payload: IdentityPayload, part: dict[str, Any], token: str) -> dict[str, Any]:
    changes: dict[str, Any] = {"raw_token": SecretStr(token)}
    if payload.source == type(payload).model_fields["source"].default and part.get("kind") is not None:
        changes["source"] = "bearer" if part["kind"] in _BEARERS else "custom"
    headers, source_header = part.get("headers"), part.get("source_header")
    if isinstance(headers, dict) and headers:
        changes["headers"] = {
            _scrubbed(str(name), token): _scrubbed(str(value), token) for name, value in headers.items()
        }
    elif source_header and not payload.headers:
        changes["headers"] = {str(source_header): _MASK}
    return changes


def _error(shape: str) -> CredentialError:
    return CredentialError(f"Credential reconstruction failed: {shape}")


def _scrubbed(text: str, token: str) -> str:
    return text.replace(token, _MASK) if len(token) >= _SHORTEST else text


@contextmanager
def redacted(token: str) -> Iterator[None]:
    """Hide a token in what is logged, printed and raised while the context is open.

    Args:
        token: The token.

    Raises:
        PluginError: In place of an exception whose text has the token in it.
    """
    printed = io.StringIO()
    make = logging.getLogRecordFactory()

    def make_scrubbed(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = make(*args, **kwargs)
        text = record.getMessage()
        if record.exc_info:
            text = f"{text}\n{logging.Formatter().formatException(record.exc_info)}"
        if token in text:
            record.msg, record.args, record.exc_info, record.exc_text = _scrubbed(text, token), (), None, None
        return record

    logging.setLogRecordFactory(make_scrubbed)
    try:
        with redirect_stdout(printed), redirect_stderr(printed):
            yield
    except Exception as error:
        raise _scrubbed_error(error, token) from None
    finally:
        logging.setLogRecordFactory(make)
        sys.stderr.write(_scrubbed(printed.getvalue(), token))


def _scrubbed_error(error: Exception, token: str) -> Exception:
    if isinstance(error, PluginError):
        model = PluginErrorModel.model_validate_json(_scrubbed(error.error.model_dump_json(), token))
        return PluginError(model)
    text = repr(error)
    return RuntimeError(_scrubbed(text, token)) if token in text else error
