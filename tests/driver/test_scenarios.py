"""The table of scenarios, which the Rust drivers are held to, over the asyncio driver on a virtual clock.

The table is Rust data, `crates/cpex-testkit/src/scenarios`; `data/scenarios.json` is what it says.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cpex.framework import (
    GlobalContext,
    PluginConfig,
    PluginError,
    PluginResult,
    PluginViolationError,
    TenantPluginManager,
)
from cpex.framework.extensions import TierViolationError
from cpex.framework.hooks.policies import HookPayloadPolicy
from cpex.framework.models import Config, ControlExecutionRecord, ExecutionReport
from cpex.framework.settings import settings

from . import extension_texts, virtual_clock
from .scripted import HOOK, OUTAGE, TICK, Blind, Failed, Interrupted, Journal, Refused, Row, Scripted, original, text

TABLE: list[Row] = json.loads((Path(__file__).parent / "data" / "scenarios.json").read_text())


def entry(plugin: Row) -> PluginConfig:
    """A plugin of a scenario as an entry of a configuration."""
    kind = Blind if plugin.get("blind") else Scripted
    out = plugin.get("disabled", False)
    given = {key: plugin[key] for key in ("mode", "priority", "conditions", "capabilities") if key in plugin}
    limit = {"timeout_ms": plugin["timeout_ms"] * 1000 * TICK} if "timeout_ms" in plugin else {}
    return PluginConfig(
        name=plugin["name"],
        kind=f"{kind.__module__}.{kind.__name__}",
        hooks=[HOOK, OUTAGE] if out else [HOOK],
        on_error="disable" if out else plugin.get("on_error", "fail"),
        config=plugin,
        **given,
        **limit,
    )


async def manager_of(case: Row, journal: Journal) -> TenantPluginManager:
    """A manager with the plugins of a case, some of them out of service."""
    switches = {key: case[key] for key in ("isolation", "extension_tiers") if key in case}
    config = Config(
        plugins=[entry(plugin) for plugin in case["plugins"]],
        plugin_settings={"execution_detail": "full", **switches},
    )
    policies = {HOOK: HookPayloadPolicy(writable_fields=frozenset({"args"}))}
    manager = TenantPluginManager(
        config,
        timeout=case["timeout_ms"] * TICK if "timeout_ms" in case else None,
        hook_policies=policies if case.get("rule") == "writable" else None,
        default_hook_policy="deny" if case.get("rule") == "closed" else "allow",
    )
    await manager.initialize()
    for plugin in case["plugins"]:
        loaded = manager.get_plugin(plugin["name"])
        assert isinstance(loaded, Scripted), manager.load_failures
        loaded.journal = journal
    await manager.invoke_hook(OUTAGE, original(case), GlobalContext(request_id="0", **case.get("asked", {})))
    return manager


async def play(case: Row) -> Row:
    """What can be seen of what comes of a case, as the table puts it."""
    payload = original(case)
    journal = Journal(payload)
    manager = await manager_of(case, journal)
    context = GlobalContext(
        request_id="1", state=dict.fromkeys(case.get("state", ()), "caller"), **case.get("asked", {})
    )
    extensions = extension_texts.build(case["extensions"]) if "extensions" in case else None
    loop = asyncio.get_running_loop()
    began = loop.time()
    caller = asyncio.create_task(
        manager.invoke_hook(
            HOOK, payload, context, violations_as_exceptions=case.get("raise_denials", False), extensions=extensions
        )
    )
    if "aborts_at_ms" in case:
        loop.call_later(case["aborts_at_ms"] * TICK, caller.cancel)
    await asyncio.wait([caller])
    took_ms = round((loop.time() - began) / TICK)
    told = await tell(caller)
    seen: Row = {
        "took_ms": took_ms,
        "given": journal.given,
        "shown": journal.shown,
        "isolated": journal.isolated,
        "state": context.state,
        "disabled": sorted(manager._runtime_disabled),
    }
    await manager.shutdown()
    return seen | told


async def tell(caller: asyncio.Task[tuple[PluginResult[Any], Any]]) -> Row:
    """What the caller is told, once the background has ended."""
    try:
        result, _ = await caller
    except BaseException as error:
        return raised(error)
    await asyncio.gather(*result.background_tasks, return_exceptions=True)
    return returned(result)


def returned(result: PluginResult[Any]) -> Row:
    """What a result says."""
    if result.continue_processing:
        ending = "completed"
    else:
        (who,) = [line.plugin for line in result.report if line.outcome == "denied"]
        assert result.violation is None or result.violation.plugin_name == who
        ending = f"halted by {who}" + (f": {result.violation.reason}" if result.violation else "")
    changed = result.modified_payload
    extensions = result.modified_extensions
    return {
        "ending": ending,
        "payload": None if changed is None else text(changed),
        "extensions": None if extensions is None else extension_texts.text(extensions),
        "metadata": result.metadata,
        "retry_ms": result.retry_delay_ms,
        **reported(result.report),
        **executed(result.executions or []),
    }


def raised(error: BaseException) -> Row:
    """What an exception says. Those that no plugin may swallow pass as they are, without a report."""
    match error:
        case asyncio.CancelledError():
            return {"ending": "raised: gave up"}
        case Interrupted(args=(str(words),)):
            return {"ending": f"raised: {words}" if " " in words else f"raised by {words}: interrupted"}
        case PluginViolationError(executions=[*_, ControlExecutionRecord()] as executions):
            (who,) = [line.plugin_name for line in executions if line.requested_allow is False]
            verb = "raised" if isinstance(error, Refused) else "halted"
            ending = f"{verb} by {who}" + (f": {error.violation.reason}" if error.violation else "")
            return {"ending": ending, **executed(executions), "fates": [fate(line) for line in executions]}
        case PluginError(executions=[*_, ControlExecutionRecord()] as executions):
            ending = f"raised by {error.error.plugin_name}: {why(error.__cause__)}"
            return {"ending": ending, **executed(executions), **reported(error.report)}
    raise error


def why(cause: BaseException | None) -> str:
    """What a plugin's failure was, in a word."""
    match cause:
        case TimeoutError():
            return "timeout"
        case Failed():
            return "failed"
        case TierViolationError():
            return "breach"
        case AttributeError() | TypeError():
            return "unreadable"
    raise AssertionError(cause)


