"""pack.yaml as the sidecar reads it: strict models, and one loader whose errors name file and field."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sympozium_protocol.exits import Ended, Reason
from sympozium_protocol.ids import digest_of_files
from sympozium_protocol.messages.base import TOOL_PATTERN, Effect, JsonObject, explain
from sympozium_protocol.policy import EXECUTE
from sympozium_skill.template import fault_of_template

PACK_FILE: Final = "pack.yaml"
SKILL_FILE: Final = "SKILL.md"
BINARY_PATTERN: Final = r"^[A-Za-z0-9_][A-Za-z0-9._+-]*$"
DURATION_PATTERN: Final = r"^(\d+(\.\d*)?(ns|us|µs|ms|s|m|h))+$"

Binary = Annotated[str, Field(pattern=BINARY_PATTERN)]


class _Strict(BaseModel):
    # people write these: a misspelt field must be said, not passed over
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True, protected_namespaces=())


class DeclaredTool(_Strict):
    """A tool as a command line without a shell. ``timeout`` and ``effect`` reach the sidecar by the RunSpec."""

    name: str = Field(pattern=TOOL_PATTERN)
    description: str = ""
    parameters: JsonObject = Field(default_factory=lambda: {"type": "object"})
    argv: tuple[str, ...] = Field(min_length=1)
    stdin: str = ""
    timeout: str = Field(default="60s", pattern=DURATION_PATTERN)
    effect: Effect = "write"


class Sidecar(_Strict):
    """``commands`` absent: no execute_command; empty: any binary. The rest is for whoever makes the pod."""

    image: str = ""
    commands: tuple[Binary, ...] | None = None
    tools: tuple[DeclaredTool, ...] = ()
    rbac: tuple[JsonObject, ...] = ()
    clusterRBAC: tuple[JsonObject, ...] = ()  # noqa: N815  as the file writes it
    egress: tuple[str, ...] = ()
    secretRef: str = ""  # noqa: N815  as the file writes it
    resources: JsonObject = Field(default_factory=dict)


class Pack(_Strict):
    """A whole pack.yaml. Without a sidecar it is instructions only, and there is nothing to serve."""

    name: str = Field(min_length=1)
    category: str = ""
    description: str = ""
    sidecar: Sidecar | None = None
    params: dict[str, Any] = Field(default_factory=dict)


def read_pack(directory: Path) -> dict[str, bytes]:
    """The files of the pack in this directory, read once. Raises Ended (InvalidPack) naming the file."""
    found = {}
    for name in (PACK_FILE, SKILL_FILE):
        try:
            found[name] = (directory / name).read_bytes()
        except FileNotFoundError:
            if name == PACK_FILE:
                raise Ended(Reason.InvalidPack, f"{directory / name}: no such file or directory") from None
        except OSError as error:
            raise Ended(Reason.InvalidPack, f"{directory / name}: {(error.strerror or '').lower()}") from None
    return found


def load_pack(directory: Path, resolved: str | None = None) -> Pack:
    """The pack in this directory. Raises Ended (InvalidPack) naming file and field."""
    return pack_of(read_pack(directory), directory, resolved)


def pack_of(files: Mapping[str, bytes], directory: Path, resolved: str | None) -> Pack:
    """The pack in these files; ``resolved``: the digest that the RunSpec names it by, if it does. Raises as above."""
    if resolved is not None and digest_of_files(files.items()) != resolved:
        raise Ended(Reason.InvalidPack, f"{directory}: is not the pack that this run was resolved with")
    try:
        return parse_pack(files[PACK_FILE].decode())
    except UnicodeDecodeError:
        raise Ended(Reason.InvalidPack, f"{directory / PACK_FILE}: is not UTF-8") from None


def parse_pack(text: str, name: str = PACK_FILE) -> Pack:
    """The pack in this text. Raises Ended (InvalidPack) naming ``name`` and the field."""
    try:
        pack = Pack.model_validate(_value(text, name))
    except ValidationError as error:
        raise Ended(Reason.InvalidPack, f"{name}: {explain(error)}") from None
    for number, tool in enumerate(pack.sidecar.tools if pack.sidecar else ()):
        if wrong := _fault_of_tool(tool):
            raise Ended(Reason.InvalidPack, f"{name}: sidecar.tools.{number}.{wrong}")
    if repeated := _repeated(pack):
        raise Ended(Reason.InvalidPack, f"{name}: sidecar.tools: there are two tools {repeated}")
    return pack


def _value(text: str, name: str) -> object:
    if text.startswith("{"):  # as a resolved pack is written: the parser of YAML need not be loaded
        try:
            return json.loads(text)
        except ValueError:
            pass
    import yaml

    try:
        return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506  both are safe
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}: " if mark else ""
        raise Ended(Reason.InvalidPack, f"{name}: {where}{getattr(error, 'problem', None) or 'is no YAML'}") from None


def _fault_of_tool(tool: DeclaredTool) -> str | None:
    if tool.parameters.get("type") != "object":
        return "parameters.type: must be object"
    import jsonschema_rs  # here: most packs declare no tools

    try:
        jsonschema_rs.Draft202012Validator(tool.parameters)
    except (ValueError, jsonschema_rs.ReferencingError) as error:
        return f"parameters: is no JSON Schema: {str(getattr(error, 'message', error)).splitlines()[0]}"
    return fault_of_template(tool.argv, tool.stdin, tool.parameters)


def _repeated(pack: Pack) -> str | None:
    sidecar = pack.sidecar
    seen = {EXECUTE} if sidecar and sidecar.commands is not None else set()
    for tool in sidecar.tools if sidecar else ():
        if tool.name in seen:
            return tool.name
        seen.add(tool.name)
    return None
