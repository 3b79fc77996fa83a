"""Arguments for a tool that nobody gave any for: the smallest that its JSON Schema accepts, as far as can be told."""

from __future__ import annotations

from typing import Any

from sympozium_protocol.messages.base import JsonObject


def sample_arguments(schema: JsonObject) -> JsonObject:
    """What is required, each with a plain value. Whether it fits is for the caller to check."""
    found = sample(schema)
    return found if isinstance(found, dict) else {}


def sample(schema: Any) -> Any:
    if not isinstance(schema, dict):
        return None
    for word in ("const", "default"):
        if word in schema:
            return schema[word]
    for word in ("examples", "enum"):
        if schema.get(word):
            return schema[word][0]
    for word in ("anyOf", "oneOf", "allOf"):
        if schema.get(word):
            return sample(schema[word][0])
    return _of_type(schema)


def _of_type(schema: JsonObject) -> Any:
    kind = schema.get("type", "object" if "properties" in schema else "string")
    match kind[0] if isinstance(kind, list) and kind else kind:
        case "object":
            properties = schema.get("properties", {})
            return {name: sample(properties.get(name, {})) for name in schema.get("required", [])}
        case "array":
            return [sample(schema.get("items", {})) for _ in range(schema.get("minItems", 0))]
        case "integer" | "number":
            return schema.get("minimum", schema.get("exclusiveMinimum", 0) + 1)
        case "boolean":
            return False
        case "null":
            return None
        case _:
            return "x" * max(1, schema.get("minLength", 1))
