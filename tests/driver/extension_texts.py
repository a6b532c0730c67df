"""Extensions as the table of scenarios writes them: the members of each slot."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeAlias

from cpex.framework.extensions import (
    AgentExtension,
    DelegationExtension,
    DelegationHop,
    Extensions,
    HttpExtension,
    RequestExtension,
    SecurityExtension,
    SubjectExtension,
    SubjectType,
)

Members: TypeAlias = dict[str, list[str]]

_SINCE = datetime(2020, 1, 1, tzinfo=UTC)
_SUBJECT = "security.subject"


def build(members: Members) -> Extensions:
    """Makes extensions with these members. A slot without members is set to nothing; others are not mentioned."""
    slots: dict[str, Any] = {
        name: make(members[name]) if members[name] else None for name, make in _SLOTS.items() if name in members
    }
    if any(path.startswith("security.") for path in members):
        slots["security"] = _security(members)
    return Extensions(**slots)


def _security(members: Members) -> SecurityExtension:
    (classification,) = members.get("security.classification", (None,))
    return SecurityExtension(
        labels=frozenset(members.get("security.labels", ())),
        classification=classification,
        subject=_subject(members) if _SUBJECT in members else None,
    )


def _subject(members: Members) -> SubjectExtension:
    def part(name: str) -> frozenset[str]:
        return frozenset(members.get(f"{_SUBJECT}.{name}", ()))

    return SubjectExtension(
        id=members[_SUBJECT][0],
        type=SubjectType.USER,
        roles=part("roles"),
        teams=part("teams"),
        claims=dict.fromkeys(part("claims"), ""),
        permissions=part("permissions"),
    )


def _delegation(subjects: list[str]) -> DelegationExtension:
    hops = [DelegationHop(subject_id=subject, subject_type="user", timestamp=_SINCE) for subject in subjects]
    return DelegationExtension(chain=tuple(hops), depth=len(hops))


_SLOTS: dict[str, Callable[[list[str]], Any]] = {
    "request": lambda members: RequestExtension(request_id=members[0]),
    "agent": lambda members: AgentExtension(agent_id=members[0]),
    "http": lambda members: HttpExtension(headers=dict.fromkeys(members, "")),
    "delegation": _delegation,
    "custom": lambda members: dict.fromkeys(members, True),
}


def members_of(extensions: Extensions | None) -> Members:
    """Reads extensions, in the order of the slots; what is empty is not mentioned."""
    if extensions is None:
        return {}
    security = extensions.security or SecurityExtension()
    subject = security.subject
    found: dict[str, Any] = {
        "request": [extensions.request.request_id] if extensions.request else [],
        "agent": [extensions.agent.agent_id] if extensions.agent else [],
        _SUBJECT: [subject.id] if subject else [],
        f"{_SUBJECT}.roles": subject.roles if subject else [],
        f"{_SUBJECT}.teams": subject.teams if subject else [],
        f"{_SUBJECT}.claims": subject.claims if subject else [],
        f"{_SUBJECT}.permissions": subject.permissions if subject else [],
        "security.classification": [security.classification] if security.classification else [],
        "security.labels": sorted(security.labels),
        "http": extensions.http.headers if extensions.http else [],
        "delegation": [hop.subject_id for hop in extensions.delegation.chain] if extensions.delegation else [],
        "custom": extensions.custom or [],
    }
    return {path: list(members) for path, members in found.items() if members}


def text(extensions: Extensions | None) -> str:
    """`request: r; security.labels: A B`"""
    return "; ".join(f"{path}: {' '.join(members)}" for path, members in members_of(extensions).items())


def edit(extensions: Extensions | None, edits: list[tuple[str, str, str | None]]) -> Extensions:
    """What a plugin makes of what it was shown."""
    members = members_of(extensions)
    for how, path, member in edits:
        if how == "omit":
            members.pop(path, None)
        elif how == "shorten":
            members[path] = members.get(path, [])[1:]
        elif how == "empty":
            members[path] = []
        else:
            assert member is not None
            members[path] = [*(members.get(path, []) if how == "add" else []), member]
    return build(members)
