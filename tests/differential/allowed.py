"""The differences that are meant: each is a row of `docs/compatibility.md`, narrowed to the cases that can show it.

A difference is stated in one of two ways. `published_case` says which case the published package would have to be told
to behave as ours does: what we do is then compared in full. Where no such case exists, `normalise` and `reconcile`
remove from the observations what the row is about, and nothing else.
"""

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from .case import LEGACY_MODES, Case, Observation, Plugin, Script, Step, Violation

CLOCK_SLACK_SECONDS: Final = 0.1

_MODEL_CHANGES: Final = ("copy", "subclass", "in_place", "same", "equal")


def _same_case(case: Case) -> Case:
    return case


def _unchanged(case: Case, noticed: Observation) -> None:
    pass


def _unreconciled(case: Case, ours: Observation, published: Observation) -> None:
    pass


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One deliberate difference.

    Attributes:
        row: The row of `docs/compatibility.md`.
        applies: Says whether a case can show it.
        published_case: The case that the published package is told in its place.
        normalise: Takes out of an observation, in place, what may differ.
        reconcile: The same, where it takes both observations to tell what may differ.
    """

    row: str
    applies: Callable[[Case], bool]
    published_case: Callable[[Case], Case] = _same_case
    normalise: Callable[[Case, Observation], None] = _unchanged
    reconcile: Callable[[Case, Observation, Observation], None] = _unreconciled


def _mode(plugin: Plugin) -> str:
    return LEGACY_MODES.get(plugin["mode"], plugin["mode"])


def _steps(plugin: Plugin) -> Iterator[Step]:
    for script in plugin["scripts"]:
        yield from script


def _calls(noticed: Observation) -> list[Observation]:
    calls: list[Observation] = noticed.get("calls", [])
    return calls


def _walk(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for item in value.values():
            yield from _walk(item)
    elif isinstance(value, list):
        for item in value:
            yield from _walk(item)


def _models(value: Any, name: str) -> Iterator[dict[str, Any]]:
    return (found for found in _walk(value) if found.get("$") == name and "fields" in found)


# B1


def _violations(case: Case) -> Iterator[Violation]:
    for plugin in case["plugins"]:
        for step in _steps(plugin):
            for holder in (step.get("reply"), step.get("failure")):
                if holder is not None and (found := holder.get("violation")) is not None:
                    yield found


def _lacks_description(case: Case) -> bool:
    return any("description" not in violation for violation in _violations(case))


def _with_descriptions(case: Case) -> Case:
    case = copy.deepcopy(case)
    for violation in _violations(case):
        violation.setdefault("description", "")
    return case


def _forget_description_set(case: Case, noticed: Observation) -> None:
    for violation in _models(noticed, "PluginViolation"):
        violation["set"] = [name for name in violation["set"] if name != "description"]


# B8


def _repeats_hook(case: Case) -> bool:
    return any(len(hooks) != len(set(hooks)) for hooks in (plugin.get("hooks", []) for plugin in case["plugins"]))


def _with_hooks_once(case: Case) -> Case:
    case = copy.deepcopy(case)
    for plugin in case["plugins"]:
        if "hooks" in plugin:
            plugin["hooks"] = list(dict.fromkeys(plugin["hooks"]))
    return case


# B10


def _is_isolated(case: Case) -> bool:
    manager = case["manager"]
    return case["hook"] in manager.get("policies", {}) or manager.get("default_policy") == "deny"


def _has_observers(case: Case) -> bool:
    return not _is_isolated(case) and any(_mode(plugin) in ("audit", "concurrent") for plugin in case["plugins"])


def _forget_observers_containers(case: Case, noticed: Observation) -> None:
    observers = {plugin["name"] for plugin in case["plugins"] if _mode(plugin) in ("audit", "concurrent")}
    for call in _calls(noticed):
        for name in observers & call["seen"].keys():
            for note in call["seen"][name]:
                note["callers_payload"] = None
                note["payload"] = _plain(note["payload"])


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        if value.get("$") in ("CopyOnWriteDict", "CopyOnWriteList"):
            return _plain(value["items"])
        # A copy has its copied fields set, the caller's payload only those it was given.
        return {key: _plain(item) for key, item in value.items() if key != "set"}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value


def _leaking_fields(case: Case) -> set[str]:
    """Returns the payload fields into which some plugin writes what upstream lets out of its isolation."""
    fields = set()
    for plugin in case["plugins"]:
        private = _mode(plugin) in ("audit", "concurrent", "fire_and_forget") or _is_isolated(case)
        shallow = _mode(plugin) == "fire_and_forget" or _is_isolated(case)
        for step in _steps(plugin):
            if step["do"] == "edit" and private and (not shallow or len(step["path"]) > 2):
                fields.add(str(step["path"][0]))
    return fields


def _leaks(case: Case) -> bool:
    return bool(_leaking_fields(case))


def _forget_leaked_fields(case: Case, noticed: Observation) -> None:
    fields = _leaking_fields(case)
    for call in _calls(noticed):
        places = [call["payload"], call.get("result", {}).get("fields", {}).get("modified_payload")]
        places += [note["payload"] for notes in call["seen"].values() for note in notes]
        for place in places:
            if isinstance(place, dict):
                for name in fields & place.get("fields", {}).keys():
                    place["fields"][name] = "leaked"


def _returns_edit(script: Script) -> bool:
    edited = False
    for step in script:
        if step["do"] == "edit":
            edited = True
        if step["do"] == "reply" and edited:
            change = step["reply"].get("change")
            return change is not None and change["how"] in _MODEL_CHANGES
    return False


def _returns_edits(case: Case) -> bool:
    guarded = _is_isolated(case) or case["hook"] == "http_pre_request"
    return guarded and any(_returns_edit(script) for plugin in case["plugins"] for script in plugin["scripts"])


def _forget_accepted_payload(case: Case, noticed: Observation) -> None:
    for call in _calls(noticed):
        for notes in call["seen"].values():
            for note in notes:
                note["payload"] = note["callers_payload"] = None
        call["payload"] = call["same_payload"] = None
        for result in _models(call, "PluginResult"):
            result["fields"]["modified_payload"] = None
            (result["fields"]["metadata"] or {}).pop("_decision_plugin", None)
        for record in (*_models(call, "ControlExecutionRecord"), *_walk(call.get("raised", {}).get("denial_outcome"))):
            for name in ("matched", "applied", "payload_modified"):
                record.get("fields", record).pop(name, None)
        call["logs"] = [line for line in call["logs"] if "modification" not in line]


# B11


def _is_unreadable(plugin: Plugin) -> bool:
    return any(step["do"] == "reply" and step["reply"]["kind"] in ("none", "dict") for step in _steps(plugin))


def _may_fail(plugin: Plugin) -> bool:
    return any(step["do"] in ("sleep", "hang", "yield", "fail") for step in _steps(plugin))


def _state_keys(case: Case) -> tuple[set[tuple[str, str]], set[tuple[str, str]]]:
    """Returns what differs in the caller's context, and what differs in the contexts that plugins hold."""
    doubled = any("direct" in call for call in case["calls"])
    crowd = doubled or sum(_mode(plugin) == "concurrent" for plugin in case["plugins"]) > 1
    callers, plugins = set(), set()
    for plugin in case["plugins"]:
        for step in _steps(plugin):
            scope, _, table = step.get("where", "").partition(".")
            if scope != "global":
                continue
            place = (table, step["key"])
            if step["do"] == "nested":
                plugins.add(place)
                if _mode(plugin) not in ("sequential", "transform") or _may_fail(plugin):
                    callers.add(place)
            if step["do"] == "delete" or (crowd and _mode(plugin) == "concurrent") or _is_unreadable(plugin):
                callers.add(place)
    return callers, plugins | callers


