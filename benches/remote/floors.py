"""The raw floors: echoes over the same transports, with the usual Python library for each and no CPEX.

Usage: floors.py unix|grpc|mcp PATH PORT
"""

import asyncio
import struct
import sys
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

MESSAGE = b"x" * 200
"""As large as a call of a small payload."""

Call = Callable[[], Awaitable[object]]


async def serve_unix(path: str, port: int) -> None:
    """Frames with a length in front, as the Unix socket's protocol has them."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readexactly(4)
                writer.write(head + await reader.readexactly(struct.unpack(">I", head)[0]))
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    await (await asyncio.start_unix_server(answer, path)).serve_forever()


async def call_unix(path: str, port: int) -> Call:
    """Calls share one connection, one after the other in flight."""
    reader, writer = await asyncio.open_unix_connection(path)
    waiting: deque[asyncio.Future[bytes]] = deque()
    frame = struct.pack(">I", len(MESSAGE)) + MESSAGE

    async def read() -> None:
        while True:
            (length,) = struct.unpack(">I", await reader.readexactly(4))
            waiting.popleft().set_result(await reader.readexactly(length))

    reading = asyncio.create_task(read())

    async def call() -> object:
        if reading.done():
            reading.result()
        reply: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        waiting.append(reply)
        writer.write(frame)
        return await reply

    return call


async def serve_grpc(path: str, port: int) -> None:
    import grpc

    async def echo(request: bytes, context: Any) -> bytes:
        return request

    server = grpc.aio.server()
    handlers = {"Echo": grpc.unary_unary_rpc_method_handler(echo)}
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("echo.Echo", handlers)])
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    await server.wait_for_termination()


async def call_grpc(path: str, port: int) -> Call:
    import grpc

    channel = grpc.aio.insecure_channel(f"127.0.0.1:{port}")
    method = channel.unary_unary("/echo.Echo/Echo")

    async def call() -> object:
        return await method(MESSAGE)

    return call


async def serve_mcp(path: str, port: int) -> None:
    """HTTP alone: uvicorn, and nothing above it."""
    import uvicorn

    async def echo(scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            event = await receive()
            body, more = body + event.get("body", b""), event.get("more_body", False)
        head = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        await send({"type": "http.response.body", "body": body})

    config = uvicorn.Config(echo, host="127.0.0.1", port=port, log_level="critical", lifespan="off", access_log=False)
    await uvicorn.Server(config).serve()


async def call_mcp(path: str, port: int) -> Call:
    import httpx

    client = httpx.AsyncClient(timeout=60)

    async def call() -> object:
        response = await client.post(f"http://127.0.0.1:{port}/", content=MESSAGE)
        return response.raise_for_status()

    return call


SERVE = {"unix": serve_unix, "grpc": serve_grpc, "mcp": serve_mcp}
CALL = {"unix": call_unix, "grpc": call_grpc, "mcp": call_mcp}

if __name__ == "__main__":
    asyncio.run(SERVE[sys.argv[1]](sys.argv[2], int(sys.argv[3])))
