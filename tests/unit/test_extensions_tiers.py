"""Who may read and write which extension slot (X1-X4, X7-X9, B9)."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime
from typing import Any

import pytest

from cpex.framework.extensions import (
    AgentExtension,
    DataPolicy,
    DelegationExtension,
    DelegationHop,
    Extensions,
    HttpExtension,
    ObjectSecurityProfile,
    RequestExtension,
    SecurityExtension,
    SubjectExtension,
    SubjectType,
    TierViolationError,
)
from cpex.framework.extensions.tiers import (
    AccessPolicy,
    Capability,
    MutabilityTier,
    SlotName,
    _slot_registry,
    filter_extensions,
    merge_extensions,
    validate_tier_constraints,
)

FIRST_HOP = DelegationHop(subject_id="s", subject_type="user", timestamp=datetime(2020, 1, 1, tzinfo=UTC))
SECOND_HOP = FIRST_HOP.model_copy(update={"subject_id": "t"})
DELEGATION = DelegationExtension(chain=(FIRST_HOP,), depth=1, origin_subject_id="o")
SUBJECT = SubjectExtension(
    id="i",
    type=SubjectType.USER,
    roles=frozenset({"r"}),
    permissions=frozenset({"p"}),
    teams=frozenset({"t"}),
    claims={"c": "1"},
)
SECURITY = SecurityExtension(
    labels=frozenset({"A"}),
    classification="c",
    subject=SUBJECT,
    objects={"o": ObjectSecurityProfile()},
    data={"d": DataPolicy()},
)
ALL = Extensions(
    request=RequestExtension(request_id="r"),
    http=HttpExtension(headers={"Authorization": "a"}),
    agent=AgentExtension(agent_id="g"),
    security=SECURITY,
    delegation=DELEGATION,
    custom={"k": 1},
)


def seen(*capabilities: str) -> Extensions:
    visible = filter_extensions(ALL, frozenset(capabilities))
    assert visible is not None
    return visible


def changed(**slots: Any) -> Extensions:
    return ALL.model_copy(update=slots)


def labelled(*labels: str) -> Extensions:
    return changed(security=SECURITY.model_copy(update={"labels": frozenset(labels)}))


def delegated(*hops: DelegationHop, **fields: Any) -> Extensions:
    return changed(delegation=DELEGATION.model_copy(update={"chain": hops, "depth": len(hops), **fields}))


def merged(output: Extensions | None, *capabilities: str) -> Extensions:
    result = merge_extensions(ALL, output, frozenset(capabilities), "P")
    assert result is not None
    return result


def validated(output: Extensions | None, *capabilities: str) -> None:
    validate_tier_constraints(ALL, output, frozenset(capabilities), "P")


def test_the_table() -> None:
    gated = {
        slot.value: (policy.tier.value, policy.read_cap, policy.write_cap)
        for slot, policy in _slot_registry.items()
        if policy.access is AccessPolicy.CAPABILITY_GATED
    }
    assert gated == {
        "agent": ("immutable", "read_agent", None),
        "security.subject": ("immutable", "read_subject", None),
        "security.subject.roles": ("immutable", "read_roles", None),
        "security.subject.teams": ("immutable", "read_teams", None),
        "security.subject.claims": ("immutable", "read_claims", None),
        "security.subject.permissions": ("immutable", "read_permissions", None),
        "security.labels": ("monotonic", "read_labels", "append_labels"),
        "http": ("immutable", "read_headers", "write_headers"),
        "delegation": ("monotonic", "read_delegation", "append_delegation"),
    }
    assert set(_slot_registry) == set(SlotName)
    assert _slot_registry[SlotName.CUSTOM].tier is MutabilityTier.MUTABLE


def test_without_capabilities() -> None:
    visible = seen()
    assert visible.request is ALL.request
    assert (visible.http, visible.agent, visible.delegation) == (None, None, None)
    assert visible.security == SecurityExtension(
        labels=frozenset(), classification="c", subject=None, objects=SECURITY.objects, data=SECURITY.data
    )
    assert visible.custom == {"k": 1}
    assert visible.custom is not ALL.custom
    assert filter_extensions(None, frozenset()) is None


def test_only_visible_slots_are_set() -> None:
    assert seen().model_fields_set == {"request", "security", "custom"}
    assert seen("read_agent", "write_headers").model_fields_set == {"request", "security", "custom", "agent", "http"}
    nothing = filter_extensions(Extensions(agent=None), frozenset({"read_agent"}))
    assert nothing is not None
    assert nothing.model_fields_set == set()


def test_security_and_subject_are_set_as_a_whole() -> None:
    few = Extensions(security=SecurityExtension(subject=SubjectExtension(id="i", type=SubjectType.USER)))
    visible = filter_extensions(few, frozenset({"read_roles"}))
    assert visible is not None
    assert visible.security is not None
    assert visible.security.subject is not None
    assert visible.security.model_fields_set == set(SecurityExtension.model_fields)
    assert visible.security.subject.model_fields_set == set(SubjectExtension.model_fields)


def test_unknown_slots_are_hidden() -> None:
    class Wider(Extensions):
        secret: str | None = None

    visible = filter_extensions(Wider(secret="s"), frozenset(Capability))
    assert type(visible) is Extensions
    assert visible == Extensions()


def test_a_part_of_the_subject_reveals_who_it_is() -> None:
    security = seen("read_roles").security
    assert security is not None
    assert security.subject == SubjectExtension(id="i", type=SubjectType.USER, roles=frozenset({"r"}))
    bare = seen("read_subject").security
    assert bare is not None
    assert bare.subject == SubjectExtension(id="i", type=SubjectType.USER)


@pytest.mark.parametrize("capability", ["read_labels", "append_labels"])
def test_writing_implies_reading_labels(capability: str) -> None:
    security = seen(capability).security
    assert security is not None
    assert security.labels == {"A"}


def test_writing_implies_reading_slots() -> None:
    visible = seen("write_headers", "read_agent", "append_delegation")
    assert visible.http is ALL.http
    assert visible.agent is ALL.agent
    assert visible.delegation is ALL.delegation


def test_every_capability_shows_everything() -> None:
    assert seen(*(capability.value for capability in Capability)) == ALL


@pytest.mark.parametrize(
    ("output", "capabilities"),
    [
        (None, ()),
        (ALL, ()),
        (seen(), ()),
        (changed(request=RequestExtension(request_id="q")), ()),
        (changed(http=HttpExtension()), ("read_headers",)),
        (changed(http=None), ("write_headers",)),
        (labelled("A", "B"), ("read_labels",)),
        (labelled("B"), ()),
        (changed(security=None), ("append_labels",)),
        (delegated(FIRST_HOP, SECOND_HOP), ("read_delegation",)),
        (changed(delegation=None), ("append_delegation",)),
        (delegated(FIRST_HOP, origin_subject_id="zz"), ("append_delegation",)),
    ],
)
def test_what_may_not_be_written_is_kept_silently(output: Extensions | None, capabilities: tuple[str, ...]) -> None:
    assert merged(output, *capabilities) is ALL


def test_what_may_be_written_is_taken_over() -> None:
    assert merged(changed(custom={"k": 2})).custom == {"k": 2}
    assert merged(changed(custom=None)).custom is None
    assert merged(changed(http=HttpExtension()), "write_headers").http == HttpExtension()
    security = merged(labelled("A", "B"), "append_labels").security
    assert security is not None
    assert security.labels == {"A", "B"}
    assert security.subject is SUBJECT
    assert merge_extensions(None, ALL, frozenset(), "P") is None


def test_delegation_grows_and_keeps_its_origin() -> None:
    result = merged(delegated(FIRST_HOP, SECOND_HOP, origin_subject_id="zz"), "append_delegation").delegation
    assert result is not None
    assert (result.chain, result.origin_subject_id) == ((FIRST_HOP, SECOND_HOP), "o")
    none_yet = ALL.model_copy(update={"delegation": None})
    first = merge_extensions(none_yet, ALL, frozenset({"append_delegation"}), "P")
    assert first is not None
    assert first.delegation is DELEGATION


@pytest.mark.parametrize(
    ("output", "capability", "slot", "detail"),
    [
        (labelled("B"), "append_labels", "security.labels", "monotonic slot had elements removed"),
        (delegated(), "append_delegation", "delegation", "shrank delegation chain (was 1 hops, now 0)"),
        (delegated(SECOND_HOP), "append_delegation", "delegation", "modified existing delegation chain hops"),
    ],
)
def test_what_may_only_grow_must_not_shrink(output: Extensions, capability: str, slot: str, detail: str) -> None:
    with pytest.raises(TierViolationError) as caught:
        merged(output, capability)
    assert str(caught.value) == f"Plugin 'P' violated monotonic tier on '{slot}': {detail}"
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


@pytest.mark.parametrize(
    ("output", "capabilities"),
    [
        (ALL.model_copy(deep=True), ()),
        (changed(custom=None), ()),
        (changed(http=None), ("write_headers",)),
        (labelled("A", "B"), ("append_labels",)),
        (delegated(FIRST_HOP, SECOND_HOP), ("append_delegation",)),
    ],
)
def test_allowed_changes(output: Extensions, capabilities: tuple[str, ...]) -> None:
    validated(output, *capabilities)


@pytest.mark.parametrize(
    ("output", "capabilities", "tier", "slot", "detail"),
    [
        (changed(request=None), (), "immutable", "request", "slot has no write capability and cannot be modified"),
        (
            changed(agent=None),
            ("read_agent",),
            "immutable",
            "agent",
            "slot has no write capability and cannot be modified",
        ),
        (
            changed(security=None),
            (),
            "immutable",
            "security.subject",
            "slot has no write capability and cannot be modified",
        ),
        (changed(http=None), (), "immutable", "http", "plugin lacks 'write_headers' capability"),
        (labelled("A", "B"), (), "monotonic", "security.labels", "plugin lacks 'append_labels' capability"),
        (labelled("B"), ("append_labels",), "monotonic", "security.labels", "monotonic slot had elements removed"),
        (
            delegated(SECOND_HOP),
            ("append_delegation",),
            "monotonic",
            "delegation",
            "monotonic slot had elements removed",
        ),
        (
            changed(delegation=None),
            ("append_delegation",),
            "monotonic",
            "delegation",
            "monotonic slot had elements removed",
        ),
    ],
)
def test_forbidden_changes(
    output: Extensions, capabilities: tuple[str, ...], tier: str, slot: str, detail: str
) -> None:
    with pytest.raises(TierViolationError) as caught:
        validated(output, *capabilities)
    assert str(caught.value) == f"Plugin 'P' violated {tier} tier on '{slot}': {detail}"


def test_a_new_hop() -> None:
    first = DelegationExtension().with_new_hop(FIRST_HOP)
    assert first == DelegationExtension(
        chain=(FIRST_HOP,), depth=1, origin_subject_id="s", actor_subject_id="s", delegated=True, age_seconds=0.0
    )
    second = first.with_new_hop(SECOND_HOP)
    assert (second.depth, second.origin_subject_id, second.actor_subject_id) == (2, "s", "t")
    assert second.age_seconds > 100_000_000
