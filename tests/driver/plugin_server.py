"""A plugin server in plain Python: what it answers, and how it misbehaves, is what the tool is called.

Usage: plugin_server.py stdio | unix PATH | http PORT [CERTIFICATE [AUTHORITY_OF_CLIENTS]]
"""

import asyncio
import json
import os
import ssl
import struct
import sys
from typing import Any

NAME = "Probe"
CONFIG = {
    "name": NAME,
    "kind": "probe.Probe",
    "hooks": ["tool_pre_invoke", "tool_post_invoke", "prompt_pre_fetch", "prompt_post_fetch", "resource_pre_fetch"],
    "mode": "concurrent",
    "priority": 42,
    "tags": ["remote"],
    "config": {"alpha": 1},
    "capabilities": ["read_headers"],
    "required": True,
    "timeout_ms": 7,
    "mcp": {"proto": "HTTP"},
    "of_the_future": {},
}


class Broken(Exception):
    """No proper answer: these bytes, and then the end of the connection."""


async def answer(call: dict[str, Any]) -> dict[str, Any]:
    """What the plugin, or its server, says."""
    payload, context = call["payload"], call["context"]
    args = payload.get("args") or {}
    if isinstance(args, dict) and "journal" in args:
        with open(args["journal"], "a") as journal:
            journal.write(f"{os.getpid()}\n")
    result: dict[str, Any] = {"continue_processing": True}
    reply: dict[str, Any] = {"plugin_name": call["plugin_name"], "result": result, "of_the_future": 1}
    match payload.get("name"):
        case "modify":
            result["modified_payload"] = {"name": "m", "args": {**payload["args"], "f": 2.5, "ünï": "✓"}}
        case "sent":
            result["metadata"] = {"payload": payload, "context": context, "process": os.getpid()}
        case "state":
            context["state"]["k"] = {"v": 1}
            context["metadata"]["m"] = "md"
            context["global_context"]["state"]["g"] = [1, 2]
            context["global_context"]["state"].pop("gone", None)
            result |= {"http_headers": {"X-A": "b"}, "retry_delay_ms": 7}
            reply["context"] = context
        case "deny":
            violation: dict[str, Any] = {"reason": "no", "description": "d", "code": "PROBE"}
            violation["details"] = {"n": 1, "l": ["a", None, 1.5]}
            violation |= {"mcp_error_code": -32001, "http_status_code": 403, "http_headers": {"X-P": "1"}}
            result |= {"continue_processing": False, "violation": violation, "metadata": None}
            result["denial_metadata"] = {"ok": 1, "a text": "dropped", "text": "dropped"}
        case "deny, broken context":
            result |= {"continue_processing": False, "violation": {"reason": "no", "code": "PROBE"}}
            reply["context"] = {"state": []}
        case "broken context":
            reply["context"] = {"state": []}
        case "error":
            del reply["result"]
            reply["error"] = {"message": "perr", "plugin_name": NAME, "code": "PERR", "details": {"k": 1}}
        case "neither":
            del reply["result"]
        case "undecided":
            reply["result"] = {"metadata": {}}
        case "no payload":
            result["modified_payload"] = {"args": "a secret"}
        case "no decision":
            result["continue_processing"] = "a secret"
        case "other":
            reply["plugin_name"] = "Other"
        case "garbage":
            raise Broken(b"\xff\xfe garbage\n")
        case "silence":
            raise Broken(b"")
        case "crash":
            os._exit(1)
        case "crash, then answer" if not os.path.exists(args["asked"]):
            open(args["asked"], "x").close()
            os._exit(1)
        case "hang, then answer" if not os.path.exists(args["asked"]):
            open(args["asked"], "x").close()
            await asyncio.Event().wait()
        case "crash, then answer" | "hang, then answer":
            result["metadata"] = {"process": os.getpid()}
        case "wait":
            open(args["begun"], "x").close()
            while not os.path.exists(args["finish"]):
                await asyncio.sleep(0.01)
            open(args["ended"], "x").close()
        case "sleep":
            await asyncio.sleep(payload["args"]["seconds"])
            result["metadata"] = {"slept": True}
    return reply


async def tool(params: dict[str, Any]) -> dict[str, Any]:
    """The result of an MCP tool."""
    arguments = params["arguments"]
    if params["name"] == "get_plugin_config":
        said = CONFIG if arguments["name"].lower() == NAME.lower() else {}
    else:
        said = await answer(arguments)
    return {"content": [{"type": "text", "text": json.dumps(said)}], "isError": False}


