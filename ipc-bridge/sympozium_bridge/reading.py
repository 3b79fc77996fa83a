"""Reading one Call and deciding on it: what the gate will do, as data."""

from __future__ import annotations

from dataclasses import dataclass

from sympozium_protocol.files import BadFile, digest
from sympozium_protocol.messages.base import Effect, InvalidDocument
from sympozium_protocol.messages.calls import Call
from sympozium_protocol.messages.spec import RunSpec
from sympozium_protocol.policy import Judgement, judge


@dataclass(frozen=True, slots=True)
class Reading:
    """One Call as the gate read it, once. ``call`` is None when its bytes are no Call."""

    participant: str
    id: str
    digest: str
    effect: Effect
    call: Call | None
    judgement: Judgement


def read_bytes(participant: str, call_id: str, data: bytes | BadFile, spec: RunSpec, *, number: int) -> Reading:
    """Judge what was read. ``number`` counts the calls of this run, this one included."""
    if isinstance(data, BadFile):
        return _refused(participant, call_id, digest(b""), f"the call could not be read: it {data.why}")
    found = digest(data)
    try:
        call = Call.decode(data)
    except InvalidDocument as fault:
        return _refused(participant, call_id, found, f"the call could not be read: {fault.why}")
    if call.id != call_id or call.participant != participant:
        return _refused(participant, call_id, found, "the call names another id or participant than its file")
    if number > spec.limits.calls:
        return _refused(participant, call_id, found, f"the run's limit of {spec.limits.calls} calls is reached")
    judgement = judge(call, spec)
    if judgement.decision == "ask" and not spec.approval.somebody:
        judgement = Judgement("deny", judgement.by, f"{judgement.reason}, and there is nobody to ask")
    return Reading(participant, call_id, found, effect_of(call, spec), call, judgement)


def effect_of(call: Call, spec: RunSpec) -> Effect:
    """The effect that the RunSpec gives the call's tool; ``write`` for what it does not know."""
    participant = spec.participant(call.participant)
    tool = participant.tool(call.tool) if participant else None
    return tool.effect if tool else "write"


def _refused(participant: str, call_id: str, found: str, why: str) -> Reading:
    return Reading(participant, call_id, found, "write", None, Judgement("deny", "gate", why))