def _moves_state(case: Case) -> bool:
    return bool(_state_keys(case)[1])


def _forget_state_keys(case: Case, noticed: Observation) -> None:
    callers, plugins = _state_keys(case)
    for call in _calls(noticed):
        for name in ("context", "context_afterwards"):
            _forget_keys(call.get(name), callers)
        for place in (call["seen"], call["table"], call.get("table_afterwards")):
            for context in _models(place, "GlobalContext"):
                _forget_keys(context, plugins)


def _forget_keys(context: Any, places: set[tuple[str, str]]) -> None:
    for name, key in places:
        if isinstance(context, dict) and isinstance(table := context["fields"][name], dict):
            table.pop(key, None)


# B17


def _raises_timeout(case: Case) -> bool:
    steps = (step for plugin in case["plugins"] for step in _steps(plugin))
    return any(step["do"] == "fail" and step["failure"]["kind"] == "timeout" for step in steps)


def _with_lookalikes(case: Case) -> Case:
    case = copy.deepcopy(case)
    for plugin in case["plugins"]:
        for step in _steps(plugin):
            if step["do"] == "fail" and step["failure"]["kind"] == "timeout":
                step["failure"]["kind"] = "lookalike"
    return case


# B20


def _asks_one_slow_plugin(case: Case) -> bool:
    asked = {call["only_plugin"] for call in case["calls"] if "only_plugin" in call}
    hurried = case["manager"].get("timeout") == 0
    return any(
        plugin["name"] in asked and (hurried or any(step["do"] in ("sleep", "hang") for step in _steps(plugin)))
        for plugin in case["plugins"]
    )


