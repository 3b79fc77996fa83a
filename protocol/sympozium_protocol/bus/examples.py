"""Messages as they look, for the AsyncAPI document: made of the models, so that they cannot be wrong."""

from __future__ import annotations

from typing import Final

from sympozium_protocol.bus.documents import Records, Request, Status, record_parts
from sympozium_protocol.bus.places import reply_path, started_path
from sympozium_protocol.files import digest
from sympozium_protocol.messages.calls import Call, Manifest, Reply, Started, TextPart, Tool, Verdict
from sympozium_protocol.messages.console import Answer, Cancel, FollowUp
from sympozium_protocol.messages.transcript import UserMessage

_TIME: Final = "2026-01-02T03:04:05.678Z"
_CALL: Final = Call(id="4-1", participant="memory", tool="memory_search", arguments={"query": "disk full"})
_DIGEST: Final = digest(_CALL.encode())
_VERDICT: Final = Verdict(
    participant="memory", id="4-1", digest=_DIGEST, decision="allow", by="policy:default", reason="", time=_TIME
)
_REPLY: Final = Reply(id="4-1", digest=_DIGEST, outcome="ok", content=(TextPart(text="Nothing is known."),))

RECORDS: Final = (
    Records(
        writer="0123456789abcdef",
        records=tuple(
            record_parts(
                "agent/transcript/3.json",
                UserMessage(seq=3, time=_TIME, elapsed=0.5, text="Why is the disk full?").encode(),
            )
        ),
    ),
    Records(
        writer="fedcba9876543210",
        records=tuple(record_parts(started_path("memory", "4-1"), Started(id="4-1", digest=_DIGEST).encode())),
    ),
    Records(writer="fedcba9876543210", records=tuple(record_parts(reply_path("memory", "4-1"), _REPLY.encode()))),
)
REQUEST: Final = Request(call=_CALL.encode().decode(), verdict=_VERDICT.encode().decode(), upto=42)
MANIFEST: Final = Manifest(
    participant="memory", tools=(Tool(name="memory_search", description="Search what earlier runs noted."),)
)
STATUS: Final = (
    Status(run="look-1", phase="Running", digest=_DIGEST),
    Status(run="look-1", phase="Waiting", waiting=("shell/6-1",), refused=1, digest=_DIGEST),
)
ANSWER: Final = Answer(participant="shell", id="6-1", digest=_DIGEST, decision="allow", by="ann", time=_TIME)
FOLLOW_UP: Final = FollowUp(text="Look at /var/log first.", by="ann", time=_TIME)
CANCEL: Final = Cancel(reason="no longer needed", by="ann", time=_TIME)
