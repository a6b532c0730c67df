"""What runs for each hook of a config: taken from a manager that was built from it, nothing is ordered anew."""

from dataclasses import dataclass
from itertools import groupby
from types import SimpleNamespace
from typing import Any

from pydantic import SecretStr

from cpex.framework import GlobalContext, PluginMode, get_hook_registry
from cpex.framework._loading import UnavailablePlugin
from cpex.framework.base import HookRef
from cpex.framework.constants import EXTERNAL_PLUGIN_TYPE, ISOLATED_VENV_PLUGIN_TYPE
from cpex.framework.extensions.tiers import _slot_registry
from cpex.framework.models import PluginCondition, PluginConfig

from ._order import may_rewrite
from ._reading import Entry, Plugin, Reading

_MAY = {
    PluginMode.SEQUENTIAL: ("one after another", True, True),
    PluginMode.TRANSFORM: ("one after another", False, True),
    PluginMode.AUDIT: ("one after another", False, False),
    PluginMode.CONCURRENT: ("all at once", True, False),
    PluginMode.FIRE_AND_FORGET: ("in the background", False, False),
}
_WORDS = {
    "server_ids": "server is",
    "tenant_ids": "tenant is",
    "tools": "tool is",
    "prompts": "prompt is",
    "resources": "resource is",
    "agents": "agent is",
    "user_patterns": "user contains",
    "content_types": "content type is",
}
_NOTHING = "no hook is answered: every request passes"
_TOLD_LATER = "its server tells its hooks when it is reached: --start reaches it"


@dataclass(frozen=True, slots=True)
class Request:
    """A request that somebody asks about. Empty: not said, so nothing that asks for it matches, names excepted.

    A tool, prompt, resource or agent that is not said matches, as in the pipeline.
    """

    server: str = ""
    tenant: str = ""
    user: str = ""
    content_type: str = ""
    tool: str = ""
    prompt: str = ""
    resource: str = ""
    agent: str = ""

    def context(self) -> GlobalContext:
        """Returns the context of the request."""
        return GlobalContext(
            request_id="cpex-inspect",
            server_id=self.server or None,
            tenant_id=self.tenant or None,
            user=self.user or None,
            content_type=self.content_type or None,
        )

    def payload(self) -> Any:
        """Returns something with the fields that conditions look at, whatever the hook."""
        return SimpleNamespace(
            name=self.tool,
            target_name=self.tool,
            raw_token=SecretStr("unknown"),
            prompt_id=self.prompt,
            uri=self.resource,
            agent_id=self.agent,
        )


@dataclass(frozen=True, slots=True)
class PluginView:
    """One entry of the config.

    Attributes:
        name: The plugin.
        status: `loaded`, `not started`, `not loaded`, `denying`, `disabled` or `invalid`.
        problem: Why it is not loaded; empty otherwise.
        note: What is not known of it, and who knows; empty if all is.
        config: Its entry; None if it is not valid.
        sandbox: What contains it, if it is an isolated plugin; empty otherwise.
        may_see: Gated slots of the extensions that its capabilities let it see.
        may_write: Slots that they let it change.
    """

    name: str
    status: str
    problem: str
    note: str
    sandbox: str
    config: PluginConfig | None
    may_see: list[str]
    may_write: list[str]


@dataclass(frozen=True, slots=True)
class Turn:
    """One plugin's turn on a hook.

    Attributes:
        config: The plugin's entry, as the manager has it.
        conditions: When it runs, in words; empty if always.
        may_rewrite: It may change the payload, as far as mode, policies and source say.
        takes_extensions: Its method takes the request's extensions.
        skipped: Why the request that was asked about passes it by; None if it would run, or none was asked about.
    """

    config: PluginConfig
    conditions: list[str]
    may_rewrite: bool
    takes_extensions: bool
    skipped: str | None


@dataclass(frozen=True, slots=True)
class PhaseView:
    """The plugins of one phase of a hook, in the order in which they run."""

    mode: PluginMode
    turns: list[Turn]

    @property
    def runs(self) -> str:
        """How its plugins run."""
        return _MAY[self.mode][0]

    @property
    def may_block(self) -> bool:
        """Whether its plugins may deny."""
        return _MAY[self.mode][1]

    @property
    def may_rewrite(self) -> bool:
        """Whether its plugins may change the payload."""
        return _MAY[self.mode][2]


@dataclass(frozen=True, slots=True)
class HookView:
    """One hook.

    Attributes:
        name: Its name.
        payload: Name of the payload's class; empty if nobody registered the hook.
        writable: The payload fields plugins may change; None for all.
        phases: What runs, phase by phase.
    """

    name: str
    payload: str
    writable: list[str] | None
    phases: list[PhaseView]

    @property
    def rewritten_by(self) -> list[str]:
        """The plugins that may rewrite the payload, in their order: each sees what the one before left."""
        return [turn.config.name for phase in self.phases for turn in phase.turns if turn.may_rewrite]


