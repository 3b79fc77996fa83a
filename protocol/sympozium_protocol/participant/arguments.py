"""Do the arguments of a call fit the tool's JSON Schema? Says the first fault in words a model can mend."""

from __future__ import annotations

from sympozium_protocol.messages.base import JsonObject


def fault_of_arguments(arguments: JsonObject, schema: JsonObject) -> str | None:
    """The first fault, as ``field: what is wrong``; None when the arguments fit (JSON Schema 2020-12).

    Raises ValueError when ``schema`` itself is none.
    """
    import jsonschema_rs  # here: a program that is never called need not load it

    error = next(iter(jsonschema_rs.Draft202012Validator(schema).iter_errors(arguments)), None)
    if error is None:
        return None
    where = ".".join(str(part) for part in error.instance_path)
    return f"{where}: {error.message}" if where else str(error.message)
