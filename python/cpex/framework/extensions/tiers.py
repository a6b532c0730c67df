"""Who may read and who may write each slot of ``Extensions``.

The table below is the whole policy. ``filter_extensions`` makes what a plugin sees, ``merge_extensions`` takes
over what it may write, ``validate_tier_constraints`` says whether a change as a whole is allowed.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel

from cpex.framework._lazy import names_from
from cpex.framework.extensions.constants import (
    FIELD_AGENT,
    FIELD_CLAIMS,
    FIELD_CLASSIFICATION,
    FIELD_COMPLETION,
    FIELD_CUSTOM,
    FIELD_DATA,
    FIELD_DELEGATION,
    FIELD_FRAMEWORK,
    FIELD_HTTP,
    FIELD_LABELS,
    FIELD_LLM,
    FIELD_MCP,
    FIELD_META,
    FIELD_OBJECTS,
    FIELD_PERMISSIONS,
    FIELD_PROVENANCE,
    FIELD_REQUEST,
    FIELD_ROLES,
    FIELD_SECURITY,
    FIELD_SUBJECT,
    FIELD_TEAMS,
    SlotName,
)

if TYPE_CHECKING:
    from cpex.framework.extensions.delegation import DelegationExtension
    from cpex.framework.extensions.extensions import Extensions
    from cpex.framework.extensions.security import SecurityExtension, SubjectExtension

__all__ = [
    "FIELD_AGENT",
    "FIELD_CLAIMS",
    "FIELD_CLASSIFICATION",
    "FIELD_COMPLETION",
    "FIELD_CUSTOM",
    "FIELD_DATA",
    "FIELD_DELEGATION",
    "FIELD_FRAMEWORK",
    "FIELD_HTTP",
    "FIELD_LABELS",
    "FIELD_LLM",
    "FIELD_MCP",
    "FIELD_META",
    "FIELD_OBJECTS",
    "FIELD_PERMISSIONS",
    "FIELD_PROVENANCE",
    "FIELD_REQUEST",
    "FIELD_ROLES",
    "FIELD_SECURITY",
    "FIELD_SUBJECT",
    "FIELD_TEAMS",
    "AccessPolicy",
    "Capability",
    "MutabilityTier",
    "SlotName",
    "SlotPolicy",
    "TierViolationError",
    "filter_extensions",
    "merge_extensions",
    "validate_tier_constraints",
]

if not TYPE_CHECKING:
    __getattr__ = names_from(
        __name__,
        {
            "cpex.framework.extensions.extensions": ("Extensions",),
            "cpex.framework.extensions.security": ("SecurityExtension", "SubjectExtension"),
        },
    )

_Model = TypeVar("_Model", bound=BaseModel)


class Capability(str, Enum):
    """What a plugin's configuration may grant it."""

    READ_SUBJECT = "read_subject"
    READ_ROLES = "read_roles"
    READ_TEAMS = "read_teams"
    READ_CLAIMS = "read_claims"
    READ_PERMISSIONS = "read_permissions"
    READ_AGENT = "read_agent"
    READ_HEADERS = "read_headers"
    WRITE_HEADERS = "write_headers"
    READ_LABELS = "read_labels"
    APPEND_LABELS = "append_labels"
    READ_DELEGATION = "read_delegation"
    APPEND_DELEGATION = "append_delegation"


class MutabilityTier(str, Enum):
    """How a slot may change: not at all, by growing, or freely."""

    IMMUTABLE = "immutable"
    MONOTONIC = "monotonic"
    MUTABLE = "mutable"


class AccessPolicy(str, Enum):
    """Whether reading a slot needs a capability."""

    UNRESTRICTED = "unrestricted"
    CAPABILITY_GATED = "capability_gated"


@dataclass(frozen=True)
class SlotPolicy:
    """The policy of one slot.

    Attributes:
        tier: How it may change.
        access: Whether reading needs a capability.
        read_cap: The capability to read it.
        write_cap: The capability to change it; it implies reading.
    """

    tier: MutabilityTier
    access: AccessPolicy = AccessPolicy.UNRESTRICTED
    read_cap: Capability | None = None
    write_cap: Capability | None = None


_OPEN = SlotPolicy(MutabilityTier.IMMUTABLE)


def _gated(tier: MutabilityTier, read: Capability, write: Capability | None = None) -> SlotPolicy:
    return SlotPolicy(tier, AccessPolicy.CAPABILITY_GATED, read, write)