def _answer_for_timeout(case: Case, noticed: Observation) -> None:
    for call in _calls(noticed):
        result = call.get("result")
        bare = isinstance(result, dict) and result.get("set") == ["continue_processing"]
        ignored = bare and call["result"]["fields"]["continue_processing"]
        if ignored or call.get("raised", {}).get("$") == "PluginTimeoutError":
            kept = {key: call[key] for key in ("starts", "seen", "logs", "disabled", "context", "took")}
            call.clear()
            call.update(kept, ignored_timeout=True)


# B22


def _is_observed(case: Case) -> bool:
    return bool(case["manager"].get("observed"))


def _forget_ends_of_open_spans(case: Case, ours: Observation, published: Observation) -> None:
    for left, right in zip(_calls(ours), _calls(published), strict=False):
        for span, open_span in zip(left["spans"], right["spans"], strict=False):
            if open_span["ends"] == [] and len(span["ends"]) == 1:
                span["ends"] = []


DIFFERENCES: Final = (
    Difference(
        row="B1",
        applies=_lacks_description,
        published_case=_with_descriptions,
        normalise=_forget_description_set,
    ),
    Difference(row="B8", applies=_repeats_hook, published_case=_with_hooks_once),
    Difference(row="B10", applies=_has_observers, normalise=_forget_observers_containers),
    Difference(row="B10", applies=_leaks, normalise=_forget_leaked_fields),
    Difference(row="B10", applies=_returns_edits, normalise=_forget_accepted_payload),
    Difference(row="B11", applies=_moves_state, normalise=_forget_state_keys),
    Difference(row="B17", applies=_raises_timeout, published_case=_with_lookalikes),
    Difference(row="B22", applies=_is_observed, reconcile=_forget_ends_of_open_spans),
    Difference(row="B20", applies=_asks_one_slow_plugin, normalise=_answer_for_timeout),
)


def for_published(case: Case) -> Case:
    """Returns the case to tell the published package so that it does what ours does with `case`."""
    for difference in DIFFERENCES:
        if difference.applies(case):
            case = difference.published_case(case)
    return case


def _align_clocks(ours: Observation, published: Observation) -> None:
    """Takes over small differences in virtual time.

    Our deadlines count from the start of the plugin in real time, so they are early by what it computed until it
    first waited.
    """
    for left, right in zip(_calls(ours), _calls(published), strict=False):
        if abs(left.get("took", 0) - right.get("took", 0)) < CLOCK_SLACK_SECONDS:
            right["took"] = left.get("took")


def comparable(case: Case, ours: Observation, published: Observation) -> tuple[Observation, Observation]:
    """Returns copies of two observations without what may differ for `case`."""
    ours, published = copy.deepcopy(ours), copy.deepcopy(published)
    for difference in DIFFERENCES:
        if difference.applies(case):
            difference.normalise(case, ours)
            difference.normalise(case, published)
            difference.reconcile(case, ours, published)
    _align_clocks(ours, published)
    return ours, published