def reported(report: tuple[ExecutionReport, ...]) -> Row:
    """What the report says."""
    return {
        "fates": [(line.plugin, line.outcome) for line in report],
        "remarks": sorted((line.plugin, remark) for line in report for remark in remarks(line)),
    }


def remarks(line: ExecutionReport) -> Iterator[str]:
    if line.outcome in ("skipped", "disabled") and line.detail:
        yield line.detail
    if line.discarded:
        yield line.discarded
    yield from (f"{field} is not writable" for field in line.trimmed_fields)
    yield from line.refused_extensions


def executed(executions: list[ControlExecutionRecord]) -> Row:
    """What the records say beside the report."""
    return {"changed_by": [line.plugin_name for line in executions if line.payload_modified]}


def fate(line: ControlExecutionRecord) -> tuple[str, str]:
    """What a record says of a plugin, where there is no report. It does not tell a suppressed denial from an allow."""
    words = {"error": "failed", "timeout": "timed_out"}
    completed = {True: "ran", False: "denied", None: "detached"}
    status = line.status.value
    return line.plugin_name, completed[line.requested_allow] if status == "completed" else words.get(status, status)


def expectation(scenario: Row) -> Row:
    """What this driver is held to, with what the table does not mention."""
    nothing: Row = {"payload": None, "extensions": None, "state": {}, "metadata": {}, "retry_ms": 0, "took_ms": 0}
    lists: Row = {name: [] for name in ("isolated", "shown", "changed_by", "remarks", "disabled")}
    expected: Row = scenario.get("differs", {}).get("asyncio", scenario)["expected"]
    pairs = {name: [tuple(pair) for pair in expected.get(name, ())] for name in ("fates", "given", "shown", "remarks")}
    return nothing | lists | expected | pairs


def name_of(scenario: Row) -> str:
    return f"{scenario['cites']}: {scenario['says']}"


@pytest.mark.parametrize("scenario", TABLE, ids=name_of)
def test_scenario(scenario: Row, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLUGINS_EXECUTION_POOL", str(scenario["case"].get("pool", 0)))
    settings.cache_clear()
    expected = expectation(scenario)
    found = virtual_clock.run(lambda: play(scenario["case"]))
    assert found == {key: expected[key] for key in found}
