"""A skill's tool, called without a model: a run whose script makes just that call, under the same policy.

What is offered is what the sidecars themselves say of their tools: a run that does nothing else tells it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sympozium_protocol import layout
from sympozium_protocol.files import FileFault, open_root
from sympozium_protocol.ids import number_of
from sympozium_protocol.listing import Numbered
from sympozium_protocol.messages.base import InvalidDocument
from sympozium_protocol.messages.calls import BlobPart, Manifest, Part, Tool
from sympozium_protocol.messages.transcript import ToolMessage, decode_message
from sympozium_web.agents import Agent
from sympozium_web.command import Finished
from sympozium_web.outcomes import told
from sympozium_web.runs import Runs

EXECUTE: Final = "execute_command"
_SEPARATOR: Final = "__"


@dataclass(frozen=True, slots=True)
class SkillTool:
    """One tool of one agent's skills, under the name that MCP clients call it by."""

    name: str
    agent: Agent
    tool: Tool
    effect: str


async def skill_tools(agent: Agent, runs: Runs, scratch: Path) -> list[SkillTool]:
    """What the skills of an agent offer. Raises Ended when they cannot even be started."""
    script = _script(scratch, {"say": "ready"})
    async with runs.started((*agent.arguments, "--script", str(script)), "ready") as run:
        found = await run.ended
        return [] if found.answer is None else list(_offered(agent, run.directory))


def _offered(agent: Agent, directory: Path) -> Iterator[SkillTool]:
    for participant in agent.spec.participants:
        if participant.role != "skill":
            continue
        for tool in _manifest(directory, participant.name).tools:
            said = participant.tool(tool.name)
            name = tool_name(agent.name, participant.name, tool.name)
            if said is not None and name is not None:
                yield SkillTool(name, agent, tool, said.effect)


def _manifest(directory: Path, participant: str) -> Manifest:
    with open_root(directory / "ipc") as ipc, ipc.open(layout.tools(participant)) as tools:
        newest = max((name for name in tools.names() if number_of(name)), key=lambda n: number_of(n) or 0)
        return Manifest.decode(tools.read(newest) or b"")


def tool_name(agent: str, skill: str, tool: str) -> str | None:
    """AGENT__TOOL, or AGENT__SKILL__execute_command, which several skills may have; None if it is too long."""
    parts = (agent, skill, tool) if tool == EXECUTE else (agent, tool)
    name = _SEPARATOR.join(re.sub(r"[^A-Za-z0-9_-]", "-", part.replace("/", _SEPARATOR)) for part in parts)
    return name if len(name) <= 128 else None


async def call(tool: SkillTool, arguments: Mapping[str, Any], runs: Runs, scratch: Path) -> tuple[bool, str]:
    """Make the call in a run of its own; whether it went well, and what there is to read. Raises Busy, Stopping."""
    asked = {"tool": tool.tool.name, "arguments": unquoted(dict(arguments))}
    script = _script(scratch, {"call": [asked]}, {"say": "done"})
    try:
        options = (*tool.agent.arguments, "--script", str(script))
        async with runs.started(options, f"call {tool.tool.name}") as run:
            found = await run.ended
            return _answer(run.directory) or (False, _failed(found))
    finally:
        script.unlink(missing_ok=True)


def _failed(found: Finished) -> str:
    return told(found.reason, found.message)


def _answer(directory: Path) -> tuple[bool, str] | None:
    """The outcome of the one tool call in the transcript, as far as it can be read."""
    try:
        with open_root(directory / "ipc") as ipc, ipc.open(layout.TRANSCRIPT) as transcript:
            messages = [decode_message(data) for _, data in Numbered(transcript)]
    except (FileFault, InvalidDocument):
        return None
    for message in messages:
        if isinstance(message, ToolMessage):
            text = "\n".join(map(_text, message.content))
            return message.outcome == "ok", text if message.outcome == "ok" else f"{message.outcome}: {text}"
    return None


def _text(part: Part) -> str:
    return f"[{part.media_type}, {part.size} bytes]" if isinstance(part, BlobPart) else part.text


def unquoted(value: Any) -> Any:
    """``value`` so that the script takes every string as it is: in scripts ``${`` quotes earlier results."""
    if isinstance(value, str):
        return value.replace("${", "$${")
    if isinstance(value, dict):
        return {name: unquoted(found) for name, found in value.items()}
    return [unquoted(found) for found in value] if isinstance(value, list) else value


def _script(scratch: Path, *steps: dict[str, Any]) -> Path:
    import tempfile

    with tempfile.NamedTemporaryFile("w", dir=scratch, suffix=".yaml", delete=False, encoding="utf-8") as file:
        json.dump({"steps": steps}, file)  # JSON is YAML
    return Path(file.name)
