"""An MCP server of our own, over stdio or HTTP: ``mcp_server.py [--http PORT [--host ADDRESS]] [--marks DIR] …``.

Its tools do what the tests of the bridge need to see; ``marks`` is a directory in which it notes what reached it.
``--revision``: it knows this revision of the protocol and no other.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import os
from pathlib import Path
from typing import Annotated, Any

import anyio
from mcp.server import MCPServer
from mcp.server.elicitation import ElicitationResult
from mcp.server.mcpserver import Context, Elicit, Image, Resolve
from mcp_types import CallToolResult, EmbeddedResource, ResourceLink, TextContent, TextResourceContents
from pydantic import BaseModel, Field

parser = argparse.ArgumentParser()
parser.add_argument("--http", type=int)
parser.add_argument("--host", default="127.0.0.1")
parser.add_argument("--marks", type=Path, default=Path("/tmp"))
parser.add_argument("--token", default="")
parser.add_argument("--revision", default="")
arguments = parser.parse_args()

server = MCPServer("everything-we-need", version="1.0")
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def mark(name: str, text: str = "") -> None:
    with (arguments.marks / name).open("a") as file:
        file.write(text + "\n")


class Sum(BaseModel):
    total: int


@server.tool()
def echo(text: str) -> str:
    """Says what it is told."""
    return text


@server.tool()
def add(a: int, b: int) -> Sum:
    """Adds."""
    return Sum(total=a + b)


@server.tool()
async def wait(seconds: float = 60.0) -> str:
    """Takes its time; marks when it began, ended or was told to stop."""
    mark("wait-began")
    try:
        await anyio.sleep(seconds)
    except asyncio.CancelledError:
        mark("wait-cancelled")
        raise
    mark("wait-ended")
    return "waited"


@server.tool()
def fail() -> str:
    """Fails."""
    raise ValueError("the disk is made of cheese")


@server.tool()
def picture() -> Image:
    """A picture of one pixel."""
    return Image(data=PIXEL, format="png")


@server.tool()
def mixed() -> CallToolResult:
    """Text, an embedded resource and a link."""
    return CallToolResult(
        content=[
            TextContent(type="text", text="see here"),
            EmbeddedResource(
                type="resource", resource=TextResourceContents(uri="note://one", text="inside", mime_type="text/plain")
            ),
            ResourceLink(type="resource_link", name="log", uri="file:///var/log/x", mime_type="text/plain"),
        ],
        structured_content={"count": 3},
    )


@server.tool()
def large(characters: int) -> str:
    """A long text."""
    return "x" * characters


@server.tool()
def many(texts: int, characters: int) -> CallToolResult:
    """So many texts of so many control characters, which JSON writes with six each."""
    return CallToolResult(content=[TextContent(type="text", text="\x01" * characters) for _ in range(texts)])


@server.tool()
def environment() -> dict[str, str]:
    """The variables that it was given."""
    return dict(os.environ)


@server.tool()
def directory() -> str:
    """Where it was started."""
    return os.getcwd()


@server.tool()
def die() -> str:
    """Ends the server in the middle of a call."""
    os._exit(7)


class Form(BaseModel):
    colour: str = "blue"
    size: Annotated[int, Field(ge=0)] = 4


class Strict(BaseModel):
    name: str


def which() -> Elicit[Form]:
    return Elicit("which one?", Form)


def who() -> Elicit[Strict]:
    return Elicit("who?", Strict)


@server.tool()
async def ask(found: Annotated[ElicitationResult[Form], Resolve(which)]) -> str:
    """Asks with a form that has a default for everything."""
    return found.action if found.action != "accept" else f"accept {found.data.colour} {found.data.size}"


@server.tool()
async def ask_name(found: Annotated[ElicitationResult[Strict], Resolve(who)]) -> str:
    """Asks with a form that has a required field without default."""
    return found.action


@server.tool()
async def pace(count: int, ctx: Context) -> str:
    """Reports its progress, and then takes its time."""
    for number in range(count):
        await ctx.report_progress(number + 1, count, f"step {number + 1}")
    mark("pace-began")
    await anyio.sleep(60)
    return "done"


@server.tool()
async def sample(ctx: Context) -> str:
    """Asks for a completion."""
    from mcp_types import SamplingMessage

    await ctx.session.create_message(
        messages=[SamplingMessage(role="user", content=TextContent(type="text", text="hi"))], max_tokens=10
    )
    return "sampled"


@server.tool()
async def grow(name: str, ctx: Context) -> str:
    """Adds a tool of this name and tells of it."""

    def fresh() -> str:
        """Is new."""
        return "fresh"

    server.add_tool(fresh, name=name)
    await ctx.session.send_tool_list_changed()
    await ctx.notify_tools_changed()
    return "grown"


@server.resource("note://{name}")
def note(name: str) -> str:
    """A note by name."""
    return f"note of {name}"


@server.resource("data://pixel", mime_type="image/png")
def pixel() -> bytes:
    """A pixel."""
    return PIXEL


@server.prompt()
def greet(who: str) -> str:
    """Greets."""
    return f"Hello {who}!"


def pin(revision: str) -> None:
    """Know no other revision: what was before 2026-07-28 has no server/discover, and what is after no initialize."""
    from mcp.server import runner
    from mcp.server.lowlevel import server as lowlevel

    if revision != "2026-07-28":
        lowlevel.serve_dual_era_loop = runner.serve_loop
        runner.HANDSHAKE_PROTOCOL_VERSIONS = (revision,)
        runner.LATEST_HANDSHAKE_VERSION = revision


def main() -> None:
    mark("starts", str(os.getpid()))
    if arguments.revision:
        pin(arguments.revision)
    if arguments.http is None:
        server.run()
        return
    import uvicorn

    app: Any = server.streamable_http_app(host=arguments.host)
    if arguments.revision and arguments.revision != "2026-07-28":
        app = older(app)
    if arguments.token:
        app = guarded(app)
    uvicorn.run(app, host=arguments.host, port=arguments.http, log_level="error")


def older(app: Any) -> Any:
    """Refuses what speaks of a revision that it does not know, as servers of that time do."""

    async def guard(scope: Any, receive: Any, send: Any) -> None:
        if dict(scope.get("headers", ())).get(b"mcp-protocol-version") == b"2026-07-28":
            await send({"type": "http.response.start", "status": 400, "headers": []})
            await send({"type": "http.response.body", "body": b"Bad Request: unsupported protocol version"})
            return
        await app(scope, receive, send)

    return guard


def guarded(app: Any) -> Any:
    """Asks for the bearer token."""

    async def guard(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            given = dict(scope["headers"]).get(b"authorization", b"").decode()
            if given != f"Bearer {arguments.token}":
                await send({"type": "http.response.start", "status": 401, "headers": []})
                await send({"type": "http.response.body", "body": f"not {given}".encode()})
                return
        await app(scope, receive, send)

    return guard


if __name__ == "__main__":
    main()
