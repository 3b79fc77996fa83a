"""The runs that a bus has, each from the first and the last of its own records."""

from __future__ import annotations

import json
from typing import Any, Final

from sympozium_cli.bus.connecting import at_once, connection
from sympozium_cli.bus.named import Bus
from sympozium_cli.view.records import Record
from sympozium_protocol.bus import documents, subjects
from sympozium_protocol.bus.documents import Records
from sympozium_protocol.bus.faults import NobodyThere
from sympozium_protocol.bus.link import Link, decode_answer
from sympozium_protocol.bus.places import RESULT_PATH, RUN_PATH
from sympozium_protocol.bus.subjects import STREAM, BadSubject, RunKey
from sympozium_protocol.exits import Ended, Reason
from sympozium_protocol.messages.base import InvalidDocument
from sympozium_protocol.messages.result import RunResult
from sympozium_protocol.messages.spec import RunSpec

_INFO: Final = f"$JS.API.STREAM.INFO.{STREAM}"
_GET: Final = f"$JS.API.DIRECT.GET.{STREAM}"


def records_on(bus: Bus, namespace: str) -> list[Record]:
    """The runs of a namespace, the oldest first. Raises Ended (BusRefused)."""
    found = at_once(_records(bus, namespace))
    return sorted(found, key=lambda record: (record.created, record.name))


async def _records(bus: Bus, namespace: str) -> list[Record]:
    async with connection(bus) as link:
        found = [await _record(link, run) for run in await _runs(link, namespace)]
        return [record for record in found if record]


async def _runs(link: Link, namespace: str) -> list[RunKey]:
    """Raises Away, Ended (Usage)."""
    try:
        wanted = subjects.records(RunKey(namespace, "x")).replace(".x.", ".*.")
    except BadSubject as fault:
        raise Ended(Reason.Usage, f"command line: --namespace: {fault}") from None
    found: list[RunKey] = []
    while True:
        asked = json.dumps({"subjects_filter": wanted, "offset": len(found)}).encode()
        try:
            answer = decode_answer(await link.request(_INFO, asked))
        except NobodyThere:
            return found
        page: dict[str, Any] = answer.get("state", {}).get("subjects") or {}
        found += [subjects.read(subject)[0] for subject in page]
        if not page or len(found) >= int(answer.get("total", 0)):
            return found


async def _record(link: Link, run: RunKey) -> Record | None:
    """None for what is no run: it does not begin with a RunSpec."""
    first = await _records_in(link, _GET, {"seq": 1, "next_by_subj": subjects.records(run)})
    if not first or first[0].path != RUN_PATH:
        return None
    result = await _result(link, run)
    phase, reason = (result.phase, result.reason) if result else ("Unfinished", "")
    if first[0].parts > 1:  # what it is does not fit into one message: its name will do
        return Record(run.run, "", phase, reason, "", "")
    try:
        spec = RunSpec.decode(first[0].data)
    except (InvalidDocument, ValueError):
        return None
    return Record(run.run, spec.created, phase, reason, spec.agent, spec.input)


async def _result(link: Link, run: RunKey) -> RunResult | None:
    """The result, which is the last of a run's own records; None while there is none."""
    for record in await _records_in(link, f"{_GET}.{subjects.records(run)}"):
        if record.path == RESULT_PATH:
            try:
                return RunResult.decode(record.data)
            except (InvalidDocument, ValueError):
                return None
    return None


async def _records_in(link: Link, subject: str, asked: dict[str, object] | None = None) -> tuple[documents.Record, ...]:
    """Those of one message; none where there is no such message. Raises Away."""
    try:
        data = await link.request(subject, json.dumps(asked).encode() if asked else b"")
        return Records.decode(data).records
    except (InvalidDocument, NobodyThere):
        return ()
