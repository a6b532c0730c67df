"""Row B9: what plugins may write into the extensions, and what the next ones see of it."""

from collections.abc import Iterator
from itertools import zip_longest
from typing import Any

from .case import Case, Observation, Reply
from .look import calls_of, models_in, steps_of, walk

_COUNTED = ("extensions_modified", "matched", "applied")


def _writing(case: Case) -> Iterator[Reply]:
    steps = (step for plugin in case["plugins"] for step in steps_of(plugin))
    replies = (step["reply"] for step in steps if step["do"] == "reply")
    return (reply for reply in replies if "custom" in reply or "slots" in reply)


def writes_extensions(case: Case) -> bool:
    """Says whether a plugin returns extensions (B9)."""
    return any(_writing(case))


def merge_published(case: Case, ours: Observation, published: Observation) -> None:
    """Looks away from all of the extensions but `custom`, which everybody may write (B9)."""
    before = case.get("extensions", {}).get("custom")
    # Who returns extensions without it resets it in the published package: to what was shown, or to None.
    resets = any("custom" not in reply for reply in _writing(case))
    for told, left, right in zip_longest(case["calls"], calls_of(ours), calls_of(published)):
        if left is None or right is None or "only_plugin" in told:
            continue
        for call in (left, right):
            _forget(call)
        for result in models_in([left, right], "PluginResult"):
            extensions = result["fields"]["modified_extensions"]
            custom = extensions and extensions["fields"]["custom"]
            # What is as the caller passed it is no change here.
            result["fields"]["modified_extensions"] = None if resets or custom == before else {"custom": custom}


def _forget(call: Observation) -> None:
    for notes in call["seen"].values():
        for note in notes:
            note["extensions"] = None
    for record in (*models_in(call, "ControlExecutionRecord"), *walk(call.get("raised", {}).get("denial_outcome"))):
        fields: dict[str, Any] = record.get("fields", record)
        for name in _COUNTED:
            fields.pop(name, None)
    call["logs"] = [line for line in call["logs"] if "changed extensions" not in line]
