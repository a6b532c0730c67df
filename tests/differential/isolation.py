"""Rows B10 and B11: who sees whose payload, and what is written back to the shared state."""

from typing import Any, Final

from .case import Case, Observation, Plugin, Script
from .look import calls_of, mode_of, models_in, steps_of, walk

_MODEL_CHANGES: Final = ("copy", "subclass", "in_place", "same", "equal")


def _is_isolated(case: Case) -> bool:
    manager = case["manager"]
    return case["hook"] in manager.get("policies", {}) or manager.get("default_policy") == "deny"


def has_observers(case: Case) -> bool:
    """Says whether a plugin that may not modify gets the payload without a policy (B10)."""
    return not _is_isolated(case) and any(mode_of(plugin) in ("audit", "concurrent") for plugin in case["plugins"])


def forget_observers_containers(case: Case, noticed: Observation) -> None:
    """Forgets whether an observer got the caller's payload or a copy of it (B10)."""
    observers = {plugin["name"] for plugin in case["plugins"] if mode_of(plugin) in ("audit", "concurrent")}
    for call in calls_of(noticed):
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
        private = mode_of(plugin) in ("audit", "concurrent", "fire_and_forget") or _is_isolated(case)
        shallow = mode_of(plugin) == "fire_and_forget" or _is_isolated(case)
        for step in steps_of(plugin):
            if step["do"] == "edit" and private and (not shallow or len(step["path"]) > 2):
                fields.add(str(step["path"][0]))
    return fields


def leaks(case: Case) -> bool:
    """Says whether a plugin edits what it does not own (B10)."""
    return bool(_leaking_fields(case))


def forget_leaked_fields(case: Case, noticed: Observation) -> None:
    """Forgets the payload fields that such an edit may have reached (B10)."""
    fields = _leaking_fields(case)
    for call in calls_of(noticed):
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


def returns_edits(case: Case) -> bool:
    """Says whether a plugin returns, under a policy, what it edited in place (B10)."""
    guarded = _is_isolated(case) or case["hook"] == "http_pre_request"
    return guarded and any(_returns_edit(script) for plugin in case["plugins"] for script in plugin["scripts"])


def forget_accepted_payload(case: Case, noticed: Observation) -> None:
    """Forgets what became of the payload (B10)."""
    for call in calls_of(noticed):
        for notes in call["seen"].values():
            for note in notes:
                note["payload"] = note["callers_payload"] = None
        call["payload"] = call["same_payload"] = None
        for result in models_in(call, "PluginResult"):
            result["fields"]["modified_payload"] = None
            (result["fields"]["metadata"] or {}).pop("_decision_plugin", None)
        for record in (*models_in(call, "ControlExecutionRecord"), *walk(call.get("raised", {}).get("denial_outcome"))):
            for name in ("matched", "applied", "payload_modified"):
                record.get("fields", record).pop(name, None)
        call["logs"] = [line for line in call["logs"] if "modification" not in line]


def _is_unreadable(plugin: Plugin) -> bool:
    return any(step["do"] == "reply" and step["reply"]["kind"] in ("none", "dict") for step in steps_of(plugin))


def _may_fail(plugin: Plugin) -> bool:
    return any(step["do"] in ("sleep", "hang", "yield", "fail") for step in steps_of(plugin))


def _state_keys(case: Case) -> tuple[set[tuple[str, str]], set[tuple[str, str]]]:
    """Returns what differs in the caller's context, and what differs in the contexts that plugins hold."""
    doubled = any("direct" in call for call in case["calls"])
    crowd = doubled or sum(mode_of(plugin) == "concurrent" for plugin in case["plugins"]) > 1
    callers, plugins = set(), set()
    for plugin in case["plugins"]:
        for step in steps_of(plugin):
            scope, _, table = step.get("where", "").partition(".")
            if scope != "global":
                continue
            place = (table, step["key"])
            if step["do"] == "nested":
                plugins.add(place)
                if mode_of(plugin) not in ("sequential", "transform") or _may_fail(plugin):
                    callers.add(place)
            if step["do"] == "delete" or (crowd and mode_of(plugin) == "concurrent") or _is_unreadable(plugin):
                callers.add(place)
    return callers, plugins | callers


def moves_state(case: Case) -> bool:
    """Says whether shared state can differ for a case (B11)."""
    return bool(_state_keys(case)[1])


def forget_state_keys(case: Case, noticed: Observation) -> None:
    """Forgets the keys of shared state that can differ (B11)."""
    callers, plugins = _state_keys(case)
    for call in calls_of(noticed):
        for name in ("context", "context_afterwards"):
            _forget_keys(call.get(name), callers)
        for place in (call["seen"], call["table"], call.get("table_afterwards")):
            for context in models_in(place, "GlobalContext"):
                _forget_keys(context, plugins)


def _forget_keys(context: Any, places: set[tuple[str, str]]) -> None:
    for name, key in places:
        if isinstance(context, dict) and isinstance(table := context["fields"][name], dict):
            table.pop(key, None)
