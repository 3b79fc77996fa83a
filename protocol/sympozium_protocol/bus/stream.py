"""The one stream: made if it is not there, with its limits as settings."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from sympozium_protocol.bus.faults import Away, NobodyThere, refused
from sympozium_protocol.bus.link import Link, decode_answer
from sympozium_protocol.bus.subjects import STREAM, STREAM_SUBJECTS

_NOT_FOUND: Final = 10059
_IN_USE: Final = 10058
_NO_ROOM: Final = 10047


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """``age`` in seconds, ``size`` in bytes; 0 = no limit. A full stream refuses what is new: nothing is lost."""

    age: float = 30 * 86400.0
    size: int = 10 << 30
    replicas: int = 1


def configuration(limits: StreamLimits) -> dict[str, Any]:
    """Pure: the stream as JetStream's API has it."""
    return {
        "name": STREAM,
        "subjects": list(STREAM_SUBJECTS),
        "description": "The records of every run",
        "retention": "limits",
        "storage": "file",
        "discard": "new",
        "max_age": int(limits.age * 1e9),
        "max_bytes": limits.size or -1,
        "max_msgs": -1,
        "max_consumers": -1,
        "max_msg_size": 1 << 20,
        "num_replicas": limits.replicas,
        "allow_direct": True,
        "deny_delete": True,
        "duplicate_window": int(min(120.0, limits.age or 120.0) * 1e9),
    }


async def make_stream(link: Link, limits: StreamLimits) -> None:
    """Make it, or bring its limits to these. Raises Away, Ended (BusRefused)."""
    wanted = configuration(limits)
    found = await _ask(link, f"$JS.API.STREAM.CREATE.{STREAM}", wanted)
    if found.get("error", {}).get("err_code") in (_IN_USE, _NO_ROOM):
        # there is no room beside a stream that may take everything: this one, if it is there
        changed = await _ask(link, f"$JS.API.STREAM.UPDATE.{STREAM}", wanted)
        found = found if changed.get("error", {}).get("err_code") == _NOT_FOUND else changed
    if "error" in found:
        raise refused(f"the stream {STREAM} cannot be made: {found['error'].get('description', 'no reason was given')}")


async def have_stream(link: Link) -> bool:
    """Is it there? Raises Away, Ended (BusRefused)."""
    found = await _ask(link, f"$JS.API.STREAM.INFO.{STREAM}", {})
    if found.get("error", {}).get("err_code") == _NOT_FOUND:
        return False
    if "error" in found:
        raise refused(f"the stream {STREAM}: {found['error'].get('description', 'no reason was given')}")
    return True


async def _ask(link: Link, subject: str, value: dict[str, Any]) -> dict[str, Any]:
    try:
        return decode_answer(await link.request(subject, json.dumps(value).encode()))
    except NobodyThere:
        raise refused("this NATS server has no JetStream, or keeps it from us") from None
    except Away:
        raise
