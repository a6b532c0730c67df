"""What a message view tells of the request around the message."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cpex.framework.extensions.security import DataPolicy, ObjectSecurityProfile, SubjectExtension

_SENSITIVE_HEADERS = frozenset({"authorization", "cookie", "x-api-key"})
_NO_NAMES: frozenset[str] = frozenset()
_NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class RequestContext:
    """Reads extensions. What is absent, or hidden from the reader, is None or empty."""

    __slots__ = ("_extensions",)

    def __init__(self, extensions: Any) -> None:
        """Read from a request's extensions.

        Args:
            extensions: The extensions as their reader may see them, or None.
        """
        self._extensions = extensions

    @property
    def name(self) -> str | None:
        """Name under which profiles of the object in question are kept."""
        return None

    def _of(self, slot: str, field: str) -> Any:
        extension = None if self._extensions is None else getattr(self._extensions, slot)
        return None if extension is None else getattr(extension, field)

    @property
    def environment(self) -> str | None:
        """Where the request runs, e.g. `production`."""
        value: str | None = self._of("request", "environment")
        return value

    @property
    def request_id(self) -> str | None:
        """Id of the request."""
        value: str | None = self._of("request", "request_id")
        return value

    @property
    def subject(self) -> "SubjectExtension | None":
        """Who acts."""
        value: SubjectExtension | None = self._of("security", "subject")
        return value

    @property
    def roles(self) -> frozenset[str]:
        """Roles of the subject."""
        return _NO_NAMES if (subject := self.subject) is None else subject.roles

    @property
    def permissions(self) -> frozenset[str]:
        """Permissions of the subject."""
        return _NO_NAMES if (subject := self.subject) is None else subject.permissions

    @property
    def teams(self) -> frozenset[str]:
        """Teams of the subject."""
        return _NO_NAMES if (subject := self.subject) is None else subject.teams

    @property
    def labels(self) -> frozenset[str]:
        """Security labels of the request."""
        labels: frozenset[str] | None = self._of("security", "labels")
        return _NO_NAMES if labels is None else labels

    @property
    def object(self) -> "ObjectSecurityProfile | None":
        """Security profile of the object that is acted on."""
        profiles: Mapping[str, ObjectSecurityProfile] | None = self._of("security", "objects")
        return profiles.get(name) if profiles and (name := self.name) else None

    @property
    def data_policy(self) -> "DataPolicy | None":
        """What the data of the object may be used for."""
        policies: Mapping[str, DataPolicy] | None = self._of("security", "data")
        return policies.get(name) if policies and (name := self.name) else None

    @property
    def headers(self) -> Mapping[str, str]:
        """HTTP headers, all of them; `to_dict` leaves credentials out."""
        headers: dict[str, str] | None = self._of("http", "headers")
        return _NO_HEADERS if headers is None else MappingProxyType(headers)

    @property
    def agent_input(self) -> str | None:
        """What the agent was asked."""
        value: str | None = self._of("agent", "input")
        return value

    @property
    def session_id(self) -> str | None:
        """Id of the agent's session."""
        value: str | None = self._of("agent", "session_id")
        return value

    @property
    def conversation_id(self) -> str | None:
        """Id of the conversation."""
        value: str | None = self._of("agent", "conversation_id")
        return value

    @property
    def turn(self) -> int | None:
        """Number of the turn in the conversation."""
        value: int | None = self._of("agent", "turn")
        return value

    @property
    def agent_id(self) -> str | None:
        """Id of the agent."""
        value: str | None = self._of("agent", "agent_id")
        return value

    @property
    def parent_agent_id(self) -> str | None:
        """Id of the agent that called this one."""
        value: str | None = self._of("agent", "parent_agent_id")
        return value

    def has_role(self, role: str) -> bool:
        """Tell whether the subject has a role.

        Args:
            role: The role.

        Returns:
            True if it does.
        """
        return role in self.roles

    def has_permission(self, perm: str) -> bool:
        """Tell whether the subject has a permission.

        Args:
            perm: The permission.

        Returns:
            True if it does.
        """
        return perm in self.permissions

    def has_label(self, label: str) -> bool:
        """Tell whether the request carries a security label.

        Args:
            label: The label.

        Returns:
            True if it does.
        """
        return label in self.labels

    def get_header(self, name: str, default: str | None = None) -> str | None:
        """Read an HTTP header.

        Args:
            name: Its name, in upper or lower case.
            default: What to return if there is none.

        Returns:
            Its value or the default.
        """
        wanted = name.lower()
        return next((value for key, value in self.headers.items() if key.lower() == wanted), default)

    def has_header(self, name: str) -> bool:
        """Tell whether there is an HTTP header.

        Args:
            name: Its name, in upper or lower case.

        Returns:
            True if there is.
        """
        wanted = name.lower()
        return any(key.lower() == wanted for key in self.headers)

    def _context_to_dict(self) -> dict[str, Any]:
        """Write down the request for a policy engine: what is there, no claims and no credentials."""
        agent = {
            "input": self.agent_input,
            "session_id": self.session_id,
            "conversation_id": self.conversation_id,
            "turn": self.turn,
            "agent_id": self.agent_id,
            "parent_agent_id": self.parent_agent_id,
        }
        context = {
            "subject": _subject_to_dict(self.subject),
            "environment": self.environment,
            "labels": sorted(self.labels),
            "headers": {name: value for name, value in self.headers.items() if name.lower() not in _SENSITIVE_HEADERS},
            "object": profile.model_dump() if (profile := self.object) is not None else None,
            "data": _policy_to_dict(self.data_policy),
            "agent": {key: value for key, value in agent.items() if value or (key == "turn" and value is not None)},
        }
        return {key: value for key, value in context.items() if value}


def _subject_to_dict(subject: "SubjectExtension | None") -> dict[str, Any] | None:
    if subject is None:
        return None
    return {
        "id": subject.id,
        "type": subject.type.value,
        "roles": sorted(subject.roles),
        "permissions": sorted(subject.permissions),
        "teams": sorted(subject.teams),
    }


def _policy_to_dict(policy: "DataPolicy | None") -> dict[str, Any] | None:
    if policy is None:
        return None
    written = policy.model_dump(include={"apply_labels", "denied_actions"})
    if policy.allowed_actions is not None:
        written["allowed_actions"] = list(policy.allowed_actions)
    if policy.retention is not None:
        written["retention"] = policy.retention.model_dump()
    return written
