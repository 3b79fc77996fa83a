"""How a run ends: result.json, written last, and waited for until it is safe."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Sequence
from typing import Final

from sympozium_protocol import clock
from sympozium_protocol.exits import Ended, Reason
from sympozium_protocol.failpoints import failpoint
from sympozium_protocol.files import digest
from sympozium_protocol.layout import DURABLE_FILE, RESULT_FILE
from sympozium_protocol.messages.base import InvalidDocument
from sympozium_protocol.messages.result import Durable, RunResult
from sympozium_protocol.messages.spec import RunSpec
from sympozium_protocol.messages.transcript import Message
from sympozium_protocol.waiting import Pace, Watch
from sympozium_runner.meters import Meters
from sympozium_runner.places import Places

OUTPUT_IN_FILE: Final = 128 * 1024
"""Characters of the answer that result.json holds itself; a longer one is a blob."""

DURABLE_WITHIN: Final = 10.0


def result_of(
    spec: RunSpec, messages: Sequence[Message], meters: Meters, *, answer: str, end: Ended | None, now: float
) -> RunResult:
    """The RunResult of a run that ended with ``answer`` or with ``end``. Pure."""
    reason = end.reason if end else Reason.Completed
    data = answer.encode("utf-8", "surrogatepass")
    return RunResult(
        run=spec.run,
        phase=reason.phase,  # type: ignore[arg-type]
        reason=reason.name,
        message=end.message if end else "",
        output=answer[:OUTPUT_IN_FILE],
        output_size=len(data),
        output_digest=digest(data) if data else None,
        usage=meters.usage,
        steps=meters.steps,
        last_seq=len(messages),
        start_time=messages[0].time if messages else clock.utc(now),
        completion_time=clock.utc(now),
    )


def write_result(places: Places, result: RunResult, answer: str) -> None:
    """The last file that an agent writes. Raises CannotWrite."""
    if len(answer) > OUTPUT_IN_FILE:
        places.keep(answer.encode("utf-8", "surrogatepass"))
    data = result.encode()
    places.ledger.take(places.own.at(RESULT_FILE), len(data))
    failpoint("before-result")
    places.own.write(RESULT_FILE, data)
    failpoint("result")


def read_result(places: Places) -> RunResult | None:
    """The result of a former life. Raises Ended (ResultUnreadable)."""
    data = places.own.read(RESULT_FILE)
    try:
        return RunResult.decode(data) if data is not None else None
    except InvalidDocument as fault:
        raise Ended(Reason.ResultUnreadable, f"agent/result.json: {fault.why}") from None


def print_answer(places: Places, result: RunResult) -> None:
    """For who reads the agent's output, where no launcher reads its files. Raises FileFault."""
    data = result.output.encode("utf-8", "surrogatepass")
    if result.output_digest and digest(data) != result.output_digest:
        data = places.blobs.get_blob(result.output_digest) or data
    with contextlib.suppress(OSError):  # nobody listens any more; the result is safe
        sys.stdout.write(data.decode("utf-8", "replace").removesuffix("\n") + "\n")
        sys.stdout.flush()


async def until_durable(places: Places, watch: Watch) -> bool:
    """Wait until the gate has made the result durable; False after ten seconds without."""
    watch.add(places.bridge)
    pace = Pace(watch)
    ends = time.monotonic() + DURABLE_WITHIN
    while not _durable(places):
        left = ends - time.monotonic()
        if left <= 0:
            return False
        await pace.wait(left)
    return True


def _durable(places: Places) -> bool:
    data = places.bridge.read(DURABLE_FILE)
    return data is not None and Durable.decode(data).result
