"""A chat model behind the OpenAI protocol, with canned answers: `model.py PORT`."""

from __future__ import annotations

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Calls the first tool it is offered; without tools, says what it was asked and how warm it is set."""
    if request.get("tools"):
        call = {"name": request["tools"][0]["function"]["name"], "arguments": '{"city": "Oslo"}'}
        return {"role": "assistant", "content": None, "tool_calls": [{"id": "1", "type": "function", "function": call}]}
    words = str(request["messages"][-1]["content"])
    return {"role": "assistant", "content": f"{words} at {request.get('temperature')}"}


class Model(BaseHTTPRequestHandler):
    """Answers `POST …/chat/completions`."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        choice = {"index": 0, "message": answer(request), "finish_reason": "stop"}
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        response = {"id": "1", "object": "chat.completion", "created": 0, "model": request["model"]}
        body = json.dumps(response | {"choices": [choice], "usage": usage}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing: the test reads the answers."""


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Model).serve_forever()
