"""The calls that are made at a server: of its tools, and of the tools that stand for its resources and prompts."""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

import mcp_types as types
from mcp import Client, MCPError
from mcp.shared.dispatcher import ProgressFnT

from sympozium_mcp.content import MOST_PARTS, Answer
from sympozium_mcp.items import Act, Found
from sympozium_mcp.listing import every_page
from sympozium_mcp.secrets import Redactor
from sympozium_protocol.messages.calls import Call
from sympozium_protocol.participant.context import Context, Result

PROGRESS_LINES: Final = 100
PROGRESS_RATE: Final = 10.0
"""Lines of progress of a call, and more for each second that it lasts: each is written to a file as it comes."""
PROGRESS_WIDTH: Final = 500
"""Characters of one line of progress."""

_NOTHING: Final[dict[str, Any]] = {"type": "object", "properties": {}, "additionalProperties": False}
_URI: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {"uri": {"type": "string", "description": "as listed, or made from a template"}},
    "required": ["uri"],
    "additionalProperties": False,
}
_PROMPT: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "arguments": {"type": "object", "additionalProperties": {"type": "string"}},
    },
    "required": ["name"],
    "additionalProperties": False,
}


class Calls:
    """Makes the calls of one server."""

    def __init__(self, server: str, redactor: Redactor) -> None:
        self._server = server
        self._redactor = redactor

    async def found(self, client: Client) -> list[Found]:
        """Every tool that the server has, and the tools that stand for what else it has."""
        has = client.server_capabilities
        found: list[Found] = []
        if has.tools is not None:
            listed = await every_page(
                lambda cursor: client.list_tools(cursor=cursor), lambda page: page.tools, f"tools of {self._server}"
            )
            found += [self._found(tool) for tool in listed]
        if has.resources is not None:
            found += [
                Found("list_resources", f"Lists what can be read from {self._server}.", _NOTHING, self._resources),
                Found("read_resource", f"Reads a resource of {self._server}.", _URI, self._resource),
            ]
        if has.prompts is not None:
            found += [
                Found("list_prompts", f"Lists the prompts of {self._server}.", _NOTHING, self._prompts),
                Found("get_prompt", f"Gets a prompt of {self._server}, filled in.", _PROMPT, self._prompt),
            ]
        return found

    def _found(self, tool: types.Tool) -> Found:
        as_task = tool.execution is not None and tool.execution.task_support == "required"
        why_not = "it can only be called as a task, which the mcp package does not speak" if as_task else ""
        return Found(tool.name, _described(tool), tool.input_schema, self.tool(tool.name), why_not)

    def tool(self, own: str) -> Act:
        """What calls the server's tool ``own``."""

        async def act(client: Client, call: Call, context: Context) -> Result:
            async with _Progress(context, self._redactor) as progress:
                result = await client.call_tool(own, call.arguments, progress_callback=progress)
            answer = Answer(context, self._redactor)
            answer.blocks(result.content)
            if result.structured_content is not None:
                answer.structured(result.structured_content)
            return answer.result(error=result.is_error)

        return act

    async def _resources(self, client: Client, _: Call, context: Context) -> Result:
        listed = await every_page(
            lambda cursor: client.list_resources(cursor=cursor),
            lambda page: page.resources,
            f"resources of {self._server}",
        )
        templates = await _unless_unknown(
            lambda: every_page(
                lambda cursor: client.list_resource_templates(cursor=cursor),
                lambda page: page.resource_templates,
                f"resource templates of {self._server}",
            )
        )
        return self._lines([*map(_line, listed), *map(_line, templates)], "resources", context)

    async def _resource(self, client: Client, call: Call, context: Context) -> Result:
        result = await client.read_resource(str(call.arguments["uri"]))
        answer = Answer(context, self._redactor)
        for contents in result.contents[:MOST_PARTS]:
            if isinstance(contents, types.TextResourceContents) and len(result.contents) == 1:
                answer.text(contents.text)
            else:
                answer.resource(contents)
        return answer.result()

    async def _prompts(self, client: Client, _: Call, context: Context) -> Result:
        listed = await every_page(
            lambda cursor: client.list_prompts(cursor=cursor), lambda page: page.prompts, f"prompts of {self._server}"
        )
        return self._lines([_line(prompt) for prompt in listed], "prompts", context)

    async def _prompt(self, client: Client, call: Call, context: Context) -> Result:
        result = await client.get_prompt(str(call.arguments["name"]), call.arguments.get("arguments"))
        answer = Answer(context, self._redactor)
        for message in result.messages[:MOST_PARTS]:
            if isinstance(message.content, types.TextContent):
                answer.text(f"{message.role}: {message.content.text}")
            else:
                answer.text(f"{message.role}:")
                answer.block(message.content)
        return answer.result()

    def _lines(self, lines: list[str], what: str, context: Context) -> Result:
        answer = Answer(context, self._redactor)
        answer.text("\n".join(lines) or f"There are no {what}.")
        return answer.result()


class _Progress:
    """The server's progress, a line each, for as long as the call lasts: what comes later has nowhere to go."""

    def __init__(self, context: Context, redactor: Redactor) -> None:
        self._context: Context | None = context
        self._redactor = redactor
        self._began, self._lines = time.monotonic(), 0

    async def __aenter__(self) -> ProgressFnT:
        return self._say

    async def __aexit__(self, *_: object) -> None:
        self._context = None

    async def _say(self, progress: float, total: float | None, message: str | None) -> None:
        self._lines += 1
        if self._context is None or self._lines > PROGRESS_LINES + PROGRESS_RATE * (time.monotonic() - self._began):
            return
        share = f"{progress:g}" if total is None else f"{progress:g}/{total:g}"
        words = " ".join(self._redactor.text(message or "").split())[:PROGRESS_WIDTH]
        self._context.progress(f"{share} {words}".rstrip() + "\n")


def _described(tool: types.Tool) -> str:
    return tool.description or tool.title or (tool.annotations.title if tool.annotations else None) or ""


def _line(listed: types.Resource | types.ResourceTemplate | types.Prompt) -> str:
    """One of a list as a line of JSON; icons and annotations are for people."""
    shown = listed.model_dump(mode="json", by_alias=True, exclude_none=True, exclude={"icons", "annotations", "meta"})
    return json.dumps(shown, ensure_ascii=False)


async def _unless_unknown(fetch: Callable[[], Awaitable[tuple[types.ResourceTemplate, ...]]]) -> tuple[Any, ...]:
    """A server that has resources need not know of templates."""
    try:
        return await fetch()
    except MCPError as error:
        if error.code != types.METHOD_NOT_FOUND:
            raise
        return ()
