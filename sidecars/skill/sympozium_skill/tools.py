"""The tools of a pack: ``execute_command`` over its list of programs, and each tool that it declares."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sympozium_protocol.messages.base import JsonObject
from sympozium_protocol.messages.calls import Call, Tool
from sympozium_protocol.participant import Context, Handler, Result
from sympozium_protocol.policy import EXECUTE
from sympozium_skill.children import Children
from sympozium_skill.command import Command, run_command
from sympozium_skill.commandline import Refused, check
from sympozium_skill.pack import DeclaredTool, Sidecar
from sympozium_skill.place import BadDirectory, open_workdir
from sympozium_skill.shellwords import SAFE_BUILTINS, plain_words
from sympozium_skill.template import BadArgument, fill_argv, fill_stdin

_BASH: Final = ("bash", "--noprofile", "--norc", "-c")

PARAMETERS: Final[JsonObject] = {
    "type": "object",
    "properties": {
        "command": {"type": "string", "minLength": 1, "description": "a bash command line"},
        "timeout": {
            "type": "number",
            "exclusiveMinimum": 0,
            "description": "seconds after which it is stopped, if the default is too short or too long",
        },
        "workdir": {"type": "string", "description": "a directory in the workspace (default: the workspace itself)"},
    },
    "required": ["command"],
    "additionalProperties": False,
}


@dataclass(frozen=True, slots=True)
class Shop:
    """What the handlers of one life work with. ``programs``: where each listed program was found."""

    workspace: Path
    environment: Mapping[str, str]
    own_path: str
    programs: Mapping[str, str]
    children: Children

    def mark(self, call: Call, context: Context) -> str:
        """Names one call among all runs of this machine."""
        return f"{context.spec.run}/{call.participant}/{call.id}"


def handlers(sidecar: Sidecar, shop: Shop) -> list[Handler]:
    """One for each tool of the pack."""
    found = [_declared(tool, shop) for tool in sidecar.tools]
    if sidecar.commands is not None:
        found.insert(0, _execute(sidecar.commands, shop))
    return found


def _execute(commands: tuple[str, ...], shop: Shop) -> Handler:
    async def answer(call: Call, context: Context) -> Result:
        try:
            program, argv = plan(call.arguments["command"], commands, shop)
        except Refused as refusal:
            return Result.error(f"Not run: {refusal}.")
        return await _run(program, argv, b"", call, context, shop)

    return Handler(Tool(name=EXECUTE, description=_describe(commands), parameters=PARAMETERS), answer, True)


def _describe(commands: tuple[str, ...]) -> str:
    if not commands:
        return "Run a bash command line. Its output, standard error included, is the answer."
    return (
        f"Run a bash command line with these programs: {', '.join(commands)} "
        f"(and {', '.join(sorted(SAFE_BUILTINS - {':'}))}). Pipes, lists, redirections, $(…), if, for and while are "
        "available; every program must be called by its plain name. Standard error is part of the output."
    )


def plan(line: str, commands: tuple[str, ...], shop: Shop) -> tuple[str, tuple[str, ...]]:
    """The program to start for this line, and its argv. Raises Refused."""
    if "\0" in line:
        raise Refused("the line holds a NUL character")
    words = plain_words(line)
    if not commands:
        return _directly(words, shop.own_path) or _by_bash(line, shop)
    if words is None or words[0] not in commands:
        _present(check(line, commands), shop)
        return _by_bash(line, shop)
    _present({words[0]}, shop)
    return shop.programs[words[0]], tuple(words)


def _directly(words: list[str] | None, path: str) -> tuple[str, tuple[str, ...]] | None:
    program = shutil.which(words[0], path=path) if words and "/" not in words[0] else None
    return (program, tuple(words)) if program and words else None


def _by_bash(line: str, shop: Shop) -> tuple[str, tuple[str, ...]]:
    bash = shutil.which("bash", path=shop.own_path)
    if bash is None:
        raise Refused("there is no bash in this sidecar; call one program with plain words")
    return bash, (*_BASH, line)


def _present(names: frozenset[str] | set[str], shop: Shop) -> None:
    for name in sorted(names):
        if name not in shop.programs:
            raise Refused(f"{name} is not installed where this skill runs")


def _declared(tool: DeclaredTool, shop: Shop) -> Handler:
    async def answer(call: Call, context: Context) -> Result:
        try:
            argv = fill_argv(tool.argv, tool.parameters, call.arguments)
        except BadArgument as fault:
            return Result.error(f"Not run: {fault}")
        program = shutil.which(argv[0], path=shop.own_path)
        if program is None:
            return Result.error(f"Not run: {argv[0]} is not installed where this skill runs.")
        return await _run(program, tuple(argv), fill_stdin(tool.stdin, call.arguments), call, context, shop)

    return Handler(Tool(name=tool.name, description=tool.description, parameters=tool.parameters), answer, True)


async def _run(program: str, argv: tuple[str, ...], stdin: bytes, call: Call, context: Context, shop: Shop) -> Result:
    wanted = call.arguments if call.tool == EXECUTE else {}
    try:
        directory = open_workdir(shop.workspace, str(wanted.get("workdir", "")))
    except BadDirectory as fault:
        return Result.error(f"Not run: {fault}.")
    seconds = float(wanted.get("timeout", context.timeout))
    # serve watches context.timeout; only a shorter one is ours to watch
    limit = seconds if seconds < context.timeout else None
    command = Command(program, argv, shop.environment, directory, stdin)
    try:
        return await run_command(command, context, shop.children, shop.mark(call, context), limit)
    finally:
        os.close(directory)
