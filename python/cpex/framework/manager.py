"""The plugin manager: loads the configured plugins, and runs the ones that answer a hook."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from cpex.framework._background import BackgroundTasks
from cpex.framework._executor import (
    DEFAULT_PLUGIN_TIMEOUT,
    MAX_PAYLOAD_SIZE,
    ExecutionContext,
    PayloadSizeError,
    PhaseState,
    PluginExecutor,
    PluginTimeoutError,
)
from cpex.framework._initlock import InitLock
from cpex.framework._lazy import names_from
from cpex.framework._loading import LoadFailure, PluginLoading
from cpex.framework._preparation import prepare_hooks
from cpex.framework._signature import plugin_error
from cpex.framework._switches import check_variables
from cpex.framework._unavailable import guard
from cpex.framework._unknown_hooks import tell_unknown_hooks, unknown_hooks
from cpex.framework._views import ManagerView
from cpex.framework.constants import EXTERNAL_PLUGIN_TYPE
from cpex.framework.hooks.policies import DefaultHookPolicy, HookPayloadPolicy, check_policies, policy_problems
from cpex.framework.loader.config import ConfigLoader
from cpex.framework.loader.plugin import PluginLoader
from cpex.framework.models import (
    Config,
    GlobalContext,
    PluginContext,
    PluginContextTable,
    PluginMode,
    PluginPayload,
    PluginResult,
)
from cpex.framework.observability import ObservabilityProvider, current_trace_id
from cpex.framework.registry import PluginInstanceRegistry
from cpex.framework.settings import settings

if TYPE_CHECKING:
    from cpex.framework.extensions.extensions import Extensions

__all__ = [
    "CONTEXT_CLEANUP_INTERVAL",
    "CONTEXT_MAX_AGE",
    "DECISION_PLUGIN_METADATA_KEY",
    "DEFAULT_PLUGIN_TIMEOUT",
    "EXTERNAL_PLUGIN_TYPE",
    "HTTP_AUTH_CHECK_PERMISSION_HOOK",
    "MAX_PAYLOAD_SIZE",
    "RESERVED_INTERNAL_METADATA_KEYS",
    "ExecutionContext",
    "LoadFailure",
    "PayloadSizeError",
    "PhaseState",
    "PluginContextTable",
    "PluginExecutor",
    "PluginManager",
    "PluginTimeoutError",
    "TenantPluginManager",
    "current_trace_id",
    "settings",
]

if not TYPE_CHECKING:
    __getattr__ = names_from(
        __name__,
        {
            "cpex.framework.base": ("HookRef", "Plugin"),
            "cpex.framework.errors": ("PluginError", "PluginViolationError", "convert_exception_to_error"),
            "cpex.framework.extensions.extensions": ("Extensions",),
            "cpex.framework.extensions.tiers": ("filter_extensions",),
            "cpex.framework.hooks.policies": ("apply_policy",),
            "cpex.framework.memory": ("copyonwrite", "wrap_payload_for_isolation"),
            "cpex.framework.models": (
                "ControlExecutionRecord",
                "ControlExecutionStatus",
                "OnError",
                "PluginErrorModel",
            ),
            "cpex.framework.utils": ("payload_matches",),
        },
    )

logger = logging.getLogger(__name__)

CONTEXT_CLEANUP_INTERVAL = 300
CONTEXT_MAX_AGE = 3600
HTTP_AUTH_CHECK_PERMISSION_HOOK = "http_auth_check_permission"
DECISION_PLUGIN_METADATA_KEY = "_decision_plugin"
RESERVED_INTERNAL_METADATA_KEYS = frozenset({DECISION_PLUGIN_METADATA_KEY})


class PluginManager(ManagerView):
    """Loads plugins and runs their hooks.

    All instances share one state. The first construction decides the configuration; see `TenantPluginManager` for
    managers that stand side by side.
    """

    __shared_state: ClassVar[dict[str, Any]] = {}
    __lock: ClassVar[threading.Lock] = threading.Lock()

    _async_lock: InitLock | None = None
    _background: BackgroundTasks = BackgroundTasks()
    _loader: PluginLoader = PluginLoader()
    _registry: PluginInstanceRegistry = PluginInstanceRegistry()

    def __init__(
        self,
        config: str = "",
        timeout: float | None = DEFAULT_PLUGIN_TIMEOUT,
        observability: ObservabilityProvider | None = None,
        hook_policies: dict[str, HookPayloadPolicy] | None = None,
        default_hook_policy: Literal["allow", "deny"] | None = None,
    ) -> None:
        """Make the manager, or join the one that exists.

        Args:
            config: Path of the YAML configuration. Only the first construction reads one.
            timeout: Seconds a plugin may take, unless its entry says otherwise; None: as long as it likes.
            observability: Receives the spans; a later construction may add one that is missing.
            hook_policies: Which fields plugins may write, per hook; a later construction may add missing ones.
            default_hook_policy: Whether hooks without a policy accept changes; None: as the settings say.

        Raises:
            TypeError: If the policies are none.
            ValueError: If the default policy is neither `allow` nor `deny`, or the configuration or a
                variable of ours is invalid.
        """
        self.__dict__ = self.__shared_state
        with self.__lock:
            if self.__shared_state:
                self._join(config, timeout, observability, hook_policies, default_hook_policy)
                return
            check_variables()
            loaded = ConfigLoader.load_config(config) if config else None
            executor = PluginExecutor(loaded, timeout, observability, hook_policies, default_hook_policy)
            if loaded is not None:
                self._config, self._config_path = loaded, config
            self._executor = executor
            self._guard()

    def _join(
        self,
        config: str,
        timeout: float | None,
        observability: ObservabilityProvider | None,
        hook_policies: dict[str, HookPayloadPolicy] | None,
        default_hook_policy: Literal["allow", "deny"] | None,
    ) -> None:
        """Take over from a later construction what the manager does not have yet."""
        if config and config != self._config_path:
            logger.warning(
                "PluginManager: already configured from '%s'; ignoring '%s' (call reset() first to replace it)",
                self._config_path or "",
                config,
            )
        if not (hook_policies or default_hook_policy or observability):
            return
        check_policies(hook_policies or {})
        executor = self._get_executor()
        if timeout != DEFAULT_PLUGIN_TIMEOUT:
            executor.timeout = timeout
        if hook_policies and not executor.hook_policies:
            executor.hook_policies = hook_policies
        elif hook_policies and hook_policies != executor.hook_policies:
            logger.warning(
                "PluginManager: hook_policies already set; ignoring new policies (call reset() first to replace them)"
            )
        if default_hook_policy:
            executor.default_hook_policy = DefaultHookPolicy(default_hook_policy)
        if observability and not executor.observability:
            executor.observability = observability

    @classmethod
    def reset(cls) -> None:
        """Forget the shared state, for tests. Plugins are not shut down."""
        with cls.__lock:
            cls.__shared_state.clear()
            PluginManager._registry = PluginInstanceRegistry()
            PluginManager._loader = PluginLoader()
            PluginManager._background = BackgroundTasks()
            PluginManager._config = None
            PluginManager._config_path = None
            PluginManager._executor = None
            PluginManager._async_lock = None
            PluginManager._initialized = False
            PluginManager._load_failures = ()

    async def initialize(self) -> None:
        """Load the configured plugins, and build what their hooks need. Does nothing if they are loaded.

        Until a plugin that is `required`, or whose `on_missing` is `deny`, is loaded, its hooks are denied: before this
        was called, while it runs, after it failed and after `shutdown()`.

        Raises:
            RuntimeError: If a plugin can't be loaded that is `required`, or any with `PLUGINS_FAIL_ON_PLUGIN_ERROR`.
                Also if a hook of such a plugin, or of one whose `on_missing` is `deny`, is probably misspelt, and if
                any is unknown with `PLUGINS_STRICT_CONFIG`.
            ValueError: If a `PLUGINS_*` variable that the start reads has a value it does not take.
        """
        async with self._initialization():
            if self._initialized:
                logger.debug("Plugin manager already initialized")
                return
            if self._registry.plugin_count:
                logger.debug("Plugin registry not empty before initialize; clearing stale plugins")
                await self._registry.shutdown()
            if self._config and self._config.plugins:
                # Read where a value that it does not take can end the start; its module is slow to import, too.
                _ = settings.execution_pool
            loading = PluginLoading(self._loader, self._registry, logger, lambda: settings.fail_on_plugin_error)
            try:
                loaded = await loading.run(self._config) if self._config else 0
            finally:
                self._load_failures = tuple(loading.failures)
                self._get_executor()._not_loaded = loading.not_loaded
            # Asked only now: the modules of plugins may register hooks.
            tell_unknown_hooks(unknown_hooks(self._config))
            hooks = {hook for plugin_ref in self._registry.get_all_plugins() for hook in plugin_ref.hooks}
            if hooks:
                prepare_hooks(hooks)
            for problem in policy_problems(self._get_executor().hook_policies, hooks):
                logger.warning("hook_policies: %s", problem)
            self._initialized = True
            logger.info("Plugin manager initialized with %s plugins", loaded)

    async def shutdown(self) -> None:
        """Shut the plugins down, the last loaded first. The configuration stays: `initialize()` works again.

        Before that, fire-and-forget plugins may finish what they do, each within its time limit; what is then still
        running is cancelled.
        """
        async with self._initialization():
            if not self._initialized:
                logger.debug("Plugin manager not initialized, nothing to shutdown")
                return
            logger.info("Shutting down plugin manager")
            try:
                await self._background.finish(self._background_limit())
                await self._registry.shutdown()
                await self._background.finish(0)
                self._get_executor()._release()
            finally:
                self._initialized = False
                self._guard()
            logger.info("Plugin manager shutdown complete")

    def _background_limit(self) -> float:
        """The longest time limit of a background plugin, in seconds; plugins without any get the default."""
        general = self._get_executor().timeout
        configs = [ref.trusted_config for ref in self._registry.get_all_plugins()]
        limits = [
            general if config.timeout_ms is None else config.timeout_ms / 1000
            for config in configs
            if config.mode == PluginMode.FIRE_AND_FORGET
        ]
        return max((DEFAULT_PLUGIN_TIMEOUT if limit is None else limit for limit in limits), default=0)

    def _guard(self) -> None:
        """Have the hooks denied that must not go without their plugin."""
        self._get_executor()._not_loaded = guard(self._config, self._registry)

    def _initialization(self) -> InitLock:
        """The lock that `initialize` and `shutdown` take."""
        with self.__lock:
            if self._async_lock is None:
                self._async_lock = InitLock()
            return self._async_lock

    async def invoke_hook(
        self,
        hook_type: str,
        payload: PluginPayload,
        global_context: GlobalContext,
        local_contexts: PluginContextTable | None = None,
        violations_as_exceptions: bool = False,
        extensions: Extensions | None = None,
    ) -> tuple[PluginResult[Any], PluginContextTable | None]:
        """Run the plugins that answer a hook.

        Args:
            hook_type: Name of the hook.
            payload: What the hook is about.
            global_context: What is known about the request.
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
        executor = self._executor
        if executor is None:
            executor = self._get_executor()
        call = executor._begin(
            self._registry.get_hook_refs_for_hook(hook_type),
            payload,
            global_context,
            hook_type,
            local_contexts,
            violations_as_exceptions,
            extensions,
        )
        # A call under way keeps its result; a replaced `execute` returns it.
        finished = call if isinstance(call, tuple) else await call or call.result()
        if self._registry.has_background:
            self._background.add(finished[0].background_tasks or ())
        return finished

    async def invoke_hook_for_plugin(
        self,
        name: str,
        hook_type: str,
        payload: PluginPayload | dict[str, Any] | str,
        context: PluginContext | GlobalContext,
        violations_as_exceptions: bool = False,
        payload_as_json: bool = False,
    ) -> PluginResult[Any]:
        """Run one hook of one plugin, outside the pipeline: no phases, conditions or policies.

        Args:
            name: Name of the plugin.
            hook_type: Name of the hook.
            payload: What the hook is about.
            context: The plugin's context, or a request context to make one of.
            violations_as_exceptions: Raise a denial instead of returning it.
            payload_as_json: The payload is JSON text, or the mapping it stands for.

        Returns:
            The plugin's result, as its mode allows.

        Raises:
            PluginError: If the plugin is unknown, does not answer the hook, or failed and its `on_error` is `fail`.
            PluginViolationError: If it denied and `violations_as_exceptions` is set, or raised it itself.
            ValueError: If the payload is of the wrong type.
        """
        hook_ref = self._registry.get_plugin_hook_by_name(name, hook_type)
        if hook_ref is None:
            raise plugin_error(
                f"Unable to find {hook_type} for plugin {name}.  Make sure the plugin is registered.", name
            )
        if payload_as_json:
            if not isinstance(payload, (str, dict)):
                raise ValueError(f"When payload_as_json=True, payload must be str or dict, got {type(payload)}")
            payload = hook_ref.plugin_ref.plugin.json_to_payload(hook_type, payload)
        elif not isinstance(payload, PluginPayload):
            raise ValueError(f"When payload_as_json=False, payload must be a PluginPayload, got {type(payload)}")
        if isinstance(context, GlobalContext):
            context = PluginContext(global_context=context)
        return await self._get_executor().execute_plugin(hook_ref, payload, context, violations_as_exceptions)


