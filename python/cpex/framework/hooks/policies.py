"""Which payload fields plugins may change, hook by hook."""

import logging
from collections.abc import Collection, Iterator, Mapping
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


def check_policies(policies: object) -> None:
    """Refuses policies that could not be followed, before a plugin changes anything.

    Args:
        policies: What was passed as `hook_policies`.

    Raises:
        TypeError: If it maps no hook names to policies.
    """
    right = "HookPayloadPolicy(writable_fields=frozenset({'args'}))"
    if not isinstance(policies, Mapping):
        raise TypeError(f"hook_policies must map hooks to policies, such as {right}, not be {type(policies).__name__}")
    for hook, policy in policies.items():
        fields = getattr(policy, "writable_fields", None)
        if isinstance(policy, str) or (policy is not None and fields is None):
            raise TypeError(f"hook_policies[{hook!r}] must be a policy such as {right}, not {type(policy).__name__}")
        if isinstance(fields, str):
            raise TypeError(f"hook_policies[{hook!r}].writable_fields must be a set such as {{{fields!r}}}, not text")


def policy_problems(policies: Mapping[str, HookPayloadPolicy], answered: Collection[str] = ()) -> Iterator[str]:
    """Finds what is probably misspelt in policies: it would protect nothing, or let nothing through.

    Args:
        policies: The policies by hook.
        answered: Hooks that plugins answer, besides the registered ones.

    Yields:
        For each hook that nearly is one that is known, and each field that its hook's payload does not have, what is
        wrong and what was probably meant.
    """
    from cpex.framework.hooks.registry import get_hook_registry, known_hooks
    from cpex.framework.loader._suggest import did_you_mean, misspelt_hook

    known = {*known_hooks(), *answered}
    for hook, policy in policies.items():
        name = str.__str__(hook)
        if name not in known:
            probably = misspelt_hook(name, known)
            if probably:
                yield f'unknown hook "{name}"{probably}'
            continue
        payload = get_hook_registry().get_payload_type(name)
        if payload is None or payload.model_config.get("extra") == "allow":
            continue
        for field in sorted(getattr(policy, "writable_fields", None) or ()):
            if field not in payload.model_fields:
                yield f'{name}: {payload.__name__} has no field "{field}"{did_you_mean(field, payload.model_fields)}'


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