_SLOT_REGISTRY: dict[SlotName, SlotPolicy] = {
    SlotName.REQUEST: _OPEN,
    SlotName.PROVENANCE: _OPEN,
    SlotName.COMPLETION: _OPEN,
    SlotName.LLM: _OPEN,
    SlotName.FRAMEWORK: _OPEN,
    SlotName.MCP: _OPEN,
    SlotName.META: _OPEN,
    SlotName.AGENT: _gated(MutabilityTier.IMMUTABLE, Capability.READ_AGENT),
    SlotName.SECURITY_SUBJECT: _gated(MutabilityTier.IMMUTABLE, Capability.READ_SUBJECT),
    SlotName.SECURITY_SUBJECT_ROLES: _gated(MutabilityTier.IMMUTABLE, Capability.READ_ROLES),
    SlotName.SECURITY_SUBJECT_TEAMS: _gated(MutabilityTier.IMMUTABLE, Capability.READ_TEAMS),
    SlotName.SECURITY_SUBJECT_CLAIMS: _gated(MutabilityTier.IMMUTABLE, Capability.READ_CLAIMS),
    SlotName.SECURITY_SUBJECT_PERMISSIONS: _gated(MutabilityTier.IMMUTABLE, Capability.READ_PERMISSIONS),
    SlotName.SECURITY_OBJECTS: _OPEN,
    SlotName.SECURITY_DATA: _OPEN,
    SlotName.SECURITY_LABELS: _gated(MutabilityTier.MONOTONIC, Capability.READ_LABELS, Capability.APPEND_LABELS),
    SlotName.HTTP: _gated(MutabilityTier.IMMUTABLE, Capability.READ_HEADERS, Capability.WRITE_HEADERS),
    SlotName.DELEGATION: _gated(MutabilityTier.MONOTONIC, Capability.READ_DELEGATION, Capability.APPEND_DELEGATION),
    SlotName.CUSTOM: SlotPolicy(MutabilityTier.MUTABLE),
}
_slot_registry: Mapping[SlotName, SlotPolicy] = MappingProxyType(_SLOT_REGISTRY)

_WHOLE_SLOTS = {slot.value: slot for slot in _slot_registry if "." not in slot.value}
_SUBJECT_PARTS = {
    FIELD_ROLES: SlotName.SECURITY_SUBJECT_ROLES,
    FIELD_PERMISSIONS: SlotName.SECURITY_SUBJECT_PERMISSIONS,
    FIELD_TEAMS: SlotName.SECURITY_SUBJECT_TEAMS,
    FIELD_CLAIMS: SlotName.SECURITY_SUBJECT_CLAIMS,
}


class TierViolationError(Exception):
    """A plugin changed a slot in a way its tier does not allow.

    Attributes:
        plugin_name: The plugin.
        slot: The slot.
        tier: The slot's tier.
        detail: What was wrong.
    """

    def __init__(self, plugin_name: str, slot: str, tier: MutabilityTier, detail: str) -> None:
        """Makes the error.

        Args:
            plugin_name: The plugin.
            slot: The slot.
            tier: The slot's tier.
            detail: What was wrong.
        """
        self.plugin_name = plugin_name
        self.slot = slot
        self.tier = tier
        self.detail = detail
        super().__init__(f"Plugin '{plugin_name}' violated {tier.value} tier on '{slot}': {detail}")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.plugin_name, self.slot, self.tier, self.detail)


def _may_read(slot: SlotName, capabilities: Collection[str]) -> bool:
    policy = _slot_registry[slot]
    if policy.access is AccessPolicy.UNRESTRICTED:
        return True
    return policy.read_cap in capabilities or (policy.write_cap is not None and policy.write_cap in capabilities)


def _may_write(slot: SlotName, capabilities: Collection[str]) -> bool:
    return _slot_registry[slot].write_cap in capabilities


def _whole_copy(model: _Model, update: dict[str, Any]) -> _Model:
    """Copies a model so that all its fields count as set, the hidden ones too."""
    return model.model_copy(update={**dict(model), **update})


def _visible_subject(subject: "SubjectExtension | None", capabilities: Collection[str]) -> "SubjectExtension | None":
    if subject is None:
        return None
    hidden = [part for part, slot in _SUBJECT_PARTS.items() if not _may_read(slot, capabilities)]
    if len(hidden) == len(_SUBJECT_PARTS) and not _may_read(SlotName.SECURITY_SUBJECT, capabilities):
        return None
    return _whole_copy(subject, {part: {} if part == FIELD_CLAIMS else frozenset() for part in hidden})


def _visible_security(security: "SecurityExtension", capabilities: Collection[str]) -> "SecurityExtension":
    labels = security.labels if _may_read(SlotName.SECURITY_LABELS, capabilities) else frozenset()
    return _whole_copy(
        security, {FIELD_LABELS: labels, FIELD_SUBJECT: _visible_subject(security.subject, capabilities)}
    )


