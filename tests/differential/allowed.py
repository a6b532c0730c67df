"""The differences that are meant: each is a row of `docs/compatibility.md`, narrowed to the cases that can show it.

A difference is stated in one of two ways. `published_case` says which case the published package would have to be told
to behave as ours does: what we do is then compared in full. Where no such case exists, `normalise` and `reconcile`
remove from the observations what the row is about, and nothing else.
"""

import copy
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from .case import Case, Observation, Violation
from .isolation import (
    forget_accepted_payload,
    forget_leaked_fields,
    forget_observers_containers,
    forget_state_keys,
    has_observers,
    leaks,
    moves_state,
    returns_edits,
)
from .look import calls_of, models_in, steps_of, walk
from .tiers import merge_published, writes_extensions

CLOCK_SLACK_SECONDS: Final = 0.1
_WHAT_IS_RIGHT: Final = re.compile(r"; the plugin must return a PluginResult, not \w+")


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


def _violations(case: Case) -> Iterator[Violation]:
    for plugin in case["plugins"]:
        for step in steps_of(plugin):
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
    for violation in models_in(noticed, "PluginViolation"):
        violation["set"] = [name for name in violation["set"] if name != "description"]


def _repeats_hook(case: Case) -> bool:
    return any(len(hooks) != len(set(hooks)) for hooks in (plugin.get("hooks", []) for plugin in case["plugins"]))


def _with_hooks_once(case: Case) -> Case:
    case = copy.deepcopy(case)
    for plugin in case["plugins"]:
        if "hooks" in plugin:
            plugin["hooks"] = list(dict.fromkeys(plugin["hooks"]))
    return case


def _doubles_references(case: Case) -> bool:
    return any(call.get("direct") == "doubled" for call in case["calls"])


def _forget_skipped_count(case: Case, noticed: Observation) -> None:
    for call in calls_of(noticed):
        for span in call["spans"]:
            for end in span["ends"]:
                end[1].get("attributes", {}).pop("plugin.skipped_count", None)


def _raises_timeout(case: Case) -> bool:
    steps = (step for plugin in case["plugins"] for step in steps_of(plugin))
    return any(step["do"] == "fail" and step["failure"]["kind"] == "timeout" for step in steps)


def _with_lookalikes(case: Case) -> Case:
    case = copy.deepcopy(case)
    for plugin in case["plugins"]:
        for step in steps_of(plugin):
            if step["do"] == "fail" and step["failure"]["kind"] == "timeout":
                step["failure"]["kind"] = "lookalike"
    return case


def _asks_one_slow_plugin(case: Case) -> bool:
    asked = {call["only_plugin"] for call in case["calls"] if "only_plugin" in call}
    hurried = case["manager"].get("timeout") == 0
    return any(
        plugin["name"] in asked and (hurried or any(step["do"] in ("sleep", "hang") for step in steps_of(plugin)))
        for plugin in case["plugins"]
    )


def _answer_for_timeout(case: Case, noticed: Observation) -> None:
    for call in calls_of(noticed):
        result = call.get("result")
        bare = isinstance(result, dict) and result.get("set") == ["continue_processing"]
        ignored = bare and call["result"]["fields"]["continue_processing"]
        if ignored or call.get("raised", {}).get("$") == "PluginTimeoutError":
            kept = {key: call[key] for key in ("starts", "seen", "logs", "disabled", "context", "took")}
            call.clear()
            call.update(kept, ignored_timeout=True)


def _is_observed(case: Case) -> bool:
    return bool(case["manager"].get("observed"))


def _forget_ends_of_open_spans(case: Case, ours: Observation, published: Observation) -> None:
    for left, right in zip(calls_of(ours), calls_of(published), strict=False):
        for span, open_span in zip(left["spans"], right["spans"], strict=False):
            if open_span["ends"] == [] and len(span["ends"]) == 1:
                span["ends"] = []


def _answers_with_no_result(case: Case) -> bool:
    steps = (step for plugin in case["plugins"] for step in steps_of(plugin))
    return any(step.get("reply", {}).get("kind") in ("none", "dict", "duck") for step in steps)


def _forget_what_is_right(case: Case, noticed: Observation) -> None:
    for holder in walk(noticed):
        holder.update({key: _without_what_is_right(value) for key, value in holder.items()})


def _without_what_is_right(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_what_is_right(item) for item in value]
    return _WHAT_IS_RIGHT.sub("", value) if isinstance(value, str) else value


DIFFERENCES: Final = (
    Difference(
        row="B1",
        applies=_lacks_description,
        published_case=_with_descriptions,
        normalise=_forget_description_set,
    ),
    Difference(row="B8", applies=_repeats_hook, published_case=_with_hooks_once),
    Difference(row="B8", applies=_doubles_references, normalise=_forget_skipped_count),
    Difference(row="B9", applies=writes_extensions, reconcile=merge_published),
    Difference(row="B10", applies=has_observers, normalise=forget_observers_containers),
    Difference(row="B10", applies=leaks, normalise=forget_leaked_fields),
    Difference(row="B10", applies=returns_edits, normalise=forget_accepted_payload),
    Difference(row="B11", applies=moves_state, normalise=forget_state_keys),
    Difference(row="B17", applies=_raises_timeout, published_case=_with_lookalikes),
    Difference(row="B22", applies=_is_observed, reconcile=_forget_ends_of_open_spans),
    Difference(row="C31", applies=_answers_with_no_result, normalise=_forget_what_is_right),
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
    for left, right in zip(calls_of(ours), calls_of(published), strict=False):
        if abs((left.get("took") or 0) - (right.get("took") or 0)) < CLOCK_SLACK_SECONDS:
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
