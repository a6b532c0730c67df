"""The hook policies of a host: what plugins may write. They are given in Python, not in the config."""

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from cpex.framework import HookPayloadPolicy, get_hook_registry
from cpex.framework.hooks.registry import hook_names

from .._problem import nearest
from ._codes import Code
from ._finding import Finding
from ._reading import Reading
from ._survey import import_path

_NEAR = 0.85


def load_policies(reference: str) -> dict[str, HookPayloadPolicy]:
    """Imports the hook policies of a host.

    Args:
        reference: `module:attribute`, a dict of `HookPayloadPolicy` by hook.

    Returns:
        The policies.

    Raises:
        ValueError: If there is no such thing.
    """
    module, _, attribute = reference.partition(":")
    if not module or not attribute:
        raise ValueError(f"{reference!r} is not module:attribute")
    try:
        with import_path(Path.cwd()):
            policies = getattr(import_module(module), attribute)
    except (Exception, SystemExit) as error:
        raise ValueError(f"cannot import {reference!r}: {error}") from error
    if not isinstance(policies, dict) or not all(isinstance(item, HookPayloadPolicy) for item in policies.values()):
        raise ValueError(f"{reference!r} is not a dict of HookPayloadPolicy by hook")
    return {str(getattr(hook, "value", hook)): policy for hook, policy in policies.items()}


def misspelt_policies(reading: Reading) -> Iterator[Finding]:
    """Finds policies for hooks that are nearly one of the registered, and fields that the payload does not have."""
    registry = get_hook_registry()
    own = {hook for entry in reading.entries for hook in entry.hooks}
    for hook, policy in reading.policies.items():
        model = registry.get_payload_type(hook)
        if model is None:
            near = nearest(hook, hook_names(), _NEAR)
            if near and hook not in own:
                message = f"the host has a policy for the unknown hook {hook!r}"
                yield reading.finding(Code.HOOK_POLICY, (), message, near)
            continue
        if model.model_config.get("extra") == "allow":
            continue
        for name in sorted(map(str, policy.writable_fields - model.model_fields.keys())):
            message = f"the host's policy for {hook} names {name!r}, which is no field of {model.__name__}"
            hint = nearest(name, model.model_fields) or f"its fields: {', '.join(model.model_fields)}"
            yield reading.finding(Code.HOOK_POLICY, (), message, hint)
