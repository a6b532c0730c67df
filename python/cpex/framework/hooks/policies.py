"""Which payload fields plugins may change, hook by hook."""

import logging
from dataclasses import dataclass
from enum import Enum

from pydantic import BaseModel

from cpex import _core

logger = logging.getLogger(__name__)


class DefaultHookPolicy(str, Enum):
    """What happens to payload changes on a hook without a policy."""

    ALLOW = "allow"
    DENY = "deny"


@dataclass(frozen=True)
class HookPayloadPolicy:
    """The policy of one hook.

    Attributes:
        writable_fields: The payload fields that plugins may change.
    """

    writable_fields: frozenset[str]


def apply_policy(
    original: BaseModel,
    modified: BaseModel,
    policy: HookPayloadPolicy,
    *,
    apply_to: BaseModel | None = None,
) -> BaseModel | None:
    """Takes over the changes a policy allows; the others are dropped with one warning that names them.

    Args:
        original: The payload the plugin saw.
        modified: The payload it returned.
        policy: The hook's policy.
        apply_to: The payload to change; ``original`` if not given.

    Returns:
        A changed copy, or None if nothing was taken over.
    """
    accepted, dropped = _core.apply_policy(original, modified, frozenset(policy.writable_fields), apply_to)
    if dropped:
        logger.warning("Policy rejected modifications to non-writable fields: %s", dropped)
    return accepted
