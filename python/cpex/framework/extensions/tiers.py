"""Who may read and who may write each slot of ``Extensions``.

The rules are in the engine, which applies them to every plugin of a pipeline. Here they can be read and applied by
hand: ``filter_extensions`` makes what a plugin sees, ``merge_extensions`` takes over what it may write,
``validate_tier_constraints`` says whether a change as a whole is allowed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from cpex import _core
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
    from cpex.framework.extensions.extensions import Extensions

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


def _policies() -> dict[SlotName, SlotPolicy]:
    names = {slot.value: slot for slot in SlotName}
    policies = {}
    for path, tier, read, write in _core.extension_slots():
        if path in names:  # The engine has a rule for what has no name here, too.
            access = AccessPolicy.CAPABILITY_GATED if read else AccessPolicy.UNRESTRICTED
            caps = [Capability(cap) if cap else None for cap in (read, write)]
            policies[names[path]] = SlotPolicy(MutabilityTier(tier), access, *caps)
    return policies


_slot_registry: Mapping[SlotName, SlotPolicy] = MappingProxyType(_policies())


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
    visible: Extensions | None = _core.filter_extensions(extensions, capabilities)
    return visible


def _violation(plugin_name: str, slot: SlotName, detail: str) -> TierViolationError:
    return TierViolationError(plugin_name, slot.value, _slot_registry[slot].tier, detail)


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
    merged: Extensions | None = _core.merge_extensions(original, plugin_output, capabilities, plugin_name)
    return merged


def _resolve(extensions: "Extensions | None", slot: SlotName) -> Any:
    value: Any = extensions
    for name in slot.value.split("."):
        value = getattr(value, name, None)
    return value


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
        may_differ = old is None or policy.tier is not MutabilityTier.MONOTONIC
        if not may_differ and (new is None or not _core.only_grew(before, after, slot.value)):
            raise _violation(plugin_name, slot, "monotonic slot had elements removed")
