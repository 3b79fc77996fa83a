"""How a run ended, as read back from its files: never Succeeded without a final answer in hand."""

from __future__ import annotations

from dataclasses import dataclass

from sympozium_cli.launch.session import Ending
from sympozium_protocol import layout
from sympozium_protocol.exits import Reason, reason_of
from sympozium_protocol.files import Directory, FileFault, digest
from sympozium_protocol.messages.base import InvalidDocument
from sympozium_protocol.messages.result import RunResult


class Unreadable(Exception):
    """result.json, or the answer that it names, cannot be believed."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """``answer`` is there exactly when the run succeeded."""

    reason: Reason
    message: str
    result: RunResult | None = None
    answer: str | None = None


def read_result(ipc: Directory, run: str) -> RunResult | None:
    """The agent's RunResult; None when there is none. Raises Unreadable."""
    try:
        with ipc.open((layout.AGENT,)) as agent:
            data = agent.read(layout.RESULT_FILE)
        result = RunResult.decode(data) if data is not None else None
    except FileFault as fault:
        raise Unreadable(str(fault)) from None
    except InvalidDocument as fault:
        raise Unreadable(f"agent/result.json: {fault.why}") from None
    if result and result.run != run:
        raise Unreadable("agent/result.json: is of another run")
    if result and (result.reason not in Reason.__members__ or Reason[result.reason].phase != result.phase):
        raise Unreadable("agent/result.json: phase and reason do not go together")
    return result


def read_answer(ipc: Directory, result: RunResult) -> str:
    """The whole answer, checked against its digest. Raises Unreadable."""
    if not result.output or result.output_digest is None:
        raise Unreadable("agent/result.json: says that the run succeeded, but holds no answer")
    data = result.output.encode("utf-8", "surrogatepass")
    if digest(data) == result.output_digest:
        return result.output
    try:
        with ipc.open(layout.blobs(layout.AGENT)) as blobs:
            whole = blobs.get_blob(result.output_digest)
    except FileFault as fault:
        raise Unreadable(str(fault)) from None
    if whole is None:
        raise Unreadable(f"agent/blobs/{result.output_digest}: is not there; it should hold the whole answer")
    if len(whole) != result.output_size or not whole.startswith(data):
        raise Unreadable("agent/result.json: its output is not the beginning of the answer that it names")
    return whole.decode("utf-8", "replace")


def outcome_of(ipc: Directory, run: str, ending: Ending) -> Outcome:
    """What the session's end and the result file say together."""
    try:
        result = read_result(ipc, run)
        return _joined(ipc, result, ending)
    except Unreadable as fault:
        return Outcome(Reason.ResultUnreadable, str(fault))


def _joined(ipc: Directory, result: RunResult | None, ending: Ending) -> Outcome:
    agreed = result is not None and ending.agent == Reason[result.reason]
    if result is not None and agreed:
        answer = read_answer(ipc, result) if result.reason == Reason.Completed.name else None
        return Outcome(Reason[result.reason], result.message, result, answer)
    if ending.reason is not None:
        return Outcome(ending.reason, ending.message)
    code = ending.agent if ending.agent is not None else -1
    if code == 0:
        raise Unreadable("agent/result.json: " + ("contradicts the agent's exit code" if result else "is not there"))
    reason = reason_of(code) if code > 0 else None
    return Outcome(reason or Reason.AgentCrashed, ending.message)
