"""Records `session.jsonl`: a scripted support agent at work on real MCP servers, through the official MCP client.

Every operation becomes two hook invocations, as a gateway in front of the servers would make them: one before
(`tool_pre_invoke`, `prompt_pre_fetch`, `resource_pre_fetch`) and one after, with what the server really answered.
How to run it: see README.md. All people, numbers and keys in it are made up or published test values.
"""

import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count, cycle
from pathlib import Path
from typing import Any, TextIO

from mcp import Client, StdioServerParameters
from workspace import CUSTOMERS, DEPLOY_KEY, SECRET_KEY, fill_workspace

NODE = Path(shutil.which("node") or "node").parent
EVERYTHING = "@modelcontextprotocol/server-everything@2026.8.31"
FILESYSTEM = "@modelcontextprotocol/server-filesystem@2026.8.31"
MEMORY = "@modelcontextprotocol/server-memory@2026.8.31"


def bare_environment(root: Path) -> list[str]:
    """For the server whose `get-env` is recorded: an environment that holds nothing of this machine's."""
    path = os.pathsep.join([str(NODE), "/usr/bin", "/bin"])
    return ["-i", f"PATH={path}", f"HOME={root / 'home'}", "REGION=eu-north-1", f"DEPLOY_KEY={DEPLOY_KEY}"]


def servers(root: Path) -> dict[str, list[str]]:
    """The commands of the MCP servers, by the name under which the session knows them."""
    return {
        "filesystem": ["npx", "-y", FILESYSTEM, str(root)],
        "memory": ["npx", "-y", MEMORY],
        "everything": ["env", *bare_environment(root), "npx", "-y", EVERYTHING],
        "sqlite": ["uvx", "--with", "mcp<2", "mcp-server-sqlite@2025.4.25", "--db-path", str(root / "shop.db")],
        "git": ["uvx", "mcp-server-git@2026.10.19"],
        "time": ["uvx", "mcp-server-time@2026.10.19", "--local-timezone", "UTC"],
    }


class Recorder:
    """Makes calls on the servers and writes each as two lines of the session."""

    def __init__(self, clients: dict[str, Client], out: TextIO) -> None:
        self._clients = clients
        self._out = out
        self._requests = count(1)
        self.user, self.tenant = "alice@nordwind.example", "nordwind"

    async def tool(self, server: str, name: str, /, **args: Any) -> str:
        """Calls a tool; returns the text of its answer."""
        context = self._context(server)
        self._write("tool_pre_invoke", {"name": name, "args": args}, context)
        result = await self._clients[server].call_tool(name, args)
        data = _dump(result)
        self._write("tool_post_invoke", {"name": name, "result": data}, context)
        return "".join(part.get("text", "") for part in data["content"])

    async def prompt(self, server: str, name: str, /, **args: str) -> None:
        """Fetches a prompt."""
        context = self._context(server)
        self._write("prompt_pre_fetch", {"prompt_id": name, "args": args}, context)
        result = await self._clients[server].get_prompt(name, args)
        self._write("prompt_post_fetch", {"prompt_id": name, "result": _dump(result)}, context)

    async def resource(self, server: str, uri: str) -> None:
        """Reads a resource."""
        context = self._context(server)
        self._write("resource_pre_fetch", {"uri": uri, "metadata": {}}, context)
        result = await self._clients[server].read_resource(uri)
        self._write("resource_post_fetch", {"uri": uri, "content": _dump(result)["contents"][0]}, context)

    def _context(self, server: str) -> dict[str, str]:
        request_id = f"req-{next(self._requests):04}"
        return {"request_id": request_id, "user": self.user, "tenant_id": self.tenant, "server_id": server}

    def _write(self, hook: str, payload: dict[str, Any], context: dict[str, str]) -> None:
        entry = {"hook": hook, "payload": payload, "context": context}
        self._out.write(f"{json.dumps(entry, ensure_ascii=False)}\n")


def _dump(result: Any) -> dict[str, Any]:
    data: dict[str, Any] = result.model_dump(mode="json", by_alias=True, exclude_none=True)
    return data


async def look_around(do: Recorder, root: Path) -> None:
    """The agent finds out what there is."""
    await do.tool("filesystem", "list_allowed_directories")
    await do.tool("filesystem", "list_directory", path=str(root))
    await do.tool("filesystem", "directory_tree", path=str(root / "tickets"))
    await do.tool("sqlite", "list_tables")
    for table in ("customers", "orders"):
        await do.tool("sqlite", "describe_table", table_name=table)
    for document in ("architecture", "extension", "features", "how-it-works", "instructions", "startup", "structure"):
        await do.resource("everything", f"demo://resource/static/document/{document}.md")
    await do.prompt("sqlite", "mcp-demo", topic="support tickets")
    await do.prompt("everything", "simple-prompt")


