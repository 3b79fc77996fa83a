"""The bus as an AsyncAPI 3 document, generated from the models and the subjects: for programs in other languages.

``python -m sympozium_protocol.bus.asyncapi --write FILE`` writes it; ``--check FILE`` exits 1 when that differs.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from pydantic.json_schema import models_json_schema

from sympozium_protocol.bus.contract import CHANNELS, MESSAGES, NAMES, OPERATIONS, ROLES, Channel, Operation, Said
from sympozium_protocol.bus.subjects import STREAM
from sympozium_protocol.messages.base import Document, JsonObject
from sympozium_protocol.schemas import require_stated

_SCHEMA: Final = "#/components/schemas/"
_PARAMETER: Final = re.compile(r"\{([a-z]+)\}")


def document() -> JsonObject:
    """The same for the same models."""
    return {
        "asyncapi": "3.1.0",
        "id": "urn:sympozium:v1:bus",
        "info": {
            "title": "Sympozium: the bus",
            "version": "1.0.0",
            "description": _ABOUT,
            "license": {"name": "Apache-2.0"},
            "tags": [{"name": role, "description": what} for role, what in ROLES.items()],
        },
        "defaultContentType": "application/json",
        "servers": {"nats": _server("nats", "within one machine"), "tls": _server("tls", "over TLS, with a token")},
        "channels": {name: _channel(name, channel) for name, channel in CHANNELS.items()},
        "operations": {operation.name: _operation(operation) for operation in OPERATIONS},
        "components": {
            "messages": {name: _message(name, said) for name, said in MESSAGES.items()},
            "schemas": _schemas(said.model for said in MESSAGES.values() if said.model),
            "parameters": {name: _parameter(name) for name in _parameters(CHANNELS.values())},
            "securitySchemes": {
                "token": {
                    "type": "apiKey",
                    "in": "password",
                    "description": "a token of a run, a person, a service or a launcher, as NATS's auth_token",
                }
            },
        },
    }


_ABOUT: Final = (
    "What a run publishes to NATS JetStream, and what is said to it from elsewhere. Operations are named "
    f"ROLE.ACTION.CHANNEL, and seen from the role. Channels tagged 'stored' are in the stream {STREAM}: a message is "
    "acknowledged when it is on disk, and read in the order of the stream. What else is said is lost when nobody "
    "listens. The files inside Records are those of the run's directory; their schemas are urn:sympozium:v1:KIND."
)


def _server(protocol: str, what: str) -> JsonObject:
    found: JsonObject = {
        "host": "{host}:{port}",
        "protocol": "nats",
        "description": f"{protocol}://HOST:PORT, {what}",
        "variables": {"host": {"default": "127.0.0.1"}, "port": {"default": "4222"}},
    }
    return found | ({"security": [{"$ref": "#/components/securitySchemes/token"}]} if protocol == "tls" else {})


def _channel(name: str, channel: Channel) -> JsonObject:
    return {
        "address": channel.address,
        "title": name,
        "description": channel.what,
        "messages": {said: {"$ref": f"#/components/messages/{said}"} for said in channel.says},
        "parameters": {
            found: {"$ref": f"#/components/parameters/{found}"} for found in _PARAMETER.findall(channel.address)
        },
        "tags": [{"name": "stored" if channel.stored else "lossy"}],
    }


def _parameters(channels: Iterable[Channel]) -> list[str]:
    used = {name for channel in channels for name in _PARAMETER.findall(channel.address)}
    return [name for name in NAMES if name in used]


def _parameter(name: str) -> JsonObject:
    named = NAMES[name]
    found: JsonObject = {"description": f"{named.what} ({named.pattern})", "examples": [named.like]}
    return found | ({"enum": list(named.among)} if named.among else {})


def _operation(operation: Operation) -> JsonObject:
    found: JsonObject = {
        "action": operation.action,
        "channel": {"$ref": f"#/channels/{operation.channel}"},
        "summary": operation.what,
        "messages": _messages(operation.channel, CHANNELS[operation.channel].says),
        "tags": [{"name": operation.role}],
    }
    if operation.answered:
        where = "alive" if operation.channel == "present" else "answers"
        found["reply"] = {
            "channel": {"$ref": f"#/channels/{where}"},
            "messages": _messages(where, operation.answered),
        }
    return found


def _messages(channel: str, said: Iterable[str]) -> list[JsonObject]:
    return [{"$ref": f"#/channels/{channel}/messages/{name}"} for name in said]


def _message(name: str, said: Said) -> JsonObject:
    found: JsonObject = {"name": name, "summary": said.what}
    if said.headers:
        found["headers"] = dict(said.headers)
    if said.model:
        found["payload"] = {"$ref": f"{_SCHEMA}{said.model.__name__}"}
    elif said.schema:
        found["payload"] = dict(said.schema)
    if "payload" in found:
        found["contentType"] = said.content
    if said.examples:
        found["examples"] = [_example(said, one) for one in said.examples]
    return found


def _example(said: Said, shown: Any) -> JsonObject:
    payload = json.loads(shown.encode()) if isinstance(shown, Document) else shown
    if not said.headers:
        return {"payload": payload}
    return {"headers": dict.fromkeys(said.headers["required"], "41"), "payload": payload}


def _schemas(models: Iterable[type[Document]]) -> JsonObject:
    _, found = models_json_schema([(model, "validation") for model in models])
    require_stated(found)
    text = json.dumps(found["$defs"]).replace('"#/$defs/', f'"{_SCHEMA}')
    return dict(sorted(json.loads(text).items()))


def text() -> str:
    return json.dumps(document(), indent=2, ensure_ascii=False) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m sympozium_protocol.bus.asyncapi", description=__doc__)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--write", metavar="FILE", type=Path, help="write the document there")
    what.add_argument("--check", metavar="FILE", type=Path, help="exit 1 when the one there differs")
    options = parser.parse_args()
    if options.write:
        options.write.write_text(text(), encoding="utf-8")
        return 0
    if not options.check.exists():
        print(f"{options.check}: is missing", file=sys.stderr)
        return 1
    if options.check.read_text(encoding="utf-8") != text():
        print(f"{options.check}: differs from the models and the subjects", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
