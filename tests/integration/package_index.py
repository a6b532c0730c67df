"""A package index on a real socket: the simple API as HTML or JSON, and the JSON API of PyPI."""

import hashlib
import json
import threading
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self


class Publishes(Enum):
    """Where the index says what the hashes are."""

    SIMPLE_JSON = "as JSON in the simple API"
    SIMPLE_HTML = "in the links of the simple API"
    PYPI_JSON = "in the JSON API only"
    NOTHING = "nowhere"


class PackageIndex:
    """An index that serves the files of a folder.

    Attributes:
        hashes: What it publishes; read at each request.
        requests: The paths asked for.
        tampered: Names of files that are served with bytes of somebody else's.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.hashes = Publishes.SIMPLE_JSON
        self.requests: list[str] = []
        self.tampered: dict[str, bytes] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())

    @property
    def url(self) -> str:
        """Its simple API."""
        return f"http://127.0.0.1:{self._server.server_port}/simple/"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, path: str) -> tuple[str, bytes] | None:
        """What is answered to a path: content type and body; None is not found."""
        match path.strip("/").split("/"):
            case ["files", filename]:
                return "application/octet-stream", self.tampered.get(filename) or (self.folder / filename).read_bytes()
            case ["simple", name] if files := self._files(name):
                if self.hashes is Publishes.SIMPLE_JSON:
                    listed = [
                        {"filename": file, "url": f"/files/{file}", "hashes": {"sha256": digest}}
                        for file, digest in files.items()
                    ]
                    body = {"meta": {"api-version": "1.0"}, "name": name, "files": listed}
                    return "application/vnd.pypi.simple.v1+json", json.dumps(body).encode()
                in_links = self.hashes is Publishes.SIMPLE_HTML
                links = (
                    f'<a href="/files/{file}{f"#sha256={digest}" if in_links else ""}">{file}</a>'
                    for file, digest in files.items()
                )
                return "text/html", f"<!DOCTYPE html><html><body>{''.join(links)}</body></html>".encode()
            case ["pypi", name, "json"] if (files := self._files(name)) and self.hashes is Publishes.PYPI_JSON:
                listed = [{"filename": file, "digests": {"sha256": digest}} for file, digest in files.items()]
                return "application/json", json.dumps({"releases": {"1.0.0": listed}}).encode()
        return None

    def _files(self, name: str) -> dict[str, str]:
        found = sorted(self.folder.glob(f"{name.replace('-', '_')}-*"))
        return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in found}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        index = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.wfile.write(self.answer())

            def do_HEAD(self) -> None:
                self.answer()

            def answer(self) -> bytes:
                index.requests.append(self.path)
                answer = index.answer(self.path)
                kind, body = answer or ("text/plain", b"not found")
                self.send_response(200 if answer else 404)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                return body

            def log_message(self, format: str, *args: object) -> None:
                pass

        return Handler
