"""A program that uses Mellea with plugins, as its documentation says: `agent.py URL` prints the outcomes as JSON."""

import asyncio
import json
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mellea import start_session
from mellea.backends import ModelOption, tool
from mellea.plugins import (
    HookType,
    Plugin,
    PluginMode,
    PluginSet,
    PluginViolationError,
    block,
    hook,
    modify,
    plugin_scope,
    register,
    unregister,
)
from mellea.plugins.base import MelleaPlugin
from mellea.plugins.manager import (
    drain_background_tasks,
    enable_background_collection,
    initialize_plugins,
    shutdown_plugins,
)
from mellea.stdlib.functional import call_tools

from cpex.framework import PluginConfig

seen: list[str] = []


@hook(HookType.GENERATION_PRE_CALL, priority=10)
async def cool(payload: Any, context: Any) -> Any:
    seen.append(f"cool {payload.hook} {context.global_context.state['backend_name']}")
    return modify(payload, model_options={**payload.model_options, ModelOption.TEMPERATURE: 0.25}, model="another")


@hook(HookType.GENERATION_PRE_CALL, mode=PluginMode.TRANSFORM, priority=1)
async def freeze(payload: Any, context: Any) -> Any:
    seen.append(f"freeze {payload.model_options.get(ModelOption.TEMPERATURE)} {payload.model}")
    return modify(payload, model_options={**payload.model_options, ModelOption.TEMPERATURE: 0.0})


@hook(HookType.GENERATION_PRE_CALL, mode=PluginMode.AUDIT)
async def meddle(payload: Any, context: Any) -> Any:
    return modify(payload, model_options={ModelOption.TEMPERATURE: 2.0})


@hook(HookType.GENERATION_PRE_CALL, mode=PluginMode.CONCURRENT)
async def guard(payload: Any, context: Any) -> Any:
    return block("not that", code="FORBIDDEN") if "forbidden" in str(payload.action) else None


@hook(HookType.GENERATION_PRE_CALL)
async def stumble(payload: Any, context: Any) -> Any:
    raise RuntimeError("stumbled")


@hook(HookType.GENERATION_POST_CALL)
async def rewrite(payload: Any, context: Any) -> Any:
    return modify(payload, prompt="another")


@hook(HookType.GENERATION_POST_CALL, mode=PluginMode.FIRE_AND_FORGET)
async def report(payload: Any, context: Any) -> Any:
    await asyncio.sleep(0)
    seen.append(f"report {payload.model_output.value}")


@hook(HookType.TOOL_PRE_INVOKE)
async def allow_oslo(payload: Any, context: Any) -> Any:
    city = payload.model_tool_call.args["city"]
    return None if city == "Oslo" else block(f"{city} is closed", code="CLOSED")


@hook(HookType.TOOL_POST_INVOKE)
async def in_fahrenheit(payload: Any, context: Any) -> Any:
    return modify(payload, tool_output="39 F", success=False)


class Diary(Plugin, name="diary", priority=5):  # type: ignore[call-arg]
    """Several hooks in one class, each with a mode of its own."""

    @hook(HookType.SESSION_RESET, mode=PluginMode.AUDIT)
    async def reset(self, payload: Any, context: Any) -> Any:
        seen.append("reset")

    @hook(HookType.COMPONENT_PRE_EXECUTE)
    async def component(self, payload: Any, context: Any) -> Any:
        seen.append(f"component {payload.component_type}")

    @hook(HookType.SESSION_CLEANUP)
    async def cleanup(self, payload: Any, context: Any) -> Any:
        seen.append(f"cleanup {payload.interaction_count}")


class Cooler(MelleaPlugin):
    """A plugin of the framework itself, for Mellea's hooks."""

    async def generation_pre_call(self, payload: Any, context: Any) -> Any:
        return modify(payload, model_options={ModelOption.TEMPERATURE: 0.5})


@tool
def weather(city: str) -> str:
    """Tells the weather.

    Args:
        city: Where.
    """
    return f"4 C in {city}"


def said(session: Any, text: str) -> str:
    """What the model answers, or who forbade to ask."""
    try:
        return str(session.chat(text).content)
    except PluginViolationError as error:
        return f"{error} ({error.code}, {error.plugin_name}, {error.hook_type})"


async def said_in_background(session: Any) -> str:
    """Waits for the plugins that nobody waits for."""
    enable_background_collection()
    answer = await session.achat("hi")
    await drain_background_tasks()
    return str(answer.content)


def scenarios(url: str) -> Iterator[tuple[str, Any]]:
    """Yields the name and the outcome of each."""

    def session(**options: Any) -> Any:
        return start_session("openai", "tiny", base_url=url, api_key="none", **options)

    plain = session()
    yield "without plugins", said(plain, "hi")

    with plugin_scope(cool, guard, stumble, meddle):
        yield "modified", said(plain, "hi")
        yield "blocked", said(plain, "forbidden")
    yield "after the scope", said(plain, "forbidden")

    register([cool, freeze])
    yield "in phases", said(plain, "hi")
    unregister([cool, freeze])

    with PluginSet("guards", [guard], priority=3), plugin_scope(rewrite):
        yield "a set", [said(plain, "forbidden"), said(plain, "hi")]

    with plugin_scope(report):
        yield "in the background", asyncio.run(said_in_background(plain))

    scoped = session(plugins=[Diary()])
    scoped.instruct("hi", strategy=None)
    scoped.reset()
    scoped.cleanup()
    said(plain, "hi")
    yield "a session", None

    with plugin_scope(allow_oslo, in_fahrenheit):
        answer = plain.instruct(
            "weather?", model_options={ModelOption.TOOLS: [weather]}, tool_calls=True, strategy=None
        )
        (message,) = call_tools(answer, plain.backend)
        yield "a tool", message.content
        answer.tool_calls[0].args = {"city": "Bergen"}
        try:
            yield "a closed city", call_tools(answer, plain.backend)
        except PluginViolationError as error:
            yield "a closed city", str(error)

    with Cooler(PluginConfig(name="own", kind="agent.Cooler", hooks=["generation_pre_call"])):
        yield "a plugin of the framework", said(plain, "hi")

    with plugin_scope(cool):
        answers: list[str] = []
        threads = [threading.Thread(target=lambda: answers.append(said(session(), "hi"))) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        yield "in threads", answers

    asyncio.run(shutdown_plugins())
    yield "shut down", said(plain, "hi")

    asyncio.run(initialize_plugins(str(Path(__file__).with_name("plugins.yaml"))))
    yield "from a file", said(plain, "hi")
    asyncio.run(shutdown_plugins())


if __name__ == "__main__":
    outcomes = {}
    for name, outcome in scenarios(sys.argv[1]):
        outcomes[name] = {"outcome": outcome, "seen": seen.copy()}
        seen.clear()
    print(json.dumps(outcomes))
