"""Hooks around an HTTP request and its authentication."""

from collections.abc import Iterator
from enum import Enum
from typing import Any

from pydantic import RootModel, field_validator

from cpex.framework.hooks._deprecation import warn_headers_deprecated
from cpex.framework.hooks.registry import get_hook_registry
from cpex.framework.models import PluginPayload, PluginResult


class HttpHookType(str, Enum):
    """Names of the HTTP hooks."""

    HTTP_PRE_REQUEST = "http_pre_request"
    HTTP_POST_REQUEST = "http_post_request"
    HTTP_AUTH_RESOLVE_USER = "http_auth_resolve_user"
    HTTP_AUTH_CHECK_PERMISSION = "http_auth_check_permission"


class HttpHeaderPayload(RootModel, PluginPayload, defer_build=True):  # type: ignore[type-arg]
    """HTTP headers; behaves like a dict to which keys can be added."""

    # Not `RootModel[dict[str, str]]`: parametrised, it could not be deferred.
    root: dict[str, str]

    def __iter__(self) -> Iterator[str]:  # type: ignore[override]
        return iter(self.root)

    def __getitem__(self, item: str) -> str:
        return self.root[item]

    def __setitem__(self, key: str, value: str) -> None:
        self.root[key] = value

    def __len__(self) -> int:
        return len(self.root)


class HttpPreRequestPayload(PluginPayload, defer_build=True):
    """An HTTP request about to be handled."""

    path: str
    method: str
    client_host: str | None = None
    client_port: int | None = None
    headers: HttpHeaderPayload

    @field_validator("headers")
    @classmethod
    def _warn_headers(cls, value: HttpHeaderPayload) -> HttpHeaderPayload:
        return warn_headers_deprecated("HttpPreRequestPayload", value)


class HttpPostRequestPayload(HttpPreRequestPayload):
    """An HTTP request that was handled, and its response."""

    response_headers: HttpHeaderPayload | None = None
    status_code: int | None = None


class HttpAuthResolveUserPayload(PluginPayload, defer_build=True):
    """Credentials whose user is to be found."""

    credentials: dict[Any, Any] | None = None
    headers: HttpHeaderPayload
    client_host: str | None = None
    client_port: int | None = None

    @field_validator("headers")
    @classmethod
    def _warn_headers(cls, value: HttpHeaderPayload) -> HttpHeaderPayload:
        return warn_headers_deprecated("HttpAuthResolveUserPayload", value)


class HttpAuthCheckPermissionPayload(PluginPayload, defer_build=True):
    """A permission to be checked."""

    user_email: str
    permission: str
    resource_type: str | None = None
    team_id: str | None = None
    is_admin: bool = False
    auth_method: str | None = None
    client_host: str | None = None
    user_agent: str | None = None


class HttpAuthCheckPermissionResultPayload(PluginPayload, defer_build=True):
    """Whether a permission is granted, and why."""

    granted: bool
    reason: str | None = None


HttpHeaderPayloadResult = PluginResult[HttpHeaderPayload]
HttpPreRequestResult = PluginResult[HttpHeaderPayload]
HttpPostRequestResult = PluginResult[HttpHeaderPayload]
HttpAuthResolveUserResult = PluginResult[dict]  # type: ignore[type-arg]
HttpAuthCheckPermissionResult = PluginResult[HttpAuthCheckPermissionResultPayload]


def _register_http_auth_hooks() -> None:
    registry = get_hook_registry()
    registry._register_builtin(HttpHookType.HTTP_PRE_REQUEST, HttpPreRequestPayload, HttpPreRequestResult)
    registry._register_builtin(HttpHookType.HTTP_POST_REQUEST, HttpPostRequestPayload, HttpPostRequestResult)
    registry._register_builtin(
        HttpHookType.HTTP_AUTH_RESOLVE_USER, HttpAuthResolveUserPayload, HttpAuthResolveUserResult
    )
    registry._register_builtin(
        HttpHookType.HTTP_AUTH_CHECK_PERMISSION, HttpAuthCheckPermissionPayload, HttpAuthCheckPermissionResult
    )


_register_http_auth_hooks()
