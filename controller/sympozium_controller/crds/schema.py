"""From pydantic's JSON Schema to a structural one, as the API server takes it. Pure.

References are put in, ``X or null`` is X (who wants a field away leaves it out), what may hold anything keeps its
unknown fields, and defaults are those that say something: a false, a number, a word. There are none for lists, as
an empty one may mean something else than an absent one, and none within lists: ``kubectl apply`` would find every
object changed whose list got some.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from sympozium_controller.crds.rules import RULES
from sympozium_controller.objects.base import Fields
from sympozium_controller.objects.units import duration_text

Schema = dict[str, Any]

PRESERVE: Final = "x-kubernetes-preserve-unknown-fields"
_KEPT: Final = (
    *("description", "type", "enum", "pattern", "minLength", "maxLength", "minItems", "maxItems"),
    *("minimum", "maximum", "maxProperties", "required"),
    *(PRESERVE, "x-kubernetes-list-type", "x-kubernetes-list-map-keys"),
)
_REF: Final = "#/$defs/"


def structural(model: type[Fields], *, defaults: bool = True) -> Schema:
    """The schema of one part of an object. ``defaults``: whether the API server fills in what is not stated."""
    whole = model.model_json_schema(by_alias=True)
    return _Conversion(whole.get("$defs", {}), defaults).of(whole)


class _Conversion:
    def __init__(self, parts: Mapping[str, Schema], defaults: bool) -> None:
        self._parts = parts
        self._defaults = defaults

    def of(self, schema: Schema) -> Schema:
        """This schema and all below it."""
        schema = self._plain(schema)
        found: Schema = {key: schema[key] for key in _KEPT if key in schema}
        found |= dict(_numbers(schema))
        if schema.get("format") == "date-time":
            found["format"] = "date-time"
        if schema.get("format") == "quantity":
            found |= {"anyOf": [{"type": "integer"}, {"type": "string"}], "x-kubernetes-int-or-string": True}
        if "const" in schema:
            found["enum"] = [schema["const"]]
        if "items" in schema:
            found["items"] = _Conversion(self._parts, defaults=False).of(schema["items"])
        found |= self._members(schema)
        if rules := RULES.get(schema.get("title", "")):
            found["x-kubernetes-validations"] = [rule.document() for rule in rules]
        return found | self._default(schema)

    def _plain(self, schema: Schema) -> Schema:
        """With the part that it refers to put in, and without null; what stands beside a reference wins."""
        if "$ref" in schema:
            beside = {key: value for key, value in schema.items() if key != "$ref"}
            return self._plain(self._parts[schema["$ref"].removeprefix(_REF)] | beside)
        alternatives = [one for one in schema.get("anyOf", ()) if one != {"type": "null"}]
        if len(alternatives) == 1:
            beside = {key: value for key, value in schema.items() if key not in ("anyOf", "title")}
            return self._plain(alternatives[0] | beside)
        assert not alternatives or schema.get("format") == "quantity", f"one of several types: {schema}"
        return schema

    def _members(self, schema: Schema) -> Schema:
        """What a mapping holds: fields with names of their own, values of one kind, or anything."""
        found: Schema = {}
        if "properties" in schema:
            found["properties"] = {name: self.of(one) for name, one in schema["properties"].items()}
        others = schema.get("additionalProperties")
        if isinstance(others, dict):
            found["additionalProperties"] = self.of(others)
        elif others is True:
            found[PRESERVE] = True
        return found

    def _default(self, schema: Schema) -> Schema:
        value = schema.get("default")
        if not self._defaults or not isinstance(value, bool | int | float | str) or value == "":
            return {}
        return {"default": duration_text(value) if schema.get("format") == "duration" else value}  # type: ignore[arg-type]


def _numbers(schema: Schema) -> Iterator[tuple[str, Any]]:
    if schema.get("type") == "integer":
        yield "format", "int64"
    if "exclusiveMinimum" in schema:
        yield "minimum", schema["exclusiveMinimum"]
        yield "exclusiveMinimum", True
