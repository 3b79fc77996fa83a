"""Do the arguments of a call fit the tool's JSON Schema? Says the first fault in words a model can mend."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sympozium_protocol.messages.base import JsonObject

if TYPE_CHECKING:
    from jsonschema_rs import Draft202012Validator


def fault_of_arguments(arguments: JsonObject, schema: JsonObject) -> str | None:
    """The first fault, as ``field: what is wrong``; None when the arguments fit (JSON Schema 2020-12).

    Raises ValueError when ``schema`` itself is none.
    """
    error = next(iter(validator(schema).iter_errors(arguments)), None)
    if error is None:
        return None
    where = ".".join(str(part) for part in error.instance_path)
    return f"{where}: {error.message}" if where else str(error.message)


def validator(schema: JsonObject, *, largest: int | None = None) -> Draft202012Validator:
    """Checks values against a JSON Schema (2020-12) that is whole in itself.

    ``largest``: bytes of a compiled pattern, where a stranger's schema is read: making a large one takes milliseconds.
    Raises ValueError when ``schema`` is none, or refers to anything outside itself: the library
    would fetch that address or file for whoever wrote the schema.
    """
    import jsonschema_rs  # here: a program that is never called need not load it

    if largest is None:
        return jsonschema_rs.Draft202012Validator(schema, retriever=_refuse)
    options = jsonschema_rs.FancyRegexOptions(size_limit=largest)
    return jsonschema_rs.Draft202012Validator(schema, retriever=_refuse, pattern_options=options)


def _refuse(uri: str) -> JsonObject:
    raise ValueError(f"refers to {uri}, which is outside the schema")
