"""What is measured: each scenario is a subject and the floor it is compared with, both as loops of k rounds.

The same file runs against whichever `cpex` the interpreter has, so it uses only names that both packages have.
"""

import asyncio
import importlib.util
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from cpex.framework import GlobalContext, PluginCondition, PluginConfig, PluginContext, TenantPluginManager
from cpex.framework.hooks.policies import HookPayloadPolicy
from cpex.framework.hooks.tools import ToolPreInvokePayload
from cpex.framework.models import Config

HOOK = "tool_pre_invoke"
CHAIN_LENGTHS = (1, 5, 10, 50)
SKIPPED = 50
Loop = Callable[[int], Awaitable[None]]


@dataclass(frozen=True)
class Scenario:
    """A subject and its floor; `divisor` is how many things the difference of the two is spread over."""

    floor: Loop
    subject: Loop
    divisor: int = 1


async def make_manager(
    kind: str = "Allow",
    count: int = 1,
    mode: str = "sequential",
    skipped: int = 0,
    policies: dict[str, HookPayloadPolicy] | None = None,
) -> TenantPluginManager:
    """Returns an initialized manager with `count` plugins, and `skipped` more that no condition lets run."""

    def entry(name: str, conditions: list[PluginCondition]) -> PluginConfig:
        return PluginConfig.model_validate(
            {"name": name, "kind": f"scripted.{kind}", "hooks": [HOOK], "mode": mode, "conditions": conditions}
        )

    entries = [entry(f"runs-{i}", []) for i in range(count)]
    entries += [entry(f"skipped-{i}", [PluginCondition(tenant_ids={"another"})]) for i in range(skipped)]
    manager = TenantPluginManager(Config(plugins=entries), hook_policies=policies)
    await manager.initialize()
    if manager.plugin_count != count + skipped:
        raise RuntimeError(f"{manager.plugin_count} of {count + skipped} plugins are loaded")
    return manager


def small_payload() -> ToolPreInvokePayload:
    return ToolPreInvokePayload(name="search", args={"query": "CPEX", "limit": 10})


def long_strings() -> dict[str, Any]:
    """About 900 KB: a hundred strings of 9 KB in nested dicts and lists."""
    return {"documents": [{"id": i, "pages": [{"text": "x" * 8_950}] * 2} for i in range(50)]}


def many_strings() -> dict[str, Any]:
    """About 900 KB: some thirty thousand short strings in nested dicts and lists."""
    return {"rows": [{f"column-{c}": [f"value {r}.{c}", "constant"] for c in range(10)} for r in range(2_120)]}


def request() -> GlobalContext:
    return GlobalContext(request_id="request-1", user="alice", tenant_id="tenant-1", server_id="server-1")


def invoking(manager: TenantPluginManager, payload: ToolPreInvokePayload, hook: str = HOOK) -> Loop:
    """Returns a loop that invokes the hook k times."""
    context = request()

    async def loop(k: int) -> None:
        for _ in range(k):
            await manager.invoke_hook(hook, payload, context)

    return loop


def bound_methods(manager: TenantPluginManager, count: int) -> list[Callable[..., Awaitable[Any]]]:
    return [getattr(manager.get_plugin(f"runs-{i}"), HOOK) for i in range(count)]


def awaiting(manager: TenantPluginManager, count: int) -> Loop:
    """Returns a loop that awaits the plugins' own coroutines, with a payload and a context made before."""
    calls, payload, context = bound_methods(manager, count), small_payload(), PluginContext(global_context=request())

    async def loop(k: int) -> None:
        for _ in range(k):
            for call in calls:
                await call(payload, context)

    return loop


def gathering(manager: TenantPluginManager, count: int) -> Loop:
    calls, payload, context = bound_methods(manager, count), small_payload(), PluginContext(global_context=request())

    async def loop(k: int) -> None:
        for _ in range(k):
            await asyncio.gather(*[call(payload, context) for call in calls])

    return loop


async def chain(mode: str, count: int) -> Scenario:
    manager = await make_manager(count=count, mode=mode)
    return Scenario(awaiting(manager, count), invoking(manager, small_payload()))


async def concurrent(count: int) -> Scenario:
    manager = await make_manager(count=count, mode="concurrent")
    return Scenario(gathering(manager, count), invoking(manager, small_payload()))


