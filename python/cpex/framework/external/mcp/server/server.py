"""The plugin server: plugins that other processes call."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar, Unpack

from pydantic import BaseModel

from cpex.framework._lazy import names_from
from cpex.framework.constants import CONTEXT, ERROR, PLUGIN_NAME, RESULT
from cpex.framework.errors import PluginError
from cpex.framework.errors import convert_exception_to_error as convert_exception_to_error
from cpex.framework.external._server.desk import error_model
from cpex.framework.external._server.listen import (
    Listen,
    ServeOptions,
    over_grpc,
    over_http,
    over_unix,
    placed,
)
from cpex.framework.loader.config import ConfigLoader
from cpex.framework.manager import PluginManager
from cpex.framework.models import (
    Config,
    GRPCServerConfig,
    MCPServerConfig,
    PluginContext,
    UnixSocketServerConfig,
)
from cpex.framework.settings import settings

if TYPE_CHECKING:
    from cpex.framework.base import Plugin
    from cpex.framework.external._server.service import Service

__all__ = ["ExternalPluginServer"]

if not TYPE_CHECKING:
    __getattr__ = names_from(
        __name__,
        {
            "cpex.framework.settings": ("get_config_path_settings",),
        },
    )

P = TypeVar("P", bound=BaseModel)
Transport: TypeAlias = Literal["http", "grpc", "unix", "stdio"]

_DEFAULT_CONFIG_PATH = os.path.join(".", "resources", "plugins", "config.yaml")


class ExternalPluginServer:
    """Serves plugins to other processes: over MCP, gRPC or a Unix socket.

    ```python
    ExternalPluginServer(plugins=[MyPlugin(config)]).run()
    ```
    """

    def __init__(self, config_path: str | None = None, *, plugins: Iterable[Plugin] | None = None) -> None:
        """Make a server of the plugins of a configuration file, or of plugins that exist.

        Args:
            config_path: The file; None: `PLUGINS_CONFIG_PATH`, else `./resources/plugins/config.yaml`. Its plugins are
                the process-wide manager's.
            plugins: Plugins to serve in place of a file's. The server initializes them and shuts them down.

        Raises:
            TypeError: If both are given, or one of the plugins is none.
            ValueError: If the file is no configuration, or two plugins have the same name.
        """
        if plugins is not None and config_path is not None:
            raise TypeError("ExternalPluginServer takes config_path or plugins, not both")
        if plugins is not None:
            from cpex.framework.external._server.instances import manager_of

            self._plugin_manager: PluginManager = manager_of(plugins)
            self._config = self._plugin_manager.config or Config()
            return
        path = config_path or settings.config_path or _DEFAULT_CONFIG_PATH
        # What templates stand for is the plugins' business, not that of those who ask for their configuration.
        self._config = ConfigLoader.load_config(path, use_jinja=False)
        self._plugin_manager = PluginManager(path)

    async def initialize(self) -> bool:
        """Load the plugins.

        Returns:
            Whether they can be called.

        Raises:
            RuntimeError: If a plugin cannot be loaded that must not be missing.
        """
        await self._plugin_manager.initialize()
        return self._plugin_manager.initialized

    async def shutdown(self) -> None:
        """Shut the plugins down, if they were loaded."""
        if self._plugin_manager.initialized:
            await self._plugin_manager.shutdown()

    async def get_plugin_configs(self) -> list[dict[str, Any]]:
        """List the configurations of the plugins.

        Returns:
            One mapping for each.
        """
        return [plugin.model_dump() for plugin in self._config.plugins or ()]

    async def get_plugin_config(self, name: str) -> dict[str, Any] | None:
        """Look a plugin's configuration up.

        Args:
            name: The plugin's name, in any case.

        Returns:
            The configuration, or None if there is no such plugin.
        """
        wanted = name.lower()
        found = (plugin for plugin in self._config.plugins or () if plugin.name.lower() == wanted)
        return next((plugin.model_dump() for plugin in found), None)

    def get_server_config(self) -> MCPServerConfig:
        """Tell where the plugins are served over MCP.

        Returns:
            `server_settings` of the file, else what the `PLUGINS_SERVER_*` variables say, else the default.

        Raises:
            ValueError: If the variables ask for TLS and name no certificate.
        """
        return self._config.server_settings or MCPServerConfig.from_env() or MCPServerConfig()

    def get_grpc_server_config(self) -> GRPCServerConfig | None:
        """Tell where the file wants the plugins to be served over gRPC.

        Returns:
            Its `grpc_server_settings`, or None.
        """
        return self._config.grpc_server_settings

    async def invoke_hook(
        self, hook_type: str, plugin_name: str, payload: dict[str, Any], context: dict[str, Any] | PluginContext
    ) -> dict[str, Any]:
        """Run a hook of a plugin, in the mode the plugin has here.

        Args:
            hook_type: Name of the hook.
            plugin_name: Name of the plugin.
            payload: The payload.
            context: The plugin's context.

        Returns:
            `plugin_name`, and `result` with `context` (if anything is in it) or `error`. A context that was given as
            one comes back as the same object; an error is a `PluginErrorModel` if the plugin gave one, else a mapping.
        """
        reply: dict[str, Any] = {PLUGIN_NAME: plugin_name}
        try:
            known = context if isinstance(context, PluginContext) else PluginContext.model_validate(context)
            result = await self._plugin_manager.invoke_hook_for_plugin(
                plugin_name, hook_type, payload, known, payload_as_json=True
            )
            reply[RESULT] = result.model_dump()
            if not known.is_empty():
                reply[CONTEXT] = known if known is context else known.model_dump()
        except PluginError as error:
            reply[ERROR] = error.error
        except (Exception, SystemExit) as error:
            reply[ERROR] = error_model(error, plugin_name).model_dump()
        return reply

    def run(
        self,
        transport: Transport | Sequence[Transport] = "http",
        host: str | None = None,
        port: int | None = None,
        **options: Unpack[ServeOptions],
    ) -> None:
        """Serve until SIGINT or SIGTERM; calls under way may then finish. For the main thread.

        Args:
            transport: `http` (MCP, beside it `/health`, `/ready` and `/metrics`), `grpc`, `unix` or `stdio` (MCP), or
                several of them.
            host: Address to listen on; None: as the file or the environment says, else this machine only.
            port: Port to listen on, for one transport; None: as the file or the environment says, else 8000 for `http`
                and 50051 for `grpc`.
            **options: `uds`, `tls`, `insecure`, `token`, `grace`: see `ServeOptions`.

        Raises:
            OSError: If it cannot listen there.
            ValueError: If it may not listen there, or TLS cannot be set up.
            RuntimeError: If a plugin cannot be loaded that must not be missing.
        """
        service = self._service(transport, host, port, options)
        asyncio.run(service.run_until_signal())

    async def serve(
        self,
        transport: Transport | Sequence[Transport] = "http",
        host: str | None = None,
        port: int | None = None,
        *,
        on_ready: Callable[[list[str]], None] | None = None,
        **options: Unpack[ServeOptions],
    ) -> None:
        """Serve on the running event loop until cancelled; calls under way may then finish.

        Args:
            transport: As for `run`.
            host: As for `run`.
            port: As for `run`.
            on_ready: Called once calls are taken, with where, in words.
            **options: As for `run`.

        Raises:
            OSError: If it cannot listen there.
            ValueError: If it may not listen there, or TLS cannot be set up.
            RuntimeError: If a plugin cannot be loaded that must not be missing.
        """
        service = self._service(transport, host, port, options)
        await service.run(None if on_ready is None else lambda ready: on_ready(ready.addresses))

    def _service(
        self,
        transport: Transport | Sequence[Transport],
        host: str | None,
        port: int | None,
        options: ServeOptions,
    ) -> Service:
        from cpex.framework.external._server.service import Service

        transports = [transport] if isinstance(transport, str) else transport
        return Service(self, placed(map(self._place, transports), host, port, options))

    def _place(self, transport: str) -> Listen:
        """Where one transport listens, as the file, the environment and the defaults say."""
        match transport:
            case "http":
                return over_http(self.get_server_config())
            case "grpc":
                return over_grpc(self.get_grpc_server_config() or GRPCServerConfig.from_env() or GRPCServerConfig())
            case "unix":
                from_file = self._config.unix_socket_server_settings
                return over_unix(UnixSocketServerConfig.from_env() or from_file or UnixSocketServerConfig())
            case "stdio":
                return Listen(transport="stdio")
        raise ValueError(f"transport: '{transport}' is none of http, grpc, unix, stdio")

    def _served_hooks(self) -> list[tuple[str, str]]:
        """The hooks that can be called, with the names of their plugins."""
        plugins = self._plugin_manager._registry.get_all_plugins()
        return [(plugin.name, hook) for plugin in plugins for hook in plugin.hooks]
