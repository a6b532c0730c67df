"""Conditions that do not say what they seem to say."""

from collections.abc import Iterator

from cpex.framework.models import PluginCondition

from ._codes import Code
from ._finding import Finding
from ._reading import Plugin, Reading

SUBJECTS = {
    "tools": ("tool_pre_invoke", "tool_post_invoke", "token_delegate", "identity_resolve"),
    "prompts": ("prompt_pre_fetch", "prompt_post_fetch"),
    "resources": ("resource_pre_fetch", "resource_post_fetch"),
    "agents": ("agent_pre_invoke", "agent_post_invoke"),
}
"""The hooks on which each set of names is looked at."""

_NEVER_NAMED = "identity_resolve"


def tested(condition: PluginCondition, hook: str) -> dict[str, frozenset[str]]:
    """Returns the parts of a condition that are tested on a hook, by key."""
    given = {key: frozenset(value) for key, value in condition if value}
    return {key: names for key, names in given.items() if key not in SUBJECTS or hook in SUBJECTS[key]}


def empty_conditions(reading: Reading) -> Iterator[Finding]:
    """Finds conditions, and keys of conditions, without anything in them: they are not tested."""
    for plugin, index, condition in _conditions(reading):
        given = {key: value for key, value in condition if value is not None}
        at = plugin.entry.at("conditions", index)
        if not any(given.values()):
            message = "this condition tests nothing: it always matches" + _others(plugin)
            hint = "name what it is about, such as tenant_ids, or leave it out"
            yield reading.finding(Code.EMPTY_CONDITION, at, message, hint, plugin.name)
            continue
        for key, value in given.items():
            if not value:
                message = f"{key} is empty: it is not tested, so everything matches it"
                hint = "name what should match, or leave the key out"
                yield reading.finding(Code.EMPTY_CONDITION, (*at, key), message, hint, plugin.name)


def ignored_conditions(reading: Reading) -> Iterator[Finding]:
    """Finds sets of names that are not looked at, where that leaves a hook without a restriction."""
    for plugin, index, condition in _conditions(reading):
        sets = [key for key, value in condition if value and key in SUBJECTS]
        hooks = dict.fromkeys(plugin.config.hooks)
        for key in sets:
            if hooks and not any(hook in SUBJECTS[key] for hook in hooks):
                message = f"{key} is not looked at on any hook of {plugin.name!r}"
                if not any(tested(condition, hook) for hook in hooks):
                    message += ": this condition always matches" + _others(plugin)
                hint = f"it counts on {', '.join(SUBJECTS[key])}"
                at = plugin.entry.at("conditions", index, key)
                yield reading.finding(Code.IGNORED_CONDITION, at, message, hint, plugin.name)
        applied = [key for key in sets if any(hook in SUBJECTS[key] for hook in hooks)]
        open_hooks = [hook for hook in hooks if sets and not tested(condition, hook)]
        if applied and open_hooks:
            keys = " and ".join(sets)
            message = f"{keys} {'is' if len(sets) == 1 else 'are'} not looked at on {', '.join(open_hooks)}: "
            message += f"there {plugin.name!r} runs for every request"
            if len(plugin.config.conditions) > 1:
                message += ", whatever the other conditions say"
            hint = "put the sets of all its hooks into one condition, or make an entry of its own for those hooks"
            at = plugin.entry.at("conditions", index, applied[0])
            yield reading.finding(Code.IGNORED_CONDITION, at, message, hint, plugin.name)


def moot_conditions(reading: Reading) -> Iterator[Finding]:
    """Finds conditions that repeat another one of the same plugin, or are narrower than it."""
    for plugin in reading.plugins:
        parts = [{key: frozenset(value) for key, value in condition if value} for condition in plugin.config.conditions]
        for index, narrow in enumerate(parts):
            for other, wide in enumerate(parts):
                is_repetition = narrow == wide and other < index
                if wide and narrow and other != index and (is_repetition or narrow != wide and _implies(narrow, wide)):
                    message = f"this condition adds nothing: whatever matches it matches number {other + 1} of the list"
                    hint = "one match is enough; leave one out"
                    at = plugin.entry.at("conditions", index)
                    yield reading.finding(Code.MOOT_CONDITION, at, message, hint, plugin.name)
                    break


def dead_conditions(reading: Reading) -> Iterator[Finding]:
    """Finds conditions that nothing matches."""
    for plugin, index, condition in _conditions(reading):
        at = plugin.entry.at("conditions", index)
        if condition.content_types and not any(condition.content_types):
            message, hint = (
                "content_types holds only blanks: no request matches",
                "name a type such as application/json",
            )
            yield reading.finding(Code.DEAD_CONDITION, (*at, "content_types"), message, hint, plugin.name)
        if condition.tools and _NEVER_NAMED in plugin.config.hooks:
            message = f"{_NEVER_NAMED} names no tool: with tools in the condition it never matches there"
            hint = f"make an entry of its own for {_NEVER_NAMED}, without tools"
            yield reading.finding(Code.DEAD_CONDITION, (*at, "tools"), message, hint, plugin.name)


def may_meet(one: Plugin, other: Plugin, hook: str) -> bool:
    """Tells whether two plugins may run for the same request: False if their conditions exclude each other."""
    ours, theirs = one.config.conditions, other.config.conditions
    if not ours or not theirs:
        return True
    return any(_compatible(tested(mine, hook), tested(yours, hook)) for mine in ours for yours in theirs)


def _compatible(one: dict[str, frozenset[str]], other: dict[str, frozenset[str]]) -> bool:
    exact = (one.keys() & other.keys()) - {"user_patterns"}
    return all(one[key] & other[key] for key in exact)


def _implies(narrow: dict[str, frozenset[str]], wide: dict[str, frozenset[str]]) -> bool:
    return all(key in narrow and narrow[key] <= names for key, names in wide.items())


def _conditions(reading: Reading) -> Iterator[tuple[Plugin, int, PluginCondition]]:
    for plugin in reading.plugins:
        for index, condition in enumerate(plugin.config.conditions):
            yield plugin, index, condition


def _others(plugin: Plugin) -> str:
    return ", and the others of the list never count" if len(plugin.config.conditions) > 1 else ""
