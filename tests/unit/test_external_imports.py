"""What external plugins need: no package beside CPEX (W87, B35)."""

from __future__ import annotations

import subprocess
import sys

import pytest

import cpex.framework.external
from cpex.framework.base import HookRef, Plugin
from cpex.framework.external import ExternalHookRef, ExternalPlugin, GrpcExternalPlugin
from cpex.framework.external.grpc import tls_utils
from cpex.framework.external.unix import UnixSocketExternalPlugin
from cpex.framework.models import GRPCServerTLSConfig

LOOK = """
import sys
import {module}
print(sorted({{name.partition(".")[0] for name in sys.modules}} & {{"mcp", "grpc", "google", "httpx", "fastapi"}}))
print("cpex.framework.external" in sys.modules)
"""


@pytest.mark.parametrize(
    ("module", "comes_along"),
    [
        ("cpex.framework", False),
        ("cpex.framework.external.mcp.client", True),
        ("cpex.framework.external.grpc.client", True),
        ("cpex.framework.external.unix.client", True),
    ],
)
def test_what_is_imported(module: str, comes_along: bool) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOOK.format(module=module)], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["[]", str(comes_along)]


def test_names() -> None:
    assert all(issubclass(kind, Plugin) for kind in (ExternalPlugin, GrpcExternalPlugin, UnixSocketExternalPlugin))
    assert issubclass(ExternalHookRef, HookRef)
    assert all(hasattr(cpex.framework.external, name) for name in cpex.framework.external.__all__)


def test_without_grpcio(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "grpc", None)
    monkeypatch.setitem(sys.modules, "grpc.aio", None)
    with pytest.raises(RuntimeError, match="pip install grpcio"):
        tls_utils.create_insecure_channel("localhost:1")


def test_a_server_needs_a_certificate_and_its_key() -> None:
    """W53."""
    with pytest.raises(ValueError, match=r"^Server certificate \(certfile\) and private key \(keyfile\) are required"):
        tls_utils.create_server_credentials(GRPCServerTLSConfig(client_auth="none"))
