"""Isolated plugins: each in an environment and in processes of its own."""

from __future__ import annotations

import logging
import os
from collections.abc import Awaitable, Sequence
from typing import TYPE_CHECKING, ClassVar

import pydantic_core

from cpex import _core
from cpex.framework._lazy import names_from
from cpex.framework._preparation import prepare_hooks
from cpex.framework._signature import plugin_error
from cpex.framework.external._client import Answer, RemotePlugin, outcome
from cpex.framework.external._json import dumped
from cpex.framework.external._status import ServerStatus
from cpex.framework.isolated._environment import Environment, prepare
from cpex.framework.isolated._options import EnvironmentOptions
from cpex.framework.isolated._place import package_of, place_of
from cpex.framework.isolated._published import PublishedVenv
from cpex.framework.isolated._sandbox import missing_paths
from cpex.framework.isolated._status import WorkerStatus, watched
from cpex.framework.isolated._workers import WorkerSettings, hello
from cpex.framework.models import PluginConfig

__all__ = ["IsolatedVenvPlugin"]

logger = logging.getLogger("cpex.framework.isolated")

if TYPE_CHECKING:
    from cpex.framework.extensions.extensions import Extensions
else:
    __getattr__ = names_from(
        __name__,
        {
            "cpex.framework.base": ("Plugin",),
            "cpex.framework.errors": ("PluginError", "convert_exception_to_error"),
            "cpex.framework.hooks.registry": ("get_hook_registry",),
            "cpex.framework.isolated.venv_comm": ("VenvProcessCommunicator",),
            "cpex.framework.models": ("PluginErrorModel",),
        },
    )


class IsolatedVenvPlugin(PublishedVenv, RemotePlugin):
    """A plugin that runs in an environment of its own, in a process of its own or several.

    A call that is cancelled, or takes too long, is given up there, too; a process that does not give it up is killed,
    and another one started for the next call.
    """

    _KIND: ClassVar[str] = "Isolated"
    _NOT_CONNECTED: ClassVar[str] = "Plugin comm not initialized"

    _client: _core.IsolatedClient | None  # type: ignore[assignment]

    def __init__(self, config: PluginConfig, plugin_dirs: Sequence[str] = ()) -> None:
        """Make the plugin of an entry. Its environment is made, and its processes start, in `initialize()`.

        Args:
            config: The plugin's entry of the configuration.
            plugin_dirs: The accepted folders of plugins.

        Raises:
            ValueError: If the entry does not say what is to run, or a setting of it is wrong.
        """
        super().__init__(config)
        package_of((config.config or {}).get("class_name"))
        EnvironmentOptions.of(config)
        self.implementation = "Python"
        self.plugin_dirs = list(plugin_dirs)
        self._environment: Environment | None = None
        self._settings = WorkerSettings.of(config)

    @property
    def comm(self) -> _core.IsolatedClient | None:
        """The processes, once they have started."""
        return self._client

    @property
    def workers(self) -> list[WorkerStatus]:
        """What is known of each worker; nothing before `initialize()` and after `shutdown()`."""
        sandbox = self._settings.containment.profile
        return [WorkerStatus(sandbox, **status) for status in self._client.status()] if self._client else []

    @property
    def servers(self) -> list[ServerStatus]:
        """None: an isolated plugin has `workers`."""
        return []

    async def initialize(self, defer_cache_metadata: bool = False) -> None:
        """Make the environment unless there is one, start the processes, and have them load the plugin.

        Args:
            defer_cache_metadata: Accepted for programs of CPEX 0.1.x: an environment that is not whole is never taken
                for one that is, so there is nothing to defer.

        Raises:
            PluginError: If the environment cannot be made, or the plugin cannot be loaded.
            ValueError: If the entry does not say what is to run.
            FileNotFoundError: If a file or folder that it names is not there.
        """
        await self.shutdown()
        # Not after minutes of a build.
        place = place_of(self._config, self.plugin_dirs)
        for missing in missing_paths(self._settings.sandbox, place.project):
            raise missing
        self._tell()
        self._environment = await prepare(self._config, self.plugin_dirs)
        client = self._make_client()
        try:
            starting = client.start()
            # Done now, the host need not do it when the processes are ready.
            prepare_hooks(self._config.hooks)
            ready = pydantic_core.from_json(await outcome(starting))
        except BaseException:
            await outcome(client.close())
            self._environment = None
            raise
        self._takes_extensions = ready["takes_extensions"]
        self._client = client
        watched.add(self)

    def commit_cache_metadata(self) -> None:
        """Do nothing: see `initialize`."""

    def cleanup(self) -> None:
        """End the processes without waiting for them; `shutdown()` waits."""
        client, self._client = self._client, None
        if client is not None:
            client.kill()

    async def shutdown(self) -> None:
        """End the processes, and let go of the environment."""
        await super().shutdown()
        self._environment = None

    def _tell(self) -> None:
        """Say what contains the plugin, and what it will look for in vain."""
        settings = self._settings
        logger.info("%s: %s", self.name, settings)
        for variable in dict.fromkeys((*settings.pass_env, *settings.containment.env)):
            if variable not in os.environ:
                logger.warning("%s: the variable %s, which it is to see, is not set", self.name, variable)

    def _make_client(self) -> _core.IsolatedClient:  # type: ignore[override]
        environment = self._environment
        if environment is None:
            raise plugin_error(self._NOT_CONNECTED, self.name)
        said = pydantic_core.to_json(hello(self._config, environment))
        options = self._settings.options(environment, self._config.max_content_size)
        return _core.IsolatedClient(self.name, said, options)

    def _ask(
        self, hook_type: str, payload: bytes, context: bytes, extensions: bytes | None
    ) -> Answer | Awaitable[Answer]:
        assert self._client is not None
        size, limit = len(payload) + len(context) + len(extensions or b""), self._config.max_content_size
        if size > limit:
            raise plugin_error(f"task_data exceeds max_content_size.  {size}", self.name)
        milliseconds = self._config.timeout_ms
        deadline = None if milliseconds is None else milliseconds / 1000
        return self._client.invoke(hook_type, payload, context, extensions, deadline)

    def _shown(self, extensions: Extensions) -> bytes:
        # Extensions of which it may see nothing are not the same as none.
        return dumped(extensions, "extensions", self.name, drops_none=True, kind=self._KIND)
