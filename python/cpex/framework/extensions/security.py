"""Who acts, on what, and what the data may be used for."""

from enum import Enum

from pydantic import BaseModel, ConfigDict, Field


class SubjectType(str, Enum):
    """What kind of subject acts."""

    USER = "user"
    AGENT = "agent"
    SERVICE = "service"
    SYSTEM = "system"


class SubjectExtension(BaseModel):
    """The subject that acts."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    id: str
    type: SubjectType
    roles: frozenset[str] = Field(default_factory=frozenset)
    permissions: frozenset[str] = Field(default_factory=frozenset)
    teams: frozenset[str] = Field(default_factory=frozenset)
    claims: dict[str, str] = Field(default_factory=dict)


class ObjectSecurityProfile(BaseModel):
    """Who manages an object and what is needed to use it."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    managed_by: str = "host"
    permissions: list[str] = Field(default_factory=list)
    trust_domain: str | None = None
    data_scope: list[str] = Field(default_factory=list)


class RetentionPolicy(BaseModel):
    """How long data may be kept."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    max_age_seconds: int | None = None
    policy: str = "persistent"
    delete_after: str | None = None


class DataPolicy(BaseModel):
    """What data may be used for."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    apply_labels: list[str] = Field(default_factory=list)
    allowed_actions: list[str] | None = None
    denied_actions: list[str] = Field(default_factory=list)
    retention: RetentionPolicy | None = None


class SecurityExtension(BaseModel):
    """Labels, classification, subject, and the profiles of objects and data by name."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    labels: frozenset[str] = Field(default_factory=frozenset)
    classification: str | None = None
    subject: SubjectExtension | None = None
    objects: dict[str, ObjectSecurityProfile] = Field(default_factory=dict)
    data: dict[str, DataPolicy] = Field(default_factory=dict)
