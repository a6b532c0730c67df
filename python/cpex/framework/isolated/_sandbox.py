"""What contains a plugin, as its entry says it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic_core import to_json

from cpex import _core

from ._faults import MissingError, SettingError

SECTION = "config.sandbox"


@dataclass(frozen=True, slots=True)
class Sandbox:
    """What a plugin may do.

    Attributes:
        profile: What it starts from: `none`, `default` or `strict`.
        allows: What that means, in words.
        env: Names of variables that are handed on.
    """

    profile: str
    allows: str
    env: tuple[str, ...]

    @classmethod
    def of(cls, policy: str | dict[str, Any]) -> Sandbox:
        """Read a policy.

        Args:
            policy: As the entry says it.

        Returns:
            What it means.

        Raises:
            SettingError: If it means nothing.
        """
        try:
            profile, allows, env = _core.read_sandbox(to_json(policy))
        except ValueError as error:
            raise SettingError.of(_faults(policy, str(error))) from None
        return cls(profile, allows, tuple(env))

    @property
    def contains(self) -> bool:
        """Whether there is one."""
        return self.profile != "none"

    def __str__(self) -> str:
        """Say it in a line."""
        return f"sandbox {self.profile}: {self.allows}"


def missing_paths(policy: str | dict[str, Any], project: Path) -> Iterator[SettingError]:
    """Find the paths of a policy that are not there.

    Args:
        policy: A policy that can be read.
        project: The folder that relative ones are relative to.

    Yields:
        What is wrong with each.
    """
    if isinstance(policy, str):
        return
    for key in "read", "write":
        for index, path in enumerate(policy.get(key) or ()):
            if not (project / path).exists():
                yield MissingError(f"{SECTION}.{key}[{index}]", f"there is no {project / path}")


def _faults(policy: str | dict[str, Any], whole: str) -> list[SettingError]:
    """The keys that cannot be read even alone; the policy itself if all of them can."""
    if isinstance(policy, str):
        return [SettingError(SECTION, whole)]
    alone = ((key, _fault({"profile": "default", key: value})) for key, value in policy.items())
    return [SettingError(f"{SECTION}.{key}", fault) for key, fault in alone if fault] or [SettingError(SECTION, whole)]


def _fault(policy: dict[str, Any]) -> str:
    try:
        _core.read_sandbox(to_json(policy))
    except ValueError as error:
        return str(error)
    return ""
