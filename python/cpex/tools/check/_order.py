"""Who judges and who rewrites, and in which order.

Only the sequential and the transform phase hand a changed payload on. Concurrent plugins run after both, so they judge
what is final. Which fields a plugin may write follows from its mode, the host's hook policies and, where its method
shows it, its source.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import islice

from cpex.framework import PluginMode

from ._behaviour import UNKNOWN, Behaviour, Fields, behaviour, overlap
from ._codes import Code
from ._conditions import may_meet
from ._finding import Finding
from ._reading import Location, Plugin, Reading

_WRITING = (PluginMode.SEQUENTIAL, PluginMode.TRANSFORM)
_SHOWN = 12


def guards_before_rewrites(reading: Reading) -> Iterator[Finding]:
    """Finds plugins that may block, and behind them plugins that may rewrite what they judged."""
    plugins = _running(reading)
    rewriting = _rewriting(reading, plugins)
    for guard in plugins:
        if guard.config.mode is not PluginMode.SEQUENTIAL:
            continue
        behind = ((writer, hook) for hook in dict.fromkeys(guard.config.hooks) for writer in rewriting[hook])
        undoing = (pair for pair in behind if _runs_later(guard, *pair) and _undoes(reading, guard, *pair))
        found = list(islice(undoing, _SHOWN))
        if not found:
            continue
        later = list({writer.name: writer for writer, _ in found}.values())
        hooks = list(dict.fromkeys(hook for _, hook in found))
        who = _listed([f"{each.name!r} ({each.config.mode}, priority {each.config.priority})" for each in later])
        message = f"{guard.name!r} judges the payload of {_listed(hooks)} before {who}, which may rewrite "
        message += f"{_what(reading, hooks)}: what is used need not be what was judged"
        hint = f"make {guard.name!r} concurrent: that phase runs after all rewriting; or {_earlier(guard, later)}"
        yield reading.finding(Code.GUARD_BEFORE_REWRITE, _priority(guard), message, hint, guard.name)


def priority_ties(reading: Reading) -> Iterator[Finding]:
    """Finds plugins of one phase and priority of which one may rewrite what the other judges or rewrites."""
    tied: dict[tuple[PluginMode, int], list[Plugin]] = defaultdict(list)
    for plugin in _running(reading):
        if plugin.config.mode in _WRITING:
            tied[plugin.config.mode, plugin.config.priority].append(plugin)
    for (mode, priority), plugins in tied.items():
        rewriting = _rewriting(reading, plugins)
        pairs = (
            (writer, other, hook)
            for hook, there in rewriting.items()
            for writer in there
            for other in plugins
            if _order_matters(reading, writer, other, hook)
        )
        found = list(islice(pairs, _SHOWN))
        if not found:
            continue
        hooks = dict.fromkeys(hook for *_, hook in found)
        involved = {plugin.entry.index: plugin for *pair, _ in found for plugin in pair}
        first, *others = (involved[index] for index in sorted(involved))
        names = _listed([repr(plugin.name) for plugin in (first, *others)])
        message = f"{names} have the same priority, {priority}, in the {mode} phase of {_listed(list(hooks))} "
        message += f"and may rewrite {_what(reading, list(hooks))}: only their order in this file decides who is first"
        hint = "give each a priority of its own; the lower number runs first"
        yield reading.finding(Code.PRIORITY_TIE, _priority(others[0]), message, hint, others[0].name)


def may_rewrite(reading: Reading, plugin: Plugin, hook: str) -> bool:
    """Tells whether a plugin may change the payload of a hook, as far as its mode, policies and its source say."""
    if plugin.config.mode not in _WRITING or _of(reading, plugin, hook).rewrites is False:
        return False
    return _writes(reading, plugin, hook) != frozenset()


def _runs_later(guard: Plugin, writer: Plugin, hook: str) -> bool:
    """Tells whether a plugin of another phase, or of a higher priority number, follows on the same request."""
    if writer is guard:
        return False
    if writer.config.mode is PluginMode.SEQUENTIAL and writer.config.priority <= guard.config.priority:
        return False
    return may_meet(guard, writer, hook)


def _undoes(reading: Reading, guard: Plugin, writer: Plugin, hook: str) -> bool:
    """Tells whether a later plugin may change what a guard judged.

    A transform plugin is there to rewrite, so only its source can clear it. In the sequential phase every plugin may
    do both, so there the source must show that the one blocks and the other rewrites.
    """
    judged, rewriting = _of(reading, guard, hook), _of(reading, writer, hook)
    if writer.config.mode is PluginMode.SEQUENTIAL and not (judged.blocks and rewriting.rewrites):
        return False
    return judged.blocks is not False and overlap(judged.reads, _writes(reading, writer, hook))


def _order_matters(reading: Reading, writer: Plugin, other: Plugin, hook: str) -> bool:
    """Tells whether what a plugin may write is something that another, for the same request, looks at or writes."""
    if hook not in other.config.hooks or writer is other or not may_meet(writer, other, hook):
        return False
    written = _writes(reading, writer, hook)
    return overlap(written, _of(reading, other, hook).reads) or overlap(written, _writes(reading, other, hook))


def _rewriting(reading: Reading, plugins: Iterable[Plugin]) -> dict[str, list[Plugin]]:
    """The plugins that may rewrite, by hook."""
    found: dict[str, list[Plugin]] = defaultdict(list)
    for plugin in plugins:
        for hook in dict.fromkeys(plugin.config.hooks):
            if may_rewrite(reading, plugin, hook):
                found[hook].append(plugin)
    return found


def _writes(reading: Reading, plugin: Plugin, hook: str) -> Fields:
    written, allowed = _of(reading, plugin, hook).writes, reading.writable(hook)
    if written is None or allowed is None:
        return allowed if written is None else written
    return written & allowed


def _of(reading: Reading, plugin: Plugin, hook: str) -> Behaviour:
    known = reading.behaviours.get((plugin.name, hook))
    if known is None:
        refs = reading.survey.hook_refs(plugin.name) if reading.survey else {}
        known = behaviour(refs[hook].hook) if hook in refs else UNKNOWN
        reading.behaviours[plugin.name, hook] = known
    return known


def _running(reading: Reading) -> list[Plugin]:
    """The plugins without those that could not be loaded: what is said of these comes first."""
    failed = reading.survey.failures if reading.survey else {}
    return [plugin for plugin in reading.plugins if plugin.entry.index not in failed]


def _what(reading: Reading, hooks: list[str]) -> str:
    """The fields that a host's policies leave open; "it" where any may be written."""
    allowed = [reading.writable(hook) for hook in hooks]
    fields = sorted(set[str]().union(*(names for names in allowed if names is not None)))
    return "it" if None in allowed or not fields else _listed(fields)


def _listed(names: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def _earlier(guard: Plugin, rewriting: list[Plugin]) -> str:
    names, below = _listed([repr(writer.name) for writer in rewriting]), f"priority below {guard.config.priority}"
    is_sequential = all(writer.config.mode is PluginMode.SEQUENTIAL for writer in rewriting)
    return f"give {names} a {below}" if is_sequential else f"make {names} sequential with a {below}"


def _priority(plugin: Plugin) -> Location:
    return plugin.entry.at("name" if plugin.entry.written("priority") is None else "priority")