async def work_on_tickets(do: Recorder, root: Path) -> None:
    """The agent answers one ticket after the other: read, look up, remember, reply."""
    people = cycle(
        [("alice@nordwind.example", "nordwind"), ("bob@nordwind.example", "nordwind"), ("carol", "fabrikam")]
    )
    for number, customer in enumerate(CUSTOMERS, start=1):
        do.user, do.tenant = next(people)
        ticket = root / "tickets" / f"{number:03}.md"
        await do.tool("filesystem", "read_text_file", path=str(ticket))
        await do.tool("sqlite", "read_query", query=f"SELECT name, email, city FROM customers WHERE id = {number}")
        await do.tool("sqlite", "read_query", query=f"SELECT item, total, card FROM orders WHERE customer = {number}")
        fact = f"ticket {number:03}: {customer.wish}"
        entity = {"name": customer.name, "entityType": "customer", "observations": [fact]}
        await do.tool("memory", "create_entities", entities=[entity])
        if number % 3 == 0:
            await do.prompt("everything", "args-prompt", city=customer.city, state=f"asked by {customer.email}")
        if number % 4 == 0:
            await do.tool(
                "time", "convert_time", source_timezone="UTC", time="09:30", target_timezone=customer.timezone
            )
        reply = f"Dear {customer.name},\n\nwe looked into it ({customer.wish}).\nSent to {customer.email}.\n"
        await do.tool("filesystem", "write_file", path=str(root / "replies" / f"{number:03}.md"), content=reply)
        await do.tool("sqlite", "write_query", query=f"UPDATE customers SET open = 0 WHERE id = {number}")


async def go_wrong(do: Recorder, root: Path) -> None:
    """What a policy is for: forbidden tools, dangerous SQL, secrets asked and answered, floods of text and of calls."""
    do.user, do.tenant = "mallory", "fabrikam"
    await do.tool("everything", "get-env")
    await do.tool("filesystem", "move_file", source=str(root / "notes.md"), destination=str(root / "gone.md"))
    await do.tool("sqlite", "write_query", query="DELETE FROM sessions")
    await do.tool("sqlite", "write_query", query="UPDATE orders SET total = 0 -- WHERE customer = 1")
    await do.tool("sqlite", "write_query", query="DROP TABLE sessions")
    await do.tool("everything", "echo", message=f"deploy with {DEPLOY_KEY}")
    await do.prompt("everything", "args-prompt", city="Oslo", state=f"aws_secret_access_key = {SECRET_KEY}")
    await do.tool("sqlite", "append_insight", insight=f"The deploy key {DEPLOY_KEY} is in deploy.env")
    await do.resource("sqlite", "memo://insights")
    await do.resource("memory", "memory://knowledge-graph")
    await do.tool("filesystem", "read_text_file", path=str(root / "shop" / "deploy.env"))
    await do.tool("git", "git_show", repo_path=str(root / "shop"), revision="HEAD")
    await do.tool("filesystem", "read_text_file", path=str(root / "server.log"))
    await do.tool("filesystem", "read_text_file", path="/etc/passwd")
    await do.tool("sqlite", "read_query", query="SELECT * FROM orders CROSS JOIN customers")
    await do.tool("everything", "get-tiny-image")
    for number in range(1, 13):
        await do.tool("everything", "get-resource-reference", resourceType="Text", resourceId=number)


async def wrap_up(do: Recorder, root: Path) -> None:
    """The agent takes stock and commits."""
    do.user, do.tenant = "alice@nordwind.example", "nordwind"
    repository = str(root / "shop")
    await do.tool("memory", "read_graph")
    for word in ("refund", "invoice", "late"):
        await do.tool("memory", "search_nodes", query=word)
        await do.tool("filesystem", "search_files", path=str(root), pattern=f"*{word}*")
    await do.tool("git", "git_status", repo_path=repository)
    await do.tool("git", "git_log", repo_path=repository, max_count=5)
    await do.tool("git", "git_branch", repo_path=repository, branch_type="local")
    await do.tool("git", "git_add", repo_path=repository, files=["README.md"])
    await do.tool("git", "git_diff_staged", repo_path=repository)
    await do.tool("git", "git_commit", repo_path=repository, message="Say who answers tickets")
    for city in ("Europe/Oslo", "America/New_York", "Asia/Tokyo"):
        await do.tool("time", "get_current_time", timezone=city)
    for location in ("New York", "Chicago", "Los Angeles"):
        await do.tool("everything", "get-structured-content", location=location)
    await do.tool("everything", "get-sum", a=19, b=23)
    await do.tool("everything", "get-annotated-message", messageType="success", includeImage=False)
    await do.tool("everything", "get-resource-links", count=3)
    await do.prompt("everything", "completable-prompt", department="Sales", name="David")
    await do.resource("everything", "demo://resource/dynamic/text/1")


@asynccontextmanager
async def connected(root: Path) -> AsyncIterator[dict[str, Client]]:
    """Starts the servers and connects to them."""
    async with AsyncExitStack() as stack:
        clients: dict[str, Client] = {}
        for name, (program, *args) in servers(root).items():
            parameters = StdioServerParameters(command=program, args=args, cwd=str(root), env=dict(os.environ))
            clients[name] = await stack.enter_async_context(Client(parameters, mode="legacy"))
            info = clients[name].server_info
            print(f"{name}: {info.name} {info.version}" if info else name, file=sys.stderr)
        yield clients


def workspaces() -> Iterator[Path]:
    """A fresh workspace under a fixed path, so that recordings differ in little more than times."""
    root = Path(tempfile.gettempdir()) / "agent-session"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    try:
        fill_workspace(root)
        yield root
    finally:
        shutil.rmtree(root)


async def record(target: Path) -> None:
    """Plays the whole script and writes the session."""
    for root in workspaces():
        async with connected(root) as clients:
            with target.open("w", encoding="utf-8") as out:
                do = Recorder(clients, out)
                for act in (look_around, work_on_tickets, go_wrong, wrap_up):
                    await act(do, root)
    subprocess.run(["wc", "-lc", target], check=True)


if __name__ == "__main__":
    asyncio.run(record(Path(__file__).with_name("session.jsonl")))
