"""Who is asking, and the state plugins share during a request."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field, field_validator

_MAX_CONTENT_TYPE_LENGTH = 200


class UserContext(BaseModel, defer_build=True):
    """The authenticated user of a request."""

    user_id: str
    email: str | None = None
    full_name: str | None = None
    is_admin: bool = False
    groups: list[str] = Field(default_factory=list)
    roles: list[str] = Field(default_factory=list)
    team_id: str | None = None
    teams: list[str] | None = None
    department: str | None = None
    attributes: dict[str, Any] = Field(default_factory=dict)
    auth_method: str | None = None
    authenticated_at: datetime | None = None
    service_account: str | None = None
    delegation_chain: list[str] = Field(default_factory=list)


class GlobalContext(BaseModel, defer_build=True):
    """What is known of a request, shared by every plugin of a hook chain.

    ``state`` and ``metadata`` are merged back after each plugin whose mode allows it.
    """

    request_id: str
    user: str | dict[str, Any] | None = None
    user_context: UserContext | None = None
    tenant_id: str | None = None
    server_id: str | None = None
    content_type: str | None = None
    state: dict[str, Any] = Field(default_factory=dict)
    metadata: dict[str, Any] = Field(default_factory=dict)

    @field_validator("content_type")
    @classmethod
    def validate_content_type(cls, value: str | None) -> str | None:
        """Refuses header values that cannot be a content type.

        Args:
            value: The ``Content-Type`` header, parameters included.

        Returns:
            The value, unchanged.

        Raises:
            ValueError: If it is longer than 200 characters or not printable.
        """
        if value is None:
            return None
        if len(value) > _MAX_CONTENT_TYPE_LENGTH:
            raise ValueError("Content-Type header too long")
        if not value.isprintable():
            raise ValueError("Content-Type contains invalid characters")
        return value


class PluginContext(BaseModel, defer_build=True):
    """One plugin's own state across the hooks of a request, and the request's global context."""

    state: dict[str, Any] = Field(default_factory=dict)
    global_context: GlobalContext
    metadata: dict[str, Any] = Field(default_factory=dict)

    @property
    def user_context(self) -> UserContext | None:
        """The authenticated user, if there is one."""
        return self.global_context.user_context

    @property
    def user_email(self) -> str | None:
        """The user's e-mail: of the user context if there is one, else taken from ``user``."""
        if self.global_context.user_context is not None:
            return self.global_context.user_context.email
        user = self.global_context.user
        return user.get("email") if isinstance(user, dict) else user

    @property
    def user_groups(self) -> list[str]:
        """The groups of the authenticated user; empty without a user context."""
        user_context = self.global_context.user_context
        return user_context.groups if user_context is not None else []

    def get_state(self, key: str, default: Any = None) -> Any:
        """Reads the plugin's own state.

        Args:
            key: The key.
            default: What to return if there is no such key.

        Returns:
            The value, or the default.
        """
        return self.state.get(key, default)

    def set_state(self, key: str, value: Any) -> None:
        """Writes the plugin's own state.

        Args:
            key: The key.
            value: The value.
        """
        self.state[key] = value

    async def cleanup(self) -> None:
        """Empties the plugin's own state and metadata, in place."""
        self.state.clear()
        self.metadata.clear()

    def is_empty(self) -> bool:
        """Says whether there is anything worth sending back to a host.

        Returns:
            True if state, metadata and the global state are all empty.
        """
        return not (self.state or self.metadata or self.global_context.state)


PluginContextTable = dict[str, PluginContext]
"""Contexts by request id and plugin uuid, concatenated."""
