"""The executor: the Rust engine, with the settings and the replaceable steps of CPEX 0.1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from cpex import _core
from cpex.framework._compat import is_compatible
from cpex.framework._switches import switch
from cpex.framework.base import HookRef
from cpex.framework.hooks.policies import DefaultHookPolicy, HookPayloadPolicy, check_policies
from cpex.framework.models import (
    Config,
    ExecutionReport,
    GlobalContext,
    PluginContext,
    PluginContextTable,
    PluginPayload,
    PluginResult,
)
from cpex.framework.observability import ObservabilityProvider

if TYPE_CHECKING:
    from cpex.framework.extensions.extensions import Extensions

DEFAULT_PLUGIN_TIMEOUT = 30
MAX_PAYLOAD_SIZE = 1_000_000

_REPLACEABLE = ("_execute_with_timeout", "_validate_payload_size", "execute")


class PluginTimeoutError(Exception):
    """A plugin did not answer in time."""

    __module__ = "cpex.framework.manager"


class PayloadSizeError(ValueError):
    """A payload or result is too large to be given to plugins."""

    __module__ = "cpex.framework.manager"


@dataclass
class PhaseState:
    """What one phase hands on to the next."""

    payload: PluginPayload | None = None
    decision_plugin: str | None = None
    extensions: Extensions | None = None


@dataclass
class ExecutionContext:
    """What one hook chain has counted so far."""

    max_retry_delay_ms: int = 0
    hook_chain_executed: int = 0
    hook_chain_skipped: int = 0
    hook_chain_stopped_by: str | None = None
    hook_chain_span_id: str | None = None


class PluginExecutor(_core.Engine):
    """Runs the plugins of a hook.

    The engine schedules and judges; two of its steps can be replaced, by a subclass or on an instance:
    `_execute_with_timeout`, which calls one plugin, and `_validate_payload_size`.
    """

    __module__ = "cpex.framework.manager"

    _overridden: bool

    def __init__(
        self,
        config: Config | None = None,
        timeout: float | None = DEFAULT_PLUGIN_TIMEOUT,
        observability: ObservabilityProvider | None = None,
        hook_policies: dict[str, HookPayloadPolicy] | None = None,
        default_hook_policy: Literal["allow", "deny"] | None = None,
    ) -> None:
        """Make an executor.

        Args:
            config: The configuration the plugins come from.
            timeout: Seconds a plugin may take, unless its entry says otherwise; None: as long as it likes.
            observability: Receives the spans.
            hook_policies: Which fields plugins may write, per hook.
            default_hook_policy: Whether hooks without a policy accept changes; None: as the settings say.

        Raises:
            TypeError: If the policies are none.
            ValueError: If the default policy is neither `allow` nor `deny`, or a switch has a value it does not take.
        """
        from cpex.framework import manager

        check_policies(hook_policies or {})
        self.config = config
        self.timeout = timeout
        self.observability = observability
        self.hook_policies = hook_policies or {}
        self.default_hook_policy = DefaultHookPolicy(default_hook_policy or manager.settings.default_hook_policy)
        self._isolates_always = switch(config, "isolation") is not None
        self._full_detail = switch(config, "execution_detail") is not None
        self._compatible = compatible = is_compatible()
        self._extension_tiers = switch(config, "extension_tiers") or ("off" if compatible else "enforce")
        self._runtime_disabled = set()
        self._not_loaded: dict[str, tuple[ExecutionReport, ...]] = {}
        self._note_replacements()

    async def execute(
        self,
        hook_refs: list[HookRef],
        payload: PluginPayload,
        global_context: GlobalContext,
        hook_type: str,
        local_contexts: PluginContextTable | None = None,
        violations_as_exceptions: bool = False,
        extensions: Extensions | None = None,
    ) -> tuple[PluginResult[Any], PluginContextTable | None]:
        """Run the plugins of a hook, phase by phase.

        Args:
            hook_refs: Who answers the hook, by priority.
            payload: What the hook is about.
            global_context: What is known about the request.
            hook_type: Name of the hook.
            local_contexts: The table a previous hook of the same request returned, to go on with its contexts.
            violations_as_exceptions: Raise a denial instead of returning it.
            extensions: The request's extensions; each plugin sees what its capabilities grant.

        Returns:
            The result, and the contexts of the plugins that were started (None if no plugin answers the hook).

        Raises:
            PayloadSizeError: If the payload is too large.
            PluginError: If a plugin failed whose `on_error` is `fail`.
            PluginViolationError: If a plugin denied and `violations_as_exceptions` is set, or raised it itself.
        """
        call = super()._begin(
            hook_refs, payload, global_context, hook_type, local_contexts, violations_as_exceptions, extensions
        )
        return call if isinstance(call, tuple) else await call or call.result()

    async def execute_plugin(
        self,
        hook_ref: HookRef,
        payload: PluginPayload,
        local_context: PluginContext,
        violations_as_exceptions: bool,
        global_context: GlobalContext | None = None,
        combined_metadata: dict[str, Any] | None = None,
        extensions: Extensions | None = None,
    ) -> PluginResult[Any]:
        """Run one plugin, outside a pipeline.

        Args:
            hook_ref: The plugin and its hook.
            payload: What the hook is about.
            local_context: The plugin's context.
            violations_as_exceptions: Raise a denial instead of returning it.
            global_context: Receives the state and metadata the plugin wrote.
            combined_metadata: Receives the metadata of the plugin's result.
            extensions: The extensions the plugin is shown.

        Returns:
            The plugin's result, as its mode allows.

        Raises:
            PluginError: If it failed and its `on_error` is `fail`.
            PluginTimeoutError: Only with `PLUGINS_COMPAT=0.1.4`: if it did not answer in time and its `on_error` is
                not `fail`.
            PluginViolationError: If it denied and `violations_as_exceptions` is set, or raised it itself.
        """
        call = self._begin_one(
            hook_ref, payload, local_context, violations_as_exceptions, global_context, combined_metadata, extensions
        )
        result: PluginResult[Any] = await call or call.result() if isinstance(call, _core.HookCall) else call
        return result

    async def reset_runtime_disabled(self) -> None:
        """Let plugins run again that were disabled after an error."""
        self._runtime_disabled.clear()

    async def _execute_with_timeout(
        self,
        hook_ref: HookRef,
        payload: PluginPayload,
        context: PluginContext,
        extensions: Extensions | None = None,
    ) -> PluginResult[Any]:
        """Call one plugin. The engine does it itself unless this method is replaced.

        Args:
            hook_ref: The plugin and its hook.
            payload: What the hook is about.
            context: The plugin's context.
            extensions: The extensions the plugin is shown, if its method takes them.

        Returns:
            What the plugin returned.

        Raises:
            TimeoutError: If it did not answer in time.
        """
        from asyncio import wait_for

        arguments = (payload, context, extensions) if hook_ref.accepts_extensions else (payload, context)
        timeout_ms = hook_ref.plugin_ref.trusted_config.timeout_ms
        timeout = self.timeout if timeout_ms is None else timeout_ms / 1000
        result: PluginResult[Any] = await wait_for(hook_ref.hook(*arguments), timeout)
        return result

    def _validate_payload_size(self, payload: Any) -> None:
        """Check that a payload is not too large. The engine does it itself unless this method is replaced.

        Args:
            payload: Only its `args` and, without any, its `result` are measured.

        Raises:
            PayloadSizeError: If their text is longer than `MAX_PAYLOAD_SIZE` characters.
        """
        args, result = getattr(payload, "args", None), getattr(payload, "result", None)
        if args:
            subject, size = "Payload", sum(len(str(value)) for value in args.values())
        else:
            subject, size = "Result", len(str(result)) if result else 0
        if size > MAX_PAYLOAD_SIZE:
            raise PayloadSizeError(f"{subject} size {size} exceeds limit of {MAX_PAYLOAD_SIZE} bytes")

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if name in _REPLACEABLE:
            self._note_replacements()

    def __delattr__(self, name: str) -> None:
        super().__delattr__(name)
        if name in _REPLACEABLE:
            self._note_replacements()

    def _note_replacements(self) -> None:
        """Tell the engine which of its steps are replaced, so that it looks for none of them per call."""
        self._overridden = self._replaces("_execute_with_timeout") or self._replaces("_validate_payload_size")
        if self._replaces("execute"):
            # The manager calls `_begin`; a replaced `execute` is reached through it.
            self.__dict__["_begin"] = self.execute
        else:
            self.__dict__.pop("_begin", None)

    def _replaces(self, name: str) -> bool:
        return name in self.__dict__ or getattr(type(self), name) is not getattr(PluginExecutor, name)
