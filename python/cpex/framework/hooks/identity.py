"""Hooks that find out who asks, and obtain a token to act for them."""

from enum import Enum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from cpex.framework.extensions.delegation import DelegationExtension
from cpex.framework.extensions.security import SubjectExtension
from cpex.framework.hooks.registry import get_hook_registry
from cpex.framework.models import PluginPayload, PluginResult


class IdentityHookType(str, Enum):
    """Names of the identity hooks."""

    IDENTITY_RESOLVE = "identity_resolve"
    TOKEN_DELEGATE = "token_delegate"


class IdentityPayload(PluginPayload, defer_build=True):
    """A token whose subject is to be found."""

    raw_token: SecretStr
    source: str = "bearer"
    headers: dict[str, str] = Field(default_factory=dict)
    client_host: str | None = None
    client_port: int | None = None


class IdentityResult(PluginPayload, defer_build=True):
    """The subject of a token, or why it was rejected."""

    subject: SubjectExtension | None = None
    delegation: DelegationExtension | None = None
    rejected: bool = False
    reject_status: int = 401
    reject_reason: str = ""
    raw_claims: dict[str, Any] = Field(default_factory=dict)


class AttenuationConfig(BaseModel):
    """How a delegated token is to be narrowed."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    capabilities: list[str] = Field(default_factory=list)
    resource_template: str | None = None
    actions: list[str] = Field(default_factory=list)
    ttl_seconds: int | None = None


class DelegationPayload(PluginPayload, defer_build=True):
    """A target a token is needed for."""

    target_name: str
    target_type: str = "tool"
    target_audience: str | None = None
    required_permissions: list[str] = Field(default_factory=list)
    trust_domain: str | None = None
    auth_enforced_by: str = "caller"
    route_attenuation: AttenuationConfig | None = None
    bearer_token: SecretStr | None = None


class DelegationResult(PluginPayload, defer_build=True):
    """The token for a target, and the delegation it stands for."""

    delegated_token: str | None = None
    delegation_update: DelegationExtension = Field(default_factory=DelegationExtension)
    forwarded_headers: dict[str, str] = Field(default_factory=dict)
    cache_key: str | None = None
    cache_ttl: int | None = None


IdentityResolveResult = PluginResult[IdentityResult]
TokenDelegateResult = PluginResult[DelegationResult]


def _register_identity_hooks() -> None:
    registry = get_hook_registry()
    registry.register_hook(IdentityHookType.IDENTITY_RESOLVE, IdentityPayload, IdentityResolveResult)
    registry.register_hook(IdentityHookType.TOKEN_DELEGATE, DelegationPayload, TokenDelegateResult)


_register_identity_hooks()