async def suspending() -> Scenario:
    manager = await make_manager("Suspend")
    return Scenario(awaiting(manager, 1), invoking(manager, small_payload()))


async def unhooked() -> Scenario:
    manager = await make_manager()

    async def empty() -> None:
        return None

    async def floor(k: int) -> None:
        for _ in range(k):
            await empty()

    return Scenario(floor, invoking(manager, small_payload(), "tool_post_invoke"))


async def skipping() -> Scenario:
    without, with_skipped = await make_manager(), await make_manager(skipped=SKIPPED)
    return Scenario(invoking(without, small_payload()), invoking(with_skipped, small_payload()), SKIPPED)


async def policy(kind: str) -> Scenario:
    policies = {HOOK: HookPayloadPolicy(writable_fields=frozenset({"args"}))}
    without, with_policy = await make_manager(kind, 5), await make_manager(kind, 5, policies=policies)
    return Scenario(invoking(without, small_payload()), invoking(with_policy, small_payload()))


async def large(args: dict[str, Any]) -> Scenario:
    manager = await make_manager()
    return Scenario(
        invoking(manager, small_payload()), invoking(manager, ToolPreInvokePayload(name="search", args=args))
    )


IS_OURS = importlib.util.find_spec("cpex._core") is not None
PROSE = "The quarterly report says that sales grew in the north and fell in the south, while costs stayed the same. "
FINDINGS = {
    "pii": "Write to alice@example.com, and charge 4111 1111 1111 1111. ",
    "secrets": "The key is AKIAQ3EGUR7NBSX2LFDP, do not lose it. ",
    "words": "The codename is nightfall. ",
}


def guard_entry(guard: str) -> dict[str, Any]:
    """Returns the entry of a guard: built in, or of the package that is published for it; both redact."""
    if IS_OURS:
        kinds = {"pii": "pii_redactor", "secrets": "secrets_detector", "words": "deny_list"}
        words = {"words": ["nightfall", "codename"]} if guard == "words" else {}
        return {"kind": f"builtin.{kinds[guard]}", "config": {**words, "action": "redact"}}
    if guard == "pii":
        return {"kind": "cpex_pii_filter.pii_filter.PIIFilterPlugin", "config": {}}
    if guard == "secrets":
        config = {"redact": True, "block_on_detection": False}
        return {"kind": "cpex_secrets_detection.secrets_detection.SecretsDetectionPlugin", "config": config}
    raise LookupError("there is no such package")


async def guarding(guard: str, finds: bool) -> Scenario:
    """A guard and 1 KB of text, with something to find or not; the floor is the same hook without it."""
    entry = PluginConfig.model_validate({"name": guard, "hooks": [HOOK], **guard_entry(guard)})
    manager, without = TenantPluginManager(Config(plugins=[entry])), TenantPluginManager(Config(plugins=[]))
    await manager.initialize()
    await without.initialize()
    if manager.plugin_count != 1:
        raise RuntimeError(f"{entry.kind} is not loaded")
    text = ((FINDINGS[guard] if finds else "") + PROSE * 10)[:1024]
    payload = ToolPreInvokePayload(name="search", args={"query": text, "limit": 10})
    result, _ = await manager.invoke_hook(HOOK, payload, request())
    if (result.modified_payload is not None) != finds:
        raise RuntimeError(f"{entry.kind} {'finds nothing' if finds else 'finds something'}")
    return Scenario(invoking(without, payload), invoking(manager, payload))


SCENARIOS: dict[str, Callable[[], Awaitable[Scenario]]] = {
    **{
        f"{mode}-{count}": lambda mode=mode, count=count: chain(mode, count)  # type: ignore[misc]
        for mode in ("sequential", "transform", "audit")
        for count in CHAIN_LENGTHS
    },
    "concurrent-5": lambda: concurrent(5),
    "suspending": suspending,
    "unhooked": unhooked,
    "skipping": skipping,
    "policy-allow": lambda: policy("Allow"),
    "policy-rewrite": lambda: policy("Rewrite"),
    **{
        f"guard-{guard}-{'found' if finds else 'clean'}": lambda guard=guard, finds=finds: guarding(guard, finds)  # type: ignore[misc]
        for guard in FINDINGS
        for finds in (False, True)
    },
    "large-long-strings": lambda: large(long_strings()),
    "large-many-strings": lambda: large(many_strings()),
}