class TenantPluginManager(PluginManager):
    """A manager with a state of its own: as many as you like, side by side."""

    def __init__(
        self,
        config: str | Config,
        timeout: float | None = DEFAULT_PLUGIN_TIMEOUT,
        observability: ObservabilityProvider | None = None,
        hook_policies: dict[str, HookPayloadPolicy] | None = None,
        default_hook_policy: Literal["allow", "deny"] | None = None,
    ) -> None:
        """Make a manager.

        Args:
            config: Path of the YAML configuration, or the configuration itself.
            timeout: Seconds a plugin may take, unless its entry says otherwise; None: as long as it likes.
            observability: Receives the spans.
            hook_policies: Which fields plugins may write, per hook.
            default_hook_policy: Whether hooks without a policy accept changes; None: as the settings say.

        Raises:
            TypeError: If the policies are none.
            ValueError: If the default policy is neither `allow` nor `deny`, or the configuration or a
                variable of ours is invalid.
        """
        check_variables()
        if isinstance(config, Config):
            self._config_path, self._config = None, config
        else:
            self._config_path, self._config = config, ConfigLoader.load_config(config)
        self._executor = PluginExecutor(self._config, timeout, observability, hook_policies, default_hook_policy)
        self._initialized = False
        self._load_failures = ()
        self._registry = PluginInstanceRegistry()
        self._loader = PluginLoader()
        self._background = BackgroundTasks()
        self._async_lock = None
        self._guard()
