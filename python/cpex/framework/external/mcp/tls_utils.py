"""TLS of MCP clients for Python's own HTTP clients. External plugins do not need it: their TLS is Rust's."""

from __future__ import annotations

import logging
import ssl
from typing import TYPE_CHECKING

from cpex.framework._lazy import names_from
from cpex.framework._signature import plugin_error
from cpex.framework.models import MCPClientTLSConfig

__all__ = ["create_ssl_context"]

if not TYPE_CHECKING:
    __getattr__ = names_from(
        __name__,
        {
            "cpex.framework.errors": ("PluginError",),
            "cpex.framework.models": ("PluginErrorModel",),
        },
    )

logger = logging.getLogger(__name__)


def create_ssl_context(tls_config: MCPClientTLSConfig, plugin_name: str) -> ssl.SSLContext:
    """Make a context of TLS 1.2 or later.

    Args:
        tls_config: Certificates and checks.
        plugin_name: Name of the plugin, for messages.

    Returns:
        The context: it believes the system's authorities and those of `ca_bundle`.

    Raises:
        PluginError: If a file cannot be used; the message says nothing of what is in it.
    """
    try:
        context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if tls_config.ca_bundle:
            context.load_verify_locations(cafile=tls_config.ca_bundle)
        if tls_config.certfile:
            # A password that is None would be asked for at the terminal.
            password = tls_config.keyfile_password or ""
            context.load_cert_chain(tls_config.certfile, tls_config.keyfile, password)
    except (OSError, ValueError) as error:
        text = f"Failed to configure SSL context for plugin '{plugin_name}': {error}"
        raise plugin_error(text, plugin_name) from error
    if not tls_config.verify:
        logger.warning("Plugin '%s': the certificate of its server is not verified", plugin_name)
    context.check_hostname = tls_config.verify and tls_config.check_hostname
    context.verify_mode = ssl.CERT_REQUIRED if tls_config.verify else ssl.CERT_NONE
    return context
