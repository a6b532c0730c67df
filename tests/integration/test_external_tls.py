"""Plugins on a server with TLS that lets in those who have a certificate and a token (W50-W54, the seed page)."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.integration.certificates import Authority
from tests.integration.server_process import PLUGIN, Place, ServerProcess, free_port

from cpex.framework import ConfigLoader, GlobalContext, TenantPluginManager
from cpex.framework.hooks.tools import ToolPreInvokePayload

TOKEN = "a-t0ken-of-the-test"
PASSWORD = "open-s3same"


@dataclass
class Guarded:
    """A server, what it asks for, and what is shown to it."""

    place: Place
    grpc: int
    authority: Authority
    name: str

    def start(self) -> ServerProcess:
        certificate, key = self.authority.identity(self.name)
        config = self.place.write("server.yaml", PLUGIN)
        words = ["-m", "cpex", "serve", str(config), f"-tmcp={self.place.port}", f"-tgrpc=127.0.0.1:{self.grpc}"]
        words += ["--tls-cert", str(certificate), "--tls-key", str(key), "--tls-ca", str(self.authority.bundle)]
        return ServerProcess(self.place, *words, "--token-env", "SERVER_TOKEN", SERVER_TOKEN=TOKEN)

    def shown(self) -> dict[str, str]:
        """A certificate of a client, and its key, which is encrypted."""
        certificate, key = self.authority.identity("client")
        locked = key.with_suffix(".locked")
        words = ["openssl", "pkcs8", "-topk8", "-in", str(key), "-out", str(locked), "-passout", f"pass:{PASSWORD}"]
        subprocess.run(words, check=True, capture_output=True)
        bundle = str(self.authority.bundle)
        files = {"certfile": str(certificate), "keyfile": str(locked), "keyfile_password": PASSWORD}
        return {**files, "ca_bundle": bundle}

    async def outcome(self, transport: str, token: str | None = TOKEN, path: str = "/mcp", **tls: Any) -> str:
        """`PROBE`, the code of the plugin's denial, or why the plugin is not loaded."""
        where = {"target": f"localhost:{self.grpc}"}
        if transport == "mcp":
            where = {"proto": "STREAMABLEHTTP", "url": f"https://localhost:{self.place.port}{path}"}
        section = {**where, "tls": {name: value for name, value in tls.items() if value is not None}, "token": token}
        entry = {"name": "ProbePlugin", "kind": "external", "hooks": ["tool_pre_invoke"], transport: section}
        config = ConfigLoader.load_config(str(self.place.write("host.yaml", entry)))
        manager = TenantPluginManager(config, timeout=60)
        await manager.initialize()
        try:
            if manager.load_failures:
                return manager.load_failures[0].error
            payload = ToolPreInvokePayload(name="deny")
            result, _ = await manager.invoke_hook("tool_pre_invoke", payload, GlobalContext(request_id="1"))
            assert result.violation is not None and not result.continue_processing
            return result.violation.code
        finally:
            await manager.shutdown()


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    folder = tmp_path_factory.mktemp("guarded")
    guarded = Guarded(Place(folder), free_port(), Authority(folder), "localhost")
    with guarded.start():
        yield guarded


@pytest.mark.parametrize("transport", ["mcp", "grpc"])
async def test_who_shows_all_that_is_asked_for_is_let_in(guarded: Guarded, transport: str) -> None:
    assert await guarded.outcome(transport, **guarded.shown()) == "PROBE"


async def test_the_entry_of_the_seed_page(guarded: Guarded) -> None:
    """Its URL has no path, and its key no password."""
    certificate, key = guarded.authority.identity("client")
    tls = {"certfile": str(certificate), "keyfile": str(key), "ca_bundle": str(guarded.authority.bundle)}
    assert await guarded.outcome("mcp", path="", **tls) == "PROBE"


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "another authority": ({"ca_bundle": "other/ca.pem"}, "UnknownIssuer"),
    "no certificate": ({"certfile": None, "keyfile": None, "keyfile_password": None}, "tls.certfile names none"),
    "a certificate of another authority": (
        {"certfile": "other/client.pem", "keyfile": "other/client.key", "keyfile_password": None},
        "the server may not accept the client certificate in tls.certfile",
    ),
    "no password": ({"keyfile_password": None}, "the key in {folder}/client.locked is encrypted: set its password"),
    "another password": ({"keyfile_password": "wr0ng"}, "cannot be decrypted with the password that is set"),
    "another token": ({"token": "wr0ng"}, "token"),
    "no token": ({"token": None}, "token"),
}


@pytest.mark.parametrize("transport", ["mcp", "grpc"])
@pytest.mark.parametrize("what", WRONG)
async def test_who_does_not_is_told_why(
    guarded: Guarded, transport: str, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    changed, problem = WRONG[what]
    folder = guarded.place.folder
    if not (folder / "other").exists():
        (folder / "other").mkdir()
        Authority(folder / "other", "another authority").identity("client")
    changed = {name: str(folder / value) if "other/" in str(value) else value for name, value in changed.items()}
    told = await guarded.outcome(transport, **{**guarded.shown(), **changed})
    assert problem.format(folder=folder) in told
    assert not any(secret in told + caplog.text for secret in (TOKEN, PASSWORD, "wr0ng"))


@pytest.mark.parametrize("transport", ["mcp", "grpc"])
async def test_a_server_of_another_name(guarded: Guarded, tmp_path: Path, transport: str) -> None:
    elsewhere = Guarded(Place(tmp_path), free_port(), guarded.authority, "elsewhere")
    with elsewhere.start():
        assert 'not valid for name "localhost"' in await elsewhere.outcome(transport, **guarded.shown())
