"""Credentials and channels of the package `grpcio`. External plugins do not need it: their gRPC is Rust's."""

from __future__ import annotations

import logging
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from cpex.framework.models import GRPCClientTLSConfig, GRPCServerTLSConfig

__all__ = ["create_client_credentials", "create_insecure_channel", "create_secure_channel", "create_server_credentials"]

logger = logging.getLogger(__name__)

_OPTIONS = (("grpc.max_send_message_length", 16 * 1024 * 1024), ("grpc.max_receive_message_length", 16 * 1024 * 1024))


def create_client_credentials(tls_config: GRPCClientTLSConfig, plugin_name: str = "unknown") -> Any:
    """Make the credentials of a channel.

    Args:
        tls_config: Certificates and checks. `grpcio` always verifies the server: with `verify: false`, on the word of
            its own authorities.
        plugin_name: Name of the plugin, for messages.

    Returns:
        A `grpc.ChannelCredentials`.

    Raises:
        RuntimeError: If `grpcio` is not installed, or a file cannot be read.
    """
    grpc = _grpc()
    if not tls_config.verify:
        logger.warning("Plugin '%s': grpcio cannot do without verifying the server", plugin_name)
    try:
        authorities = _read(tls_config.ca_bundle) if tls_config.verify else None
        return grpc.ssl_channel_credentials(authorities, _read(tls_config.keyfile), _read(tls_config.certfile))
    except OSError as error:
        raise RuntimeError(f"Failed to configure TLS for plugin '{plugin_name}': {error}") from error


def create_insecure_channel(target: str) -> Any:
    """Make a channel without TLS.

    Args:
        target: Address of the server.

    Returns:
        A `grpc.aio.Channel`.

    Raises:
        RuntimeError: If `grpcio` is not installed.
    """
    return _grpc().aio.insecure_channel(target, options=_OPTIONS)


def create_secure_channel(target: str, tls_config: GRPCClientTLSConfig, plugin_name: str = "unknown") -> Any:
    """Make a channel with TLS.

    Args:
        target: Address of the server.
        tls_config: Certificates and checks.
        plugin_name: Name of the plugin, for messages.

    Returns:
        A `grpc.aio.Channel`.

    Raises:
        RuntimeError: If `grpcio` is not installed, or a file cannot be read.
    """
    credentials = create_client_credentials(tls_config, plugin_name)
    return _grpc().aio.secure_channel(target, credentials, options=_OPTIONS)


def create_server_credentials(tls_config: GRPCServerTLSConfig) -> Any:
    """Make the credentials of a server.

    Args:
        tls_config: Certificates, and whether clients need one.

    Returns:
        A `grpc.ServerCredentials`.

    Raises:
        ValueError: If certificate or key is missing, or there is nobody to believe clients on the word of.
        RuntimeError: If `grpcio` is not installed, or a file cannot be read.
    """
    if not tls_config.certfile or not tls_config.keyfile:
        raise ValueError("Server certificate (certfile) and private key (keyfile) are required for gRPC TLS")
    if tls_config.client_auth == "require" and not tls_config.ca_bundle:
        raise ValueError("CA bundle (ca_bundle) is required for gRPC TLS with client_auth 'require'")
    grpc = _grpc()
    try:
        pair = (_read(tls_config.keyfile), _read(tls_config.certfile))
        authorities = _read(tls_config.ca_bundle) if tls_config.client_auth != "none" else None
        return grpc.ssl_server_credentials([pair], authorities, require_client_auth=tls_config.client_auth == "require")
    except OSError as error:
        raise RuntimeError(f"Failed to configure TLS for the gRPC server: {error}") from error


def _read(path: str | None) -> bytes | None:
    return Path(path).read_bytes() if path else None


def _grpc() -> ModuleType:
    try:
        import_module("grpc.aio")
        return import_module("grpc")
    except ImportError as error:
        raise RuntimeError("this needs the package grpcio: pip install grpcio") from error