def filter_extensions(extensions: "Extensions | None", capabilities: frozenset[str]) -> "Extensions | None":
    """Makes what a plugin sees.

    Args:
        extensions: Everything the host knows.
        capabilities: What the plugin was granted. Being allowed to write a slot implies reading it.

    Returns:
        A new ``Extensions`` with the readable slots that are not empty, and no others set; or None for None. The
        slots' models are shared; ``custom`` is a new dict. ``security`` stays, without the labels and the subject
        that are hidden.
    """
    if extensions is None:
        return None
    from cpex.framework.extensions.extensions import Extensions

    visible: dict[str, Any] = {}
    for name, slot in _WHOLE_SLOTS.items():
        value = getattr(extensions, name)
        if value is not None and _may_read(slot, capabilities):
            visible[name] = value
    if extensions.security is not None:
        visible[FIELD_SECURITY] = _visible_security(extensions.security, capabilities)
    if extensions.custom is not None:
        visible[FIELD_CUSTOM] = dict(extensions.custom)
    return Extensions().model_copy(update=visible)


def _violation(plugin_name: str, slot: SlotName, detail: str) -> TierViolationError:
    return TierViolationError(plugin_name, slot.value, _slot_registry[slot].tier, detail)


def _grown_labels(before: frozenset[str], after: frozenset[str], plugin_name: str) -> frozenset[str]:
    if not after >= before:
        raise _violation(plugin_name, SlotName.SECURITY_LABELS, "monotonic slot had elements removed")
    return after


def _grown_delegation(
    before: "DelegationExtension | None", after: "DelegationExtension", plugin_name: str
) -> "DelegationExtension":
    if before is None:
        return after
    was, now = len(before.chain), len(after.chain)
    if now < was:
        detail = f"shrank delegation chain (was {was} hops, now {now})"
        raise _violation(plugin_name, SlotName.DELEGATION, detail)
    if after.chain[:was] != before.chain:
        raise _violation(plugin_name, SlotName.DELEGATION, "modified existing delegation chain hops")
    if before.origin_subject_id is None or after.origin_subject_id == before.origin_subject_id:
        return after
    # Who started a delegation is not for a plugin to rewrite.
    return after.model_copy(update={"origin_subject_id": before.origin_subject_id})


def merge_extensions(
    original: "Extensions | None",
    plugin_output: "Extensions | None",
    capabilities: frozenset[str],
    plugin_name: str,
) -> "Extensions | None":
    """Takes over what a plugin may write.

    Args:
        original: What there was before the plugin ran.
        plugin_output: What the plugin returned.
        capabilities: What it was granted.
        plugin_name: Its name, for the error.

    Returns:
        A new container, or ``original`` itself if nothing was taken over.

    Raises:
        TierViolationError: If a slot that may only grow lost something.
    """
    if original is None or plugin_output is None:
        return original
    accepted: dict[str, Any] = {}
    if _may_write(SlotName.HTTP, capabilities) and plugin_output.http is not None:
        accepted[FIELD_HTTP] = plugin_output.http
    if _may_write(SlotName.DELEGATION, capabilities) and plugin_output.delegation is not None:
        accepted[FIELD_DELEGATION] = _grown_delegation(original.delegation, plugin_output.delegation, plugin_name)
    security = original.security
    if _may_write(SlotName.SECURITY_LABELS, capabilities) and security and plugin_output.security:
        labels = _grown_labels(security.labels, plugin_output.security.labels, plugin_name)
        accepted[FIELD_SECURITY] = security.model_copy(update={FIELD_LABELS: labels})
    accepted[FIELD_CUSTOM] = plugin_output.custom
    changed = {name: value for name, value in accepted.items() if value != getattr(original, name)}
    return original.model_copy(update=changed) if changed else original


def _resolve(extensions: "Extensions | None", slot: SlotName) -> Any:
    value: Any = extensions
    for name in slot.value.split("."):
        value = getattr(value, name, None)
    return value


def _check_growth(before: Any, after: Any, slot: SlotName, plugin_name: str) -> None:
    if before is None:
        return
    removed = _violation(plugin_name, slot, "monotonic slot had elements removed")
    if after is None:
        raise removed
    if slot is SlotName.SECURITY_LABELS:
        _grown_labels(before, after, plugin_name)
    elif after.chain[: len(before.chain)] != before.chain or after.origin_subject_id != before.origin_subject_id:
        raise removed


def validate_tier_constraints(
    before: "Extensions | None", after: "Extensions | None", capabilities: frozenset[str], plugin_name: str
) -> None:
    """Checks a change slot by slot.

    Args:
        before: What there was.
        after: What there is.
        capabilities: What the plugin that made the change was granted.
        plugin_name: Its name, for the error.

    Raises:
        TierViolationError: For the first slot whose change is not allowed.
    """
    for slot, policy in _slot_registry.items():
        old, new = _resolve(before, slot), _resolve(after, slot)
        if policy.tier is MutabilityTier.MUTABLE or old == new:
            continue
        if policy.write_cap is None:
            raise _violation(plugin_name, slot, "slot has no write capability and cannot be modified")
        if policy.write_cap not in capabilities:
            raise _violation(plugin_name, slot, f"plugin lacks '{policy.write_cap.value}' capability")
        if policy.tier is MutabilityTier.MONOTONIC:
            _check_growth(old, new, slot, plugin_name)
