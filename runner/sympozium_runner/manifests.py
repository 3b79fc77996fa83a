"""What the participants offer, as the model is told of it. A manifest cannot add a tool nor take a name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sympozium_protocol.files import BadFile
from sympozium_protocol.messages.base import InvalidDocument
from sympozium_protocol.messages.calls import Manifest, Tool
from sympozium_protocol.messages.spec import RunSpec
from sympozium_protocol.messages.transcript import OfferedTool
from sympozium_protocol.policy import EXECUTE
from sympozium_protocol.process import log
from sympozium_runner.places import Counter


def read_manifest(counter: Counter) -> Manifest | None:
    """The newest manifest that came since the last look; one that cannot be used is reported once."""
    newest: Manifest | None = None
    while True:
        try:
            found = counter.manifests.next()
            if found is None:
                return newest
            manifest = Manifest.decode(found[1])
        except BadFile as fault:
            counter.manifests.last += 1
            log("file refused", path=fault.path, why=fault.why)
        except InvalidDocument as fault:
            log("file refused", path=f"{counter.name}/tools/{counter.manifests.last}.json", why=fault.why)
        else:
            newest = manifest


def offer(native: Iterable[Tool], manifests: Mapping[str, Manifest], spec: RunSpec) -> tuple[OfferedTool, ...]:
    """The tool list: the agent's own tools, then each participant's in the RunSpec's order.

    A name belongs to the first that has it; ``execute_command`` alone is shared by skills.
    """
    offered: dict[str, OfferedTool] = {tool.name: _offered(tool, ()) for tool in native}
    for participant in spec.participants:
        manifest = manifests.get(participant.name)
        if manifest is None or participant.name == spec.model.participant:
            continue
        for tool in manifest.tools:
            if participant.tool(tool.name) is None:
                log("tool refused", participant=participant.name, tool=tool.name, why="not in the RunSpec")
            elif tool.name == EXECUTE and participant.role == "skill":
                offered[EXECUTE] = _share(offered.get(EXECUTE), tool, participant.name)
            elif tool.name in offered:
                log("tool refused", participant=participant.name, tool=tool.name, why="the name is taken")
            else:
                offered[tool.name] = _offered(tool, (participant.name,))
    if EXECUTE in offered:
        offered[EXECUTE] = describe_execute(offered[EXECUTE], spec)
    return tuple(offered.values())


def _offered(tool: Tool, participants: tuple[str, ...]) -> OfferedTool:
    return OfferedTool(
        name=tool.name, description=tool.description, parameters=tool.parameters, participants=participants
    )


def _share(had: OfferedTool | None, tool: Tool, participant: str) -> OfferedTool:
    return _offered(tool, (*(had.participants if had else ()), participant))


def describe_execute(tool: OfferedTool, spec: RunSpec) -> OfferedTool:
    """``execute_command`` as one tool over all skills that have it."""
    lines = [f"- {name}: {_commands(spec, name)}" for name in tool.participants]
    schema = {**tool.parameters, "properties": dict(tool.parameters.get("properties", {}))}
    schema["properties"]["skill"] = {
        "type": "string",
        "enum": list(tool.participants),
        "description": "the skill to run it in; needed only when several skills have the command",
    }
    description = tool.description + "\nSkills and their commands:\n" + "\n".join(lines)
    return tool.model_copy(update={"description": description, "parameters": schema})


def _commands(spec: RunSpec, name: str) -> str:
    participant = spec.participant(name)
    commands = participant.commands if participant else None
    return ", ".join(commands) if commands else "any"
