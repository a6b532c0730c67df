"""The command `cpex serve`."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.text import Text

from cpex.framework.external._server.listen import Listen, ServeOptions, Tls, placed
from cpex.framework.external._server.program import level_of, log_to_stderr
from cpex.framework.external._server.service import Service
from cpex.framework.external.mcp.server.server import ExternalPluginServer
from cpex.framework.models import Config

from ._load import failures, load_config
from ._log import shown_log
from ._problem import Problem, UnusableError
from ._report import print_problems
from ._systemd import notify

EXIT_UNUSABLE = 2

_TLS = "TLS"
_ACCESS = "Who may call"
_LIMITS = "Limits"
_TRANSPORTS = {"mcp": "http", "http": "http", "grpc": "grpc", "unix": "unix", "stdio": "stdio"}


class ClientAuth(str, Enum):
    """Whether clients are asked for a certificate."""

    NONE = "none"
    OPTIONAL = "optional"
    REQUIRE = "require"


class _Server(ExternalPluginServer):
    """A server that does not start without one of its plugins."""

    def __init__(self, path: Path, config: Config) -> None:
        super().__init__(str(path))
        self._path, self._loaded = path, config

    async def initialize(self) -> bool:
        try:
            initialized = await super().initialize()
        except RuntimeError as error:
            problems = list(failures(self._plugin_manager, self._loaded, self._path))
            raise UnusableError(problems or [Problem(str(self._path), str(error))]) from error
        problems = list(failures(self._plugin_manager, self._loaded, self._path))
        if problems:
            raise UnusableError(problems)
        return initialized


def serve(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="The plugin config, a YAML file.")],
    transport: Annotated[
        list[str] | None,
        typer.Option(
            "--transport",
            "-t",
            metavar="NAME[=ADDRESS]",
            help="mcp (over HTTP), grpc, unix or stdio (MCP); may be repeated. ADDRESS: PORT, HOST:PORT or a path.",
        ),
    ] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on; else this machine alone.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port to listen on; 0 is any free one.")] = None,
    uds: Annotated[str | None, typer.Option(metavar="PATH", help="Unix socket to listen on instead.")] = None,
    status: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Answer /health, /ready and /metrics here too, without TLS."),
    ] = None,
    status_token_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", rich_help_panel=_ACCESS, help="The token for /metrics there; else it needs none."),
    ] = None,
    tls_cert: Annotated[
        Path | None, typer.Option(metavar="FILE", rich_help_panel=_TLS, help="The certificate (PEM).")
    ] = None,
    tls_key: Annotated[Path | None, typer.Option(metavar="FILE", rich_help_panel=_TLS, help="Its key (PEM).")] = None,
    tls_key_password_env: Annotated[
        str | None,
        typer.Option(metavar="NAME", rich_help_panel=_TLS, help="Variable with an encrypted key's password."),
    ] = None,
    tls_ca: Annotated[
        Path | None, typer.Option(metavar="FILE", rich_help_panel=_TLS, help="Who signs clients' certificates (PEM).")
    ] = None,
    client_auth: Annotated[
        ClientAuth | None,
        typer.Option(rich_help_panel=_TLS, help="Ask clients for a certificate; `require` with --tls-ca."),
    ] = None,
    insecure: Annotated[
        bool, typer.Option("--insecure", rich_help_panel=_TLS, help="Serve without TLS where other machines reach it.")
    ] = False,
    token_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", rich_help_panel=_ACCESS, help="The bearer token that peers must show."),
    ] = None,
    token_env: Annotated[
        str | None, typer.Option(metavar="NAME", rich_help_panel=_ACCESS, help="Variable that holds the token.")
    ] = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", rich_help_panel=_ACCESS, help="Name by which the server may be called."),
    ] = None,
    allow_origin: Annotated[
        list[str] | None, typer.Option(metavar="URL", rich_help_panel=_ACCESS, help="Web page that may call.")
    ] = None,
    allow_client: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KIND:NAME",
            rich_help_panel=_ACCESS,
            help="Name that a client's certificate must have: dns, uri, email or cn.",
        ),
    ] = None,
    stateless: Annotated[
        bool, typer.Option("--stateless", help="MCP without sessions: replicas behind one address share the calls.")
    ] = False,
    max_connections: Annotated[int, typer.Option(min=1, rich_help_panel=_LIMITS, help="Connections at a time.")] = 1024,
    max_calls: Annotated[int, typer.Option(min=1, rich_help_panel=_LIMITS, help="Calls at a time.")] = 256,
    max_message: Annotated[
        int, typer.Option(min=1024, metavar="BYTES", rich_help_panel=_LIMITS, help="Size of one message.")
    ] = 16 * 1024 * 1024,
    grace: Annotated[
        float, typer.Option(min=0, metavar="SECONDS", rich_help_panel=_LIMITS, help="For calls under way at the end.")
    ] = 5.0,
    log_level: Annotated[str, typer.Option(metavar="LEVEL", help="Least level of log records on stderr.")] = "WARNING",
) -> None:
    """Serve the plugins of a config to other processes, until SIGINT or SIGTERM.

    Hosts name the server in their own config: `kind: external` with `mcp`, `grpc` or `unix_socket`. Without an address
    a transport listens where CONFIG (server_settings, grpc_server_settings, unix_socket_server_settings) or the
    environment says, else on this machine alone. MCP over HTTP also answers /health, /ready and /metrics. With `unix`
    the line READY on standard output says that calls are taken. A plugin that cannot be loaded ends the start.

    Examples:

    * `cpex serve plugins.yaml`
    * `cpex serve plugins.yaml -t grpc --host 0.0.0.0 --tls-cert server.pem --tls-key server.key --tls-ca clients.pem`
    * `cpex serve plugins.yaml -t mcp=8000 -t grpc=50051 -t unix=/run/cpex/plugins.sock`

    Exit status:

    * 0: stopped by a signal, or the other end of the standard streams is gone
    * 2: CONFIG cannot be used, or it cannot listen there
    """
    errors = Console(stderr=True)
    try:
        options: ServeOptions = {
            "uds": uds,
            "tls": _tls(tls_cert, tls_key, tls_key_password_env, tls_ca, client_auth),
            "insecure": insecure,
            "token": _call_token(token_file, token_env),
            "grace": grace,
        }
        with _explained(str(config)), ExitStack() as starting:
            starting.enter_context(shown_log(errors, verbose=False))
            server = _Server(config, load_config(config))
            places = [_placed(server, each) for each in transport or ["mcp"]]
            limits: dict[str, Any] = {
                "max_connections": max_connections,
                "max_calls": max_calls,
                "max_message": max_message,
                "allowed_hosts": tuple(allow_host or ()),
                "allowed_origins": tuple(allow_origin or ()),
                "allowed_clients": tuple(allow_client or ()),
                "sessions": not stateless,
            }
            listens = [replace(place, **limits) for place in placed(places, host, port, options)]
            if status is not None:
                # Neither calls nor payloads go there. Who reads metrics, in the clear, gets no right to call.
                token = _token("--status-token-file", status_token_file)
                place = Listen(transport="status", insecure=True, token=token, grace=grace)
                listens.append(_addressed(place, status, "--status"))
            service = Service(server, listens)

            def announce(service: Service) -> None:
                starting.close()
                log_to_stderr(level_of(log_level))
                _announce(service, config, errors)
                notify("READY=1")
                if any(listen.transport == "unix" for listen in listens):
                    print("READY", flush=True)

            asyncio.run(service.run_until_signal(announce))
    except UnusableError as error:
        print_problems(errors, error.problems)
        raise typer.Exit(EXIT_UNUSABLE) from error


@contextmanager
def _explained(config: str) -> Iterator[None]:
    """Makes of what keeps a server from starting something that a person can mend."""
    try:
        yield
    except OSError as error:
        raise UnusableError([Problem("cpex serve", str(error))]) from error
    except ValueError as error:
        hint = "--tls-cert and --tls-key, or --insecure" if "refusing to serve without TLS" in str(error) else ""
        raise UnusableError([Problem("cpex serve", str(error), hint)]) from error
    except RuntimeError as error:
        raise UnusableError([Problem(config, str(error))]) from error


def _announce(service: Service, config: Path, errors: Console) -> None:
    plugins = service.plugin_count
    head = f"serving {plugins} plugin{'' if plugins == 1 else 's'} of {config}"
    errors.print(Text(head, style="bold"), soft_wrap=True, highlight=False)
    for address in service.addresses:
        errors.print(Text(f"  {address}"), soft_wrap=True, highlight=False)


def _placed(server: ExternalPluginServer, text: str) -> Listen:
    """Reads `NAME[=ADDRESS]`."""
    name, _, address = text.partition("=")
    if name not in _TRANSPORTS:
        _misused("--transport", f"{name!r} is none of mcp, grpc, unix, stdio")
    place = server._place(_TRANSPORTS[name])
    if not address:
        return place
    if place.transport == "stdio":
        _misused("--transport", "stdio has no address")
    return _addressed(place, address, "--transport")


def _addressed(place: Listen, address: str, option: str) -> Listen:
    """Reads `PORT`, `HOST:PORT` or a path."""
    if "/" in address or place.transport == "unix":
        return replace(place, uds=address)
    host, _, port = address.rpartition(":")
    if not (port.isascii() and port.isdigit() and int(port) < 1 << 16):
        _misused(option, f"{address!r} is no PORT, HOST:PORT or path")
    return replace(place, host=host.strip("[]") or place.host, port=int(port), uds=None)


def _tls(
    certificate: Path | None,
    key: Path | None,
    password_variable: str | None,
    authorities: Path | None,
    client_auth: ClientAuth | None,
) -> Tls | None:
    if certificate is None:
        if key or password_variable or authorities or client_auth:
            _misused("--tls-cert", "the other TLS options need it")
        return None
    if client_auth is None:
        client_auth = ClientAuth.NONE if authorities is None else ClientAuth.REQUIRE
    if client_auth is not ClientAuth.NONE and authorities is None:
        _misused("--client-auth", f"{client_auth.value} needs --tls-ca: who signs clients' certificates")
    return Tls(
        certfile=str(certificate),
        keyfile=str(key) if key else None,
        keyfile_password=_variable("--tls-key-password-env", password_variable),
        ca_bundle=str(authorities) if authorities else None,
        client_auth=client_auth.value,
    )


def _call_token(file: Path | None, variable: str | None) -> str | None:
    if file is None:
        return _variable("--token-env", variable)
    if variable is not None:
        _misused("--token-file", "it and --token-env exclude each other")
    return _token("--token-file", file)


def _token(option: str, file: Path | None) -> str | None:
    if file is None:
        return None
    try:
        token = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        _misused(option, f"cannot read {file}: {(reason or 'unknown').lower()}")
    if not token:
        _misused(option, f"{file} is empty: an empty token lets nobody in")
    return token


def _variable(option: str, name: str | None) -> str | None:
    if name is None:
        return None
    value = os.environ.get(name, "")
    if not value:
        _misused(option, f"the variable {name} is not set")
    return value


def _misused(option: str, problem: str) -> NoReturn:
    raise typer.BadParameter(problem, param_hint=option)
