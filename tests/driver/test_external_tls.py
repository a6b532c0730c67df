"""TLS of external plugins: whom a server is believed on the word of, and what is shown to it (W50-W54)."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from cpex.framework import GlobalContext, PluginConfig, PluginError, TenantPluginManager
from cpex.framework.external.mcp.tls_utils import create_ssl_context
from cpex.framework.hooks.tools import ToolPreInvokePayload
from cpex.framework.models import Config, MCPClientTLSConfig
from cpex.framework.settings import settings

from .world import HOOK

SCRIPT = Path(__file__).with_name("plugin_server.py")
PASSWORD = "open-sesame"

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")

Serve: TypeAlias = Callable[..., int]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An authority, certificates of it for two names and a client, and the client's key encrypted."""
    directory = tmp_path_factory.mktemp("tls")
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]

    def openssl(*words: str) -> None:
        subprocess.run(["openssl", *words], cwd=directory, check=True, capture_output=True)

    openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=ca")
    for name in ("localhost", "elsewhere", "client"):
        (directory / "names").write_text(f"subjectAltName=DNS:{name}")
        openssl("req", *key, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        signed = ["-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2"]
        openssl("x509", "-req", *signed, "-extfile", "names", "-out", f"{name}.crt")
        whole = (directory / f"{name}.crt").read_text() + (directory / f"{name}.key").read_text()
        (directory / f"{name}.pem").write_text(whole)
    locked = ["-in", "client.key", "-out", "locked.key", "-passout", f"pass:{PASSWORD}"]
    openssl("pkcs8", "-topk8", "-v2", "aes-256-cbc", *locked)
    return directory


@pytest.fixture
def serve(files: Path) -> Iterator[Serve]:
    """Starts a server with a certificate; the port."""
    started = []

    def start(name: str, *authority: str) -> int:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port: int = free.getsockname()[1]
        words = [sys.executable, str(SCRIPT), "http", str(port), f"{name}.pem", *authority]
        process = subprocess.Popen(words, cwd=files, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == b"READY\n"
        return port

    yield start
    for process in started:
        process.kill()
        process.communicate()


async def outcome(port: int, **tls: Any) -> str:
    """`denied`, as the plugin says, or why it is not loaded."""
    section: dict[str, Any] = {"proto": "STREAMABLEHTTP", "url": f"https://localhost:{port}/mcp"}
    section |= {"tls": tls} if tls else {}
    entry = PluginConfig(name="Probe", kind="external", mode="sequential", mcp=section)
    manager = TenantPluginManager(Config(plugins=[entry]))
    await manager.initialize()
    try:
        if manager.load_failures:
            return manager.load_failures[0].error
        payload = ToolPreInvokePayload(name="deny", args={})
        result, _ = await manager.invoke_hook(HOOK, payload, GlobalContext(request_id="1"))
        return "allowed" if result.continue_processing else "denied"
    finally:
        await manager.shutdown()


async def test_a_server_of_an_authority_that_is_believed(files: Path, serve: Serve) -> None:
    assert await outcome(serve("localhost"), ca_bundle=str(files / "ca.pem")) == "denied"


async def test_a_server_of_nobody_that_is_known(serve: Serve) -> None:
    port = serve("localhost")
    error = await outcome(port)
    assert error.startswith(
        f"External plugin 'Probe' connection failed after 3 attempts: https://localhost:{port}/mcp is"
    )
    assert "UnknownIssuer" in error
    assert await outcome(port, verify=False) == "denied"


async def test_a_server_under_another_name(files: Path, serve: Serve) -> None:
    port, bundle = serve("elsewhere"), str(files / "ca.pem")
    assert "not valid for name" in await outcome(port, ca_bundle=bundle)
    assert await outcome(port, ca_bundle=bundle, check_hostname=False) == "denied"


async def test_another_name_is_not_another_authority(serve: Serve) -> None:
    assert "UnknownIssuer" in await outcome(serve("elsewhere"), check_hostname=False)


async def test_a_server_that_asks_for_a_certificate(files: Path, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    port = serve("localhost", "ca.pem")
    shown = {
        "certfile": str(files / "client.crt"),
        "keyfile": str(files / "locked.key"),
        "ca_bundle": str(files / "ca.pem"),
    }
    assert await outcome(port, **shown, keyfile_password=PASSWORD) == "denied"
    for wrong in ({}, {"keyfile_password": "wrong-secret"}):
        error = await outcome(port, **shown, **wrong)
        assert error.startswith("Failed to configure SSL context for plugin 'Probe': the key in ")
        assert "secret" not in error

    for name, value in {**shown, "keyfile_password": PASSWORD}.items():
        monkeypatch.setenv(f"PLUGINS_CLIENT_MTLS_{name.upper()}", value)
    settings.cache_clear()
    assert await outcome(port) == "denied"


async def test_verification_turned_off_by_the_environment(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """W19."""
    monkeypatch.setenv("PLUGINS_SKIP_SSL_VERIFY", "true")
    settings.cache_clear()
    assert await outcome(serve("localhost")) == "denied"
    assert "Plugin 'Probe': the certificate of its server is not verified" in caplog.text


class TestContext:
    """`create_ssl_context`, for Python's own clients."""

    def test_checks_by_default(self, files: Path) -> None:
        context = create_ssl_context(MCPClientTLSConfig(ca_bundle=str(files / "ca.pem")), "p")
        assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
        assert context.minimum_version == ssl.TLSVersion.TLSv1_2
        assert "ca" in str(context.get_ca_certs())

    @pytest.mark.parametrize(
        ("fields", "checks"),
        [({"check_hostname": False}, (ssl.CERT_REQUIRED, False)), ({"verify": False}, (ssl.CERT_NONE, False))],
    )
    def test_checks_less(self, fields: dict[str, Any], checks: Any) -> None:
        context = create_ssl_context(MCPClientTLSConfig(**fields), "p")
        assert (context.verify_mode, context.check_hostname) == checks

    def test_a_locked_key(self, files: Path) -> None:
        shown = {"certfile": str(files / "client.crt"), "keyfile": str(files / "locked.key")}
        create_ssl_context(MCPClientTLSConfig(**shown, keyfile_password=PASSWORD), "p")
        with pytest.raises(PluginError, match="^Failed to configure SSL context for plugin 'p': "):
            create_ssl_context(MCPClientTLSConfig(**shown), "p")
