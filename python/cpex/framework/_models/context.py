"""Who is asking, and the state plugins share during a request."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field, field_validator

_MAX_CONTENT_TYPE_LENGTH = 200


class UserContext(BaseModel, defer_build=True):
    """The authenticated user of a request."""

    user_id: str
    """Stable identifier of the user."""
    email: str | None = None
    """Address of the user."""
    full_name: str | None = None
    """Name to show."""
    is_admin: bool = False
    """Whether the user administers the application."""
    groups: list[str] = Field(default_factory=list)
    """Groups the user belongs to."""
    roles: list[str] = Field(default_factory=list)
    """Roles the user has."""
    team_id: str | None = None
    """The team the request is made for."""
    teams: list[str] | None = None
    """Teams the user belongs to."""
    department: str | None = None
    """Department of the user."""
    attributes: dict[str, Any] = Field(default_factory=dict)
    """Anything else an identity provider says."""
    auth_method: str | None = None
    """How the user proved who they are."""
    authenticated_at: datetime | None = None
    """When that was."""
    service_account: str | None = None
    """The account a machine acts as."""
    delegation_chain: list[str] = Field(default_factory=list)
    """On whose behalf the user acts, the first principal first."""


class GlobalContext(BaseModel, defer_build=True):
    """What is known of a request, shared by every plugin of a hook chain.

    ``state`` and ``metadata`` are merged back after each plugin whose mode allows it.
    """

    request_id: str
    """Identifier of the request; contexts of the same request are found by it."""
    user: str | dict[str, Any] | None = None
    """Who asks: a name, or what the application knows about them."""
    user_context: UserContext | None = None
    """Who asks, in full."""
    tenant_id: str | None = None
    """Tenant of the request; conditions look at it."""
    server_id: str | None = None
    """Server the request is for; conditions look at it."""
    content_type: str | None = None
    """Media type of the request; conditions look at it."""
    state: dict[str, Any] = Field(default_factory=dict)
    """What plugins of this request share."""
    metadata: dict[str, Any] = Field(default_factory=dict)
    """What the application tells the plugins."""

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
    """What this plugin keeps between the hooks of one request."""
    global_context: GlobalContext
    """What is known about the request."""
    metadata: dict[str, Any] = Field(default_factory=dict)
    """What this plugin tells the application."""

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
