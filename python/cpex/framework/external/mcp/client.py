"""External plugins over MCP: streamable HTTP, HTTP over a Unix socket, and the standard streams of a child process."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, ClassVar

from cpex import _core
from cpex.framework._lazy import names_from
from cpex.framework._signature import plugin_error
from cpex.framework.base import ExternalHookRef as ExternalHookRef
from cpex.framework.constants import CONTEXT as CONTEXT
from cpex.framework.constants import ERROR as ERROR
from cpex.framework.constants import GET_PLUGIN_CONFIG as GET_PLUGIN_CONFIG
from cpex.framework.constants import HOOK_TYPE as HOOK_TYPE
from cpex.framework.constants import IGNORE_CONFIG_EXTERNAL as IGNORE_CONFIG_EXTERNAL
from cpex.framework.constants import INVOKE_HOOK as INVOKE_HOOK
from cpex.framework.constants import NAME as NAME
from cpex.framework.constants import PAYLOAD as PAYLOAD
from cpex.framework.constants import PLUGIN_NAME as PLUGIN_NAME
from cpex.framework.constants import PYTHON_SUFFIX as PYTHON_SUFFIX
from cpex.framework.constants import RESULT as RESULT
from cpex.framework.external._client import RemotePlugin
from cpex.framework.external._options import (
    Pooling,
    StartedServer,
    TlsFiles,
    addresses,
    connect_timeout,
    options,
    tls_files,
)
from cpex.framework.models import MCPClientConfig, MCPClientTLSConfig, TransportType
from cpex.framework.settings import get_http_client_settings, get_ssrf_settings

__all__ = ["ExternalHookRef", "ExternalPlugin"]

if not TYPE_CHECKING:
    __getattr__ = names_from(
        __name__,
        {
            "cpex.framework.base": (
                "HookRef",
                "Plugin",
                "PluginRef",
            ),
            "cpex.framework.errors": (
                "PluginError",
                "convert_exception_to_error",
            ),
            "cpex.framework.external.mcp.tls_utils": ("create_ssl_context",),
            "cpex.framework.hooks.registry": ("get_hook_registry",),
            "cpex.framework.models": (
                "PluginConfig",
                "PluginContext",
                "PluginErrorModel",
                "PluginPayload",
                "PluginResult",
            ),
        },
    )

logger = logging.getLogger(__name__)


class ExternalPlugin(RemotePlugin):
    """A plugin on an MCP server."""

    _DROPS_NONE: ClassVar[bool] = True
    _TELLS_EMPTY_STATE: ClassVar[bool] = True

    def _make_client(self) -> _core.ExternalClient:
        mcp = self._config.mcp
        if mcp is None:
            raise plugin_error(f"External plugin '{self.name}' has no section 'mcp'", self.name)
        if mcp.proto is TransportType.STDIO:
            return self._started(mcp)
        if mcp.proto is TransportType.STREAMABLEHTTP:
            return self._over_http(mcp)
        raise plugin_error(f"{self._NOT_CONNECTED}: {mcp.proto.value} is not spoken, use STREAMABLEHTTP", self.name)

    def _started(self, mcp: MCPClientConfig) -> _core.ExternalClient:
        server: StartedServer = {
            "cmd": mcp.cmd,
            "script": mcp.script,
            "env": list((mcp.env or {}).items()),
            "cwd": mcp.cwd,
            "python": sys.executable,
        }
        return _core.ExternalClient.stdio(self.name, server, options(mcp))

    def _over_http(self, mcp: MCPClientConfig) -> _core.ExternalClient:
        http = get_http_client_settings()
        is_set = "httpx_connect_timeout" in http.model_fields_set
        usual = {"usual": http.httpx_connect_timeout} if is_set else {}
        chosen = options(
            mcp,
            timeout=http.httpx_read_timeout,
            connect_timeout=connect_timeout(self._config, mcp, **usual),
            calls=http.httpx_max_connections,
            turn=http.httpx_pool_timeout,
        )
        guard = get_ssrf_settings()
        pooling: Pooling = {
            "write": http.httpx_write_timeout,
            "idle": http.httpx_max_keepalive_connections,
            "expiry": http.httpx_keepalive_expiry,
            "public_only": guard.ssrf_protection_enabled and guard.ssrf_check_addresses,
        }
        return _core.ExternalClient.http(self.name, addresses(mcp), mcp.uds, self._tls(mcp), pooling, chosen)

    def _tls(self, mcp: MCPClientConfig) -> TlsFiles:
        from_env = None if mcp.tls is not None else MCPClientTLSConfig.from_env()
        if mcp.uds:
            if from_env is not None:
                logger.warning("Plugin '%s' is reached over a Unix socket: PLUGINS_CLIENT_MTLS_* is ignored", self.name)
            return tls_files(MCPClientTLSConfig())
        tls = mcp.tls or from_env
        if tls is None:
            tls = MCPClientTLSConfig(verify=not get_http_client_settings().skip_ssl_verify)
        if not tls.verify:
            logger.warning("Plugin '%s': the certificate of its server is not verified", self.name)
        return tls_files(tls)