@dataclass(frozen=True, slots=True)
class Inspection:
    """A config as its manager sees it.

    Attributes:
        file: The config.
        request: What was asked about; None if nothing.
        plugins: All entries, in the order of the file.
        hooks: The hooks that plugins answer.
    """

    file: str
    request: Request | None
    plugins: list[PluginView]
    hooks: list[HookView]

    @property
    def without_hooks(self) -> str:
        """What it means that no plugin answers a hook."""
        silent = [plugin.name for plugin in self.plugins if plugin.note]
        return f"no hook is known before {', '.join(silent)} is reached" if silent else _NOTHING

    @property
    def is_complete(self) -> bool:
        """Whether every entry that is not disabled is loaded."""
        return all(plugin.status in ("loaded", "not started", "disabled") for plugin in self.plugins)


def inspect_config(reading: Reading, request: Request | None) -> Inspection:
    """Asks the manager of a config who runs.

    Args:
        reading: The config, with its plugins loaded.
        request: The request to ask about; None to ask about all.

    Returns:
        The answer.
    """
    return Inspection(
        reading.source.name,
        request,
        [_plugin(reading, entry) for entry in reading.entries],
        [_hook(reading, hook, request) for hook in _hooks(reading)],
    )


def describe_condition(condition: PluginCondition) -> str:
    """Returns a condition in words: `tenant is a or b, and tool is c`."""
    parts = [f"{_WORDS[key]} {' or '.join(sorted(value))}" for key, value in condition if value]
    return ", and ".join(parts) or "always"


def _hooks(reading: Reading) -> list[str]:
    """The hooks that loaded plugins answer, in the order in which the config first names them."""
    return [] if reading.survey is None else reading.survey.hooks()


def _hook(reading: Reading, hook: str, asked: Request | None) -> HookView:
    assert reading.survey is not None
    model, writable = get_hook_registry().get_payload_type(hook), reading.writable(hook)
    writing = {plugin.name for plugin in reading.plugins if may_rewrite(reading, plugin, hook)}
    request = asked or Request()
    turns = reading.survey.manager.eligible(hook, request.payload(), request.context())
    phases = [
        PhaseView(mode, [_turn(ref, why if asked else None, writing) for ref, why in group])
        for mode, group in groupby(turns, key=lambda turn: turn[0].plugin_ref.mode)
    ]
    return HookView(hook, model.__name__ if model else "", None if writable is None else sorted(writable), phases)


def _turn(ref: HookRef, skipped: str | None, writing: set[str]) -> Turn:
    config = ref.plugin_ref.trusted_config
    conditions = [describe_condition(condition) for condition in config.conditions]
    is_there = not isinstance(ref.plugin_ref.plugin, UnavailablePlugin)
    return Turn(config, conditions, is_there and config.name in writing, ref.accepts_extensions, skipped)


def _plugin(reading: Reading, entry: Entry) -> PluginView:
    status, problem = _status(reading, entry)
    capabilities = entry.config.capabilities if entry.config else frozenset[str]()
    gated = {slot.value: policy for slot, policy in _slot_registry.items() if policy.read_cap is not None}
    may_write = [slot for slot, policy in gated.items() if policy.write_cap in capabilities]
    may_see = [slot for slot, policy in gated.items() if policy.read_cap in capabilities or slot in may_write]
    is_remote = entry.config is not None and entry.config.kind == EXTERNAL_PLUGIN_TYPE
    note = _TOLD_LATER if status == "not started" and is_remote and not entry.hooks else ""
    sandbox = _sandbox(entry.config)
    return PluginView(entry.name, status, problem, note, sandbox, entry.config, may_see, may_write)


def _sandbox(config: PluginConfig | None) -> str:
    if config is None or config.kind != ISOLATED_VENV_PLUGIN_TYPE:
        return ""
    from cpex.framework.isolated._workers import WorkerSettings

    try:
        return str(WorkerSettings.of(config).containment)
    except ValueError:
        return ""  # it is not loaded, and that is told


def _status(reading: Reading, entry: Entry) -> tuple[str, str]:
    if entry.config is None:
        return "invalid", "the entry is not valid: see cpex check"
    if not entry.is_enabled:
        return "disabled", ""
    loaded: list[Plugin] = [plugin for plugin in reading.plugins if plugin.entry is entry]
    if reading.survey is None or not loaded:
        return "not loaded", "the name is taken by another plugin" if not loaded else "the environment: see cpex check"
    failure = reading.survey.failures.get(entry.index)
    if failure is None:
        return ("loaded" if reading.survey.started or reading.survey.hook_refs(entry.name) else "not started"), ""
    denying = reading.survey.manager.get_plugin(entry.name) is not None
    starts_not = "; required: true, so the application does not start" if entry.config.required else ""
    return ("denying" if denying else "not loaded"), failure.error + starts_not
