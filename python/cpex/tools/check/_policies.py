"""The hook policies of a host: what plugins may write. They are given in Python, not in the config."""

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from cpex.framework import HookPayloadPolicy
from cpex.framework.hooks.policies import policy_problems

from ._codes import Code
from ._finding import Finding
from ._reading import Reading
from ._survey import import_path


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
    """Finds policies for hooks that are nearly one of the known, and fields that the payload does not have."""
    answered = {hook for entry in reading.entries for hook in entry.hooks}
    for problem in policy_problems(reading.policies, answered):
        message, _, hint = problem.partition("; ")
        yield reading.finding(Code.HOOK_POLICY, (), f"the host's hook policies: {message}", hint)
