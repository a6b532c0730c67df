"""A decision point that says what a test tells it to: real sockets, one thread a connection."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple, Self

Answer = Callable[["Connection"], None]


class Request(NamedTuple):
    """What a resolver sent."""

    path: str
    headers: dict[str, str]
    body: Any


class Connection(BaseHTTPRequestHandler):
    """One connection; `answer` of the server writes the responses."""

    protocol_version = "HTTP/1.1"
    server: DecisionPoint

    def setup(self) -> None:
        super().setup()
        self.server.connections += 1

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.requests.append(Request(self.path, dict(self.headers), json.loads(body)))
        try:
            self.server.answer(self)
        except OSError:
            self.close_connection = True

    def finish(self) -> None:
        with suppress(OSError):
            super().finish()
        self.server.finished.release()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def write(self, status: int, body: bytes, **headers: str) -> None:
        """Write a whole response."""
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class DecisionPoint(ThreadingHTTPServer):
    """The server. `requests` is what it was asked, `connections` how often somebody connected."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Connection)
        self.requests: list[Request] = []
        self.connections = 0
        self.finished = threading.Semaphore(0)
        self.answer: Answer = says({"result": True, "decision": True})

    @property
    def url(self) -> str:
        """Address without a path."""
        return f"http://127.0.0.1:{self.server_port}"

    def __enter__(self) -> Self:
        # The handler must be there before the first request; `shutdown()` waits at most this long.
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.shutdown()
        self.server_close()


def says(answer: Any, status: int = 200, **headers: str) -> Answer:
    """Answer with JSON."""
    return sends(json.dumps(answer).encode(), status, **headers)


def sends(body: bytes, status: int = 200, **headers: str) -> Answer:
    """Answer with some bytes."""
    return lambda connection: connection.write(status, body, **headers)
