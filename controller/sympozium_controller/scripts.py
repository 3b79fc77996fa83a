"""What the scripted model plays: read, checked and carried in the RunSpec. Pure but for those in the package."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any, Final

from pydantic import ValidationError

from sympozium_controller.choice import Chosen
from sympozium_controller.errors import Origin, Refused, fault_of
from sympozium_controller.flags import Flags
from sympozium_controller.yamltext import BadYaml, documents
from sympozium_protocol.exits import Reason
from sympozium_protocol.messages.script import Script

BUILT_IN: Final = "built-in script"


def script_of(inline: Any, chosen: Chosen, flags: Flags) -> dict[str, Any]:
    """The script of the flag, else of the instance's ``options.script``, else the built-in one for it.

    Raises Refused (InvalidScript).
    """
    if flags.script is not None:
        return _checked(_parse(*flags.script), Origin(flags.script[0]), "")
    if inline is not None:
        return _checked(inline, chosen.instance_origin, "spec.provider.options.script")
    built_in = default_script(remembers=chosen.instance.spec.memory.enabled)
    return _checked(_parse(BUILT_IN, built_in), Origin(BUILT_IN), "")


def default_script(*, remembers: bool = False) -> str:
    """What the scripted model plays when nothing else is said: with a memory, it shows that."""
    name = "memory_script.yaml" if remembers else "default_script.yaml"
    return files("sympozium_controller").joinpath(name).read_text(encoding="utf-8")


def _parse(file: str, text: str) -> Any:
    try:
        found = [value for _, value in documents(text)]
    except BadYaml as fault:
        raise Refused(Reason.InvalidScript, Origin(file), fault.field, fault.why) from None
    if len(found) != 1:
        raise Refused(Reason.InvalidScript, Origin(file), "", f"must hold one document, not {len(found)}")
    return found[0]


def _checked(value: Any, origin: Origin, path: str) -> dict[str, Any]:
    try:
        Script.model_validate_json(json.dumps(value), by_alias=True, by_name=False)
    except ValidationError as error:
        where, why = fault_of(error)
        raise Refused(Reason.InvalidScript, origin, ".".join(part for part in (path, where) if part), why) from None
    assert isinstance(value, dict)
    return value
