"""A metering endpoint on this machine that keeps what it is sent."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, Self

import jwt

# As in `cases/cpex-ica-metering-exporter.yaml`.
JWT_SECRET: Final = "a secret of at least thirty-two bytes"
_OF_THE_CONNECTION: Final = ("host", "content-length")
_OF_THE_CLOCK: Final = ("iat", "exp")


class _Handler(BaseHTTPRequestHandler):
    """Answers requests below `/broken` with status 500, all others with 202."""

    server: "Collector"

    def do_POST(self) -> None:
        """Keeps the request."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        headers: dict[str, Any] = {name.lower(): value for name, value in self.headers.items()}
        for name in _OF_THE_CONNECTION:
            headers.pop(name, None)
        if "authorization" in headers:
            headers["authorization"] = _claims(headers["authorization"])
        self.server.received.append({"path": self.path, "headers": headers, "body": body})
        self.send_response(500 if self.path.startswith("/broken") else 202)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


def _claims(authorization: str) -> dict[str, Any]:
    """Returns what a bearer token says, but for the time; its signature must be right."""
    claims: dict[str, Any] = jwt.decode(authorization.removeprefix("Bearer "), JWT_SECRET, algorithms=["HS256"])
    return {name: value for name, value in claims.items() if name not in _OF_THE_CLOCK}


class Collector(ThreadingHTTPServer):
    """An HTTP server on a free port."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.received: list[dict[str, Any]] = []
        self.url = f"http://127.0.0.1:{self.server_port}"

    def take(self) -> list[dict[str, Any]]:
        """Returns the requests since the last time and forgets them."""
        received, self.received = self.received, []
        return received

    @classmethod
    @contextmanager
    def running(cls) -> Iterator[Self]:
        """Returns a collector that answers until the end of the block."""
        with cls() as collector:
            thread = threading.Thread(target=collector.serve_forever)
            thread.start()
            try:
                yield collector
            finally:
                collector.shutdown()
                thread.join()
