"""Runs the rules over a config."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from cpex.framework import HookPayloadPolicy
from cpex.framework.hooks.registry import register_all_hooks

from ._codes import UNUSABLE, Code
from ._conditions import dead_conditions, empty_conditions, ignored_conditions, moot_conditions
from ._environment import invalid_variables, unknown_variables, unset_variables
from ._finding import Finding, Source
from ._keys import suspicious_keys
from ._order import guards_before_rewrites, priority_ties
from ._plugins import (
    disabled_required,
    duplicate_names,
    hook_lists,
    is_part_of_cpex,
    isolated_plugins,
    load_failures,
    misspelt_kinds,
    not_checked,
    unavailable_kinds,
    unknown_hooks,
    unused_capabilities,
)
from ._policies import misspelt_policies
from ._reading import Reading, UnusableConfigError, read
from ._secrets import secrets_in_clear
from ._servers import unreachable_servers, unusable_ports
from ._survey import dismiss, import_path, survey
from ._values import capabilities_form, invalid_settings, invalid_values, legacy_modes, plugin_dirs

Rule = Callable[[Reading], Iterator[Finding]]

RULES: tuple[Rule, ...] = (
    suspicious_keys,
    invalid_values,
    capabilities_form,
    legacy_modes,
    invalid_settings,
    invalid_variables,
    unknown_variables,
    unset_variables,
    misspelt_policies,
    plugin_dirs,
    duplicate_names,
    hook_lists,
    unknown_hooks,
    unavailable_kinds,
    misspelt_kinds,
    isolated_plugins,
    unreachable_servers,
    unusable_ports,
    not_checked,
    load_failures,
    unused_capabilities,
    disabled_required,
    empty_conditions,
    ignored_conditions,
    moot_conditions,
    dead_conditions,
    guards_before_rewrites,
    priority_ties,
    secrets_in_clear,
)

_NO_POLICIES: Mapping[str, HookPayloadPolicy] = MappingProxyType({})


class Loading(StrEnum):
    """How far plugins are loaded."""

    NOTHING = "nothing"
    BUILTIN = "builtin"
    CLASSES = "classes"
    EVERYTHING = "everything"


@dataclass(frozen=True, slots=True)
class Checked:
    """A config and what was found in it.

    Attributes:
        source: The config.
        findings: What was found, in the order of the file.
    """

    source: Source
    findings: list[Finding]

    @property
    def is_usable(self) -> bool:
        """Whether the file could be read as a config at all."""
        return not any(finding.code in UNUSABLE for finding in self.findings)


@contextmanager
def opened(path: str, loading: Loading, policies: Mapping[str, HookPayloadPolicy] = _NO_POLICIES) -> Iterator[Reading]:
    """Reads a config and loads its plugins, for as long as the context is open.

    Args:
        path: The file; `-` is standard input.
        loading: How far plugins are loaded: not at all; imported and constructed, so that nothing is started or
            contacted, and of these either all or only those that are part of CPEX; or everything, `initialize()`
            included, as in an application.
        policies: The host's hook policies.

    Yields:
        The config.

    Raises:
        UnusableConfigError: If the file cannot be read as a config.
    """
    reading = read(path, policies)
    register_all_hooks()
    with import_path(reading.folder), asyncio.Runner() as loop:
        if loading is not Loading.NOTHING:
            reading.imports = loading is not Loading.BUILTIN
            loadable = [plugin for plugin in reading.plugins if reading.imports or is_part_of_cpex(plugin.config.kind)]
            entries = [(plugin.entry.index, plugin.config) for plugin in loadable]
            start = loading is Loading.EVERYTHING
            with suppress(ValueError):  # a misspelt switch; its rule names it
                reading.survey = loop.run(survey(reading.config, entries, dict(policies), start))
        try:
            yield reading
        finally:
            if reading.survey is not None:
                loop.run(dismiss(reading.survey))


def check(
    path: str,
    loading: Loading = Loading.CLASSES,
    policies: Mapping[str, HookPayloadPolicy] = _NO_POLICIES,
    ignored: Iterable[Code] = (),
) -> Checked:
    """Finds everything that is wrong with a config.

    Args:
        path: The file; `-` is standard input.
        loading: How far plugins are loaded.
        policies: The host's hook policies.
        ignored: Codes not to look for. A comment `# cpex: ignore[code]` in the file has the same effect on its line
            and the one below it.

    Returns:
        What was found; a file that is no config at all has one finding.
    """
    try:
        with opened(path, loading, policies) as reading:
            findings = {finding for rule in RULES for finding in rule(reading)}
    except UnusableConfigError as error:
        return Checked(error.source, [error.finding])
    skipped = frozenset(ignored)
    kept = [finding for finding in findings if finding.code not in skipped and not reading.source.ignores(finding)]
    return Checked(
        reading.source, sorted(kept, key=lambda found: (found.line, found.column, found.code, found.message))
    )
