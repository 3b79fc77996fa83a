"""The toolbox: one tool call of a turn, from what the model asked for to the message that it reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sympozium_protocol.files import FileFault
from sympozium_protocol.messages.base import JsonObject
from sympozium_protocol.messages.calls import BlobPart, Call, Outcome, Part, TextPart
from sympozium_protocol.messages.spec import ParticipantSpec, RunSpec
from sympozium_protocol.messages.transcript import OfferedTool, ToolCall
from sympozium_protocol.participant.arguments import fault_of_arguments
from sympozium_protocol.policy import EXECUTE, judge_native
from sympozium_protocol.process import log
from sympozium_runner.calling import Caller
from sympozium_runner.cut import cut_middle
from sympozium_runner.native import Native, NativeContext
from sympozium_runner.places import Places
from sympozium_runner.routing import Unroutable, route

SHOWN = 24 * 1024
"""Characters of one answer that the model reads; the whole is a blob."""


@dataclass(frozen=True, slots=True)
class ToolAnswer:
    """What becomes a ToolMessage."""

    outcome: Outcome
    content: tuple[Part, ...]
    details: JsonObject
    participant: str | None = None
    reply: str | None = None


class Toolbox:
    """The tools of a run."""

    def __init__(self, spec: RunSpec, places: Places, caller: Caller, native: Mapping[str, Native], workspace: Path):
        self.spec = spec
        self.places = places
        self.caller = caller
        self.native = native
        self.context = NativeContext(workspace=workspace, spec=spec, read_blob=places.find_blob)
        self.offered: dict[str, OfferedTool] = {}

    def offered_natives(self) -> list[Native]:
        """The agent's own tools that the policies allow."""
        return [tool for name, tool in self.native.items() if judge_native(name, self.spec).decision == "allow"]

    async def answer(self, asked: ToolCall) -> ToolAnswer:
        """Make the call, or say why it cannot be made. Raises Ended and CannotWrite, which end the run."""
        if asked.arguments is None:
            return _error(f"The arguments of {asked.name} are not a JSON object: {asked.malformed!r:.400}.")
        tool = self.offered.get(asked.name)
        if tool is None:
            return self._unknown(asked.name)
        if fault := _fault(asked.arguments, tool):
            return _error(f"The arguments of {asked.name} are not valid: {fault}.")
        if not tool.participants:
            return await self._native(asked.name, asked.arguments)
        return await self._participant(asked.id, tool, asked.arguments)

    def _unknown(self, name: str) -> ToolAnswer:
        if name in self.native:
            judgement = judge_native(name, self.spec)
            return ToolAnswer("denied", (TextPart(text=f"Denied: {judgement.reason}."),), {})
        return _error(f"There is no tool {name!r:.80}. There are: {', '.join(sorted(self.offered)) or 'none'}.")

    async def _native(self, name: str, arguments: JsonObject) -> ToolAnswer:
        judgement = judge_native(name, self.spec)
        if judgement.decision != "allow":
            return ToolAnswer("denied", (TextPart(text=f"Denied: {judgement.reason}."),), {})
        try:
            result = await self.native[name].run(arguments, self.context)
        except FileFault as fault:
            return _error(f"{name} failed: {fault}.")
        except Exception as error:  # noqa: BLE001  around a tool call: its faults are answers
            log("tool failed", tool=name, error=f"{type(error).__name__}: {error}")
            return _error(f"{name} failed inside the agent.")
        return ToolAnswer(result.outcome, self.shorten(result.content), result.details)

    async def _participant(self, call_id: str, tool: OfferedTool, arguments: JsonObject) -> ToolAnswer:
        try:
            name, arguments = self._route(tool, arguments)
        except Unroutable as fault:
            return _error(str(fault))
        participant = self.spec.participant(name)
        known = participant.tool(tool.name) if participant else None
        if known is None:
            return _error(f"{name} has no tool {tool.name} in this run.")
        wanted = arguments.get("timeout") if tool.name == EXECUTE else None
        timeout = float(wanted) if isinstance(wanted, int | float) and wanted > 0 else known.timeout
        call = Call(id=call_id, participant=name, tool=tool.name, arguments=arguments, timeout=timeout)
        answer = await self.caller.call(call, timeout=timeout)
        reply = answer.reply
        return ToolAnswer(reply.outcome, self.shorten(reply.content), reply.details, name, answer.digest)

    def _route(self, tool: OfferedTool, arguments: JsonObject) -> tuple[str, JsonObject]:
        if tool.name != EXECUTE:
            return tool.participants[0], arguments
        skills: list[ParticipantSpec] = [p for p in self.spec.participants if p.name in tool.participants]
        name = route(str(arguments.get("command", "")), arguments.get("skill"), skills)
        return name, {key: value for key, value in arguments.items() if key != "skill"}

    def shorten(self, content: tuple[Part, ...]) -> tuple[Part, ...]:
        """Cut what is too large for the model in the middle; the whole goes to a blob that read_file can page."""
        return tuple(found for part in content for found in self._shorten(part))

    def _shorten(self, part: Part) -> tuple[Part, ...]:
        if isinstance(part, BlobPart) or len(part.text) <= SHOWN:
            return (part,)
        data = part.text.encode("utf-8", "surrogatepass")
        shown, left_out = cut_middle(part.text, SHOWN)
        digest = self.places.keep(data)
        note = f"the whole answer; {left_out} bytes of it are not shown above"
        return (TextPart(text=shown), BlobPart(digest=digest, size=len(data), media_type="text/plain", note=note))


def _fault(arguments: JsonObject, tool: OfferedTool) -> str | None:
    try:
        return fault_of_arguments(arguments, tool.parameters)
    except ValueError as error:
        return f"the tool's own schema is not valid ({error})"


def _error(text: str) -> ToolAnswer:
    return ToolAnswer("error", (TextPart(text=text),), {})
