"""A declared tool's parameters and where they stand in its command: none in vain, none run as a script."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from sympozium_cli.skills_lint.findings import Findings, meant
from sympozium_cli.skills_lint.verbs import SHELLS, script_index, unquoted
from sympozium_controller.objects.skillpack import DeclaredTool

PLACEHOLDER: Final = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")


def check_arguments(tool: DeclaredTool, where: str, findings: Findings) -> None:
    """Each parameter has its place in the command, and each place its parameter."""
    properties = _properties(tool)
    used: set[str] = set()
    texts = {f"{where}.argv.{number}": element for number, element in enumerate(tool.argv)}
    for place, text in {**texts, f"{where}.stdin": tool.stdin}.items():
        for name in PLACEHOLDER.findall(text):
            used.add(name)
            if name not in properties:
                close = meant(name, properties) or "state it in parameters.properties"
                findings.error(place, f"{{{name}}} is none of the tool's parameters", close)
    for name in properties:
        if name not in used:
            findings.error(
                f"{where}.parameters.properties.{name}",
                "the command does not use it, so the model would say it in vain",
                f'put "{{{name}}}" into argv or stdin, or leave it out',
            )
    _check_script(tool, where, findings)
    _check_options(tool, where, findings)


def _check_script(tool: DeclaredTool, where: str, findings: Findings) -> None:
    at = script_index(tool.argv)
    if at is None:
        return
    for name in PLACEHOLDER.findall(tool.argv[at]):
        findings.error(
            f"{where}.argv.{at}",
            f"{{{name}}} stands in a script: whatever the model says there would be run",
            f'write "$1" in the script, and after it the elements -- and "{{{name}}}"',
        )
    if tool.argv[0] in SHELLS and (word := unquoted(tool.argv[at])):
        findings.warning(
            f"{where}.argv.{at}",
            f"{word} stands without quotes: a blank in it makes two arguments of it, the second perhaps an option",
            f'write "{word}"',
        )
    _check_positions(tool, at, where, findings)


def _check_positions(tool: DeclaredTool, at: int, where: str, findings: Findings) -> None:
    elements = tool.argv[at + 1 :]
    for number, element in enumerate(elements[:-1], at + 1):
        found = PLACEHOLDER.fullmatch(element)
        if found and found[1] in _properties(tool) and found[1] not in tool.parameters.get("required", ()):
            findings.warning(
                f"{where}.argv.{number}",
                f"{element} is optional, and left out when absent: what follows would move to its place",
                f'require it, put it last, or write "--{found[1]}={element}" and look for that',
            )


def _check_options(tool: DeclaredTool, where: str, findings: Findings) -> None:
    for number, element in enumerate(tool.argv):
        if element == "--":
            return
        found = PLACEHOLDER.match(element)
        schema = _properties(tool).get(found[1]) if found else None
        if found and isinstance(schema, dict) and not _bounded(schema):
            findings.warning(
                f"{where}.argv.{number}",
                f"a {found[1]} that begins with - is refused when it is called",
                'say by enum or a pattern with ^ which values there are, or put the element "--" before it',
            )


def _bounded(schema: Mapping[str, Any]) -> bool:
    if schema.get("type") == "array" and isinstance(schema.get("items"), dict):
        return _bounded(schema["items"])
    minimum = schema.get("minimum", -1)
    positive = isinstance(minimum, int | float) and minimum >= 0
    anchored = str(schema.get("pattern", "")).startswith("^")
    return "enum" in schema or "const" in schema or anchored or positive or schema.get("type") == "boolean"


def check_schema(tool: DeclaredTool, where: str, findings: Findings) -> None:
    """The parameters are a JSON Schema of an object, and one that catches mistakes."""
    from sympozium_protocol.participant.arguments import validator

    schema, place = tool.parameters, f"{where}.parameters"
    if schema.get("type") != "object":
        findings.error(f"{place}.type", "must be object", "write type: object, and the parameters in properties")
        return
    try:
        validator(schema)
    except ValueError as error:
        findings.error(place, f"is no JSON Schema: {str(getattr(error, 'message', error)).splitlines()[0]}")
        return
    properties = _properties(tool)
    for name in schema.get("required", ()):
        if name not in properties:
            close = meant(name, properties) or "state it in properties"
            findings.error(f"{place}.required", f"{name} is none of the properties", close)
    if schema.get("additionalProperties", True) is not False:
        findings.warning(
            place,
            "takes any further argument, and passes it over",
            "write additionalProperties: false: it is then told",
        )
    for name, one in properties.items():
        if isinstance(one, dict) and not {"type", "enum", "const", "$ref", "anyOf", "oneOf"} & one.keys():
            findings.warning(f"{place}.properties.{name}", "has no type", "write type: string, integer, boolean …")


def _properties(tool: DeclaredTool) -> Mapping[str, Any]:
    found = tool.parameters.get("properties", {})
    return found if isinstance(found, dict) else {}
