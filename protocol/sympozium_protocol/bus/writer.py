"""Appending to one subject of the stream: each message expects the one before it, so a second writer is noticed."""

from __future__ import annotations

from typing import Final

from sympozium_protocol.bus.faults import Away, NobodyThere, Superseded, refused
from sympozium_protocol.bus.link import Link, decode_answer

EXPECTED: Final = "Nats-Expected-Last-Subject-Sequence"
_WRONG_LAST: Final = frozenset({10071, 10164})
_FULL: Final = frozenset({10023, 10047, 10077, 10122, 10167})
"""No room now: limits of the stream, the account or the server."""


async def append(link: Link, subject: str, data: bytes, *, last: int) -> int:
    """The sequence under which the stream has it now; acknowledged means on disk.

    ``last``: of the subject's last message as the writer knows it, 0 for none.
    Raises Superseded, Away (then it may be there or not), NobodyThere never, Ended (BusRefused).
    """
    try:
        answer = decode_answer(await link.request(subject, data, headers={EXPECTED: str(last)}))
    except NobodyThere:
        raise Away("no stream takes what runs write; has it been made?") from None
    error = answer.get("error")
    if error is None:
        return int(answer["seq"])
    code, words = error.get("err_code"), str(error.get("description", "no reason was given"))
    if code in _WRONG_LAST:
        raise Superseded(subject)
    if code in _FULL or error.get("code") == 503:
        raise Away(f"the stream takes no more: {words}")
    raise refused(f"the stream refuses what is written to {subject}: {words}")