async def message(text: bytes) -> bytes | None:
    """The answer to a JSON-RPC message; None if it needs none."""
    asked = json.loads(text)
    if "id" not in asked:
        return None
    match asked["method"]:
        case "initialize":
            result: dict[str, Any] = {"protocolVersion": "2025-11-25", "capabilities": {}}
            result["serverInfo"] = {"name": "probe", "version": "0"}
        case "tools/call":
            result = await tool(asked["params"])
        case _:
            result = {}
    return json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": result}).encode()


async def over_stdio() -> None:
    """Lines on the standard streams, each answered when its answer is there."""

    async def respond(line: bytes) -> None:
        try:
            said = await message(line)
        except Broken as broken:
            os.write(1, broken.args[0])
            os._exit(1)
        if said is not None:
            os.write(1, said + b"\n")

    loop, tasks = asyncio.get_running_loop(), set()
    while line := await loop.run_in_executor(None, sys.stdin.buffer.readline):
        tasks.add(asyncio.create_task(respond(line)))


async def over_http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Requests on one connection, answered with plain JSON."""
    try:
        while line := await reader.readline():
            headers = {}
            while (header := await reader.readline()).strip():
                name, _, value = header.decode().partition(":")
                headers[name.lower()] = value.strip()
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            said = await message(body) if line.startswith(b"POST") else b""
            head = "200 OK" if said else "202 Accepted"
            said = said or b""
            head = f"HTTP/1.1 {head}\r\ncontent-type: application/json\r\ncontent-length: {len(said)}\r\n\r\n"
            writer.write(head.encode() + said)
            await writer.drain()
    except Broken as broken:
        writer.write(broken.args[0])
    finally:
        writer.close()


def field(number: int, content: bytes) -> bytes:
    """A protobuf field of bytes."""

    def varint(value: int) -> bytes:
        return bytes([value & 0x7F | 0x80]) + varint(value >> 7) if value > 0x7F else bytes([value])

    return varint(number << 3 | 2) + varint(len(content)) + content


def fields(data: bytes) -> dict[int, bytes]:
    """The fields of bytes of a protobuf message; the last of each number."""
    found, at = {}, 0

    def varint() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7

    while at < len(data):
        number, length = varint() >> 3, varint()
        found[number] = data[at : at + length]
        at += length
    return found


async def frame(request: bytes) -> bytes:
    """The answer to a frame of a client that understands JSON texts."""
    asked = fields(request)
    if 2 not in asked:
        return b"\x08\x01" + b"".join(field(100, name) for name in (b"json", b"context")) if asked else b""
    context = fields(asked[4]).get(100)
    call = {
        "plugin_name": asked[2].decode(),
        "payload": json.loads(asked[100]),
        "context": json.loads(context) if context else {},
    }
    reply = await answer(call)
    said = field(1, reply["plugin_name"].encode())
    if "result" in reply:
        said += field(2, b"") + field(100, json.dumps(reply["result"]).encode())
    if "context" in reply:
        said += field(3, field(100, json.dumps(reply["context"]).encode()))
    if "error" in reply:
        error = reply["error"]
        code = bytes.fromhex("28a581feffffffffffff01")
        said += field(4, field(1, error["message"].encode()) + field(3, error["code"].encode()) + code)
    return said


async def over_unix(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Frames on one connection."""
    try:
        while True:
            (length,) = struct.unpack(">I", await reader.readexactly(4))
            said = await frame(await reader.readexactly(length))
            writer.write(struct.pack(">I", len(said)) + said)
            await writer.drain()
    except Broken as broken:
        writer.write(broken.args[0])
    except asyncio.IncompleteReadError:
        pass
    finally:
        writer.close()


def tls(certificate: str, authority: str | None = None) -> ssl.SSLContext:
    """Shows a certificate, and asks clients for one if there is somebody to believe them on the word of."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    if authority:
        context.load_verify_locations(authority)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


async def main(transport: str, place: str = "", *certificates: str) -> None:
    """Serves until it is killed, or its input ends."""
    if transport == "stdio":
        return await over_stdio()
    if transport == "http":
        context = tls(*certificates) if certificates else None
        server = await asyncio.start_server(over_http, "127.0.0.1", int(place), ssl=context)
    else:
        server = await asyncio.start_unix_server(over_unix, place)
    print("READY", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
