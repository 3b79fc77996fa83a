"""Has a run ended? Its credential ends with it, whatever time its token has left."""

from __future__ import annotations

import base64
import binascii
import json
import re
import time
from datetime import datetime
from typing import Any, Final

from sympozium_protocol.bus import subjects
from sympozium_protocol.bus.documents import Records
from sympozium_protocol.bus.faults import Away, NobodyThere
from sympozium_protocol.bus.link import Link, decode_answer
from sympozium_protocol.bus.places import RESULT_PATH
from sympozium_protocol.bus.subjects import STREAM, RunKey
from sympozium_protocol.messages.base import InvalidDocument

_LAST: Final = f"$JS.API.STREAM.MSG.GET.{STREAM}"


async def ended_since(keeper: Link, run: RunKey) -> float | None:
    """When the result became the last of its records, in seconds since the epoch; None while the run goes on.

    A stream that does not answer says nothing of an end.
    """
    asked = json.dumps({"last_by_subj": subjects.records(run)}).encode()
    try:
        answer = decode_answer(await keeper.request(_LAST, asked))
    except (Away, NobodyThere):
        return None
    message = answer.get("message")
    return _ended(message) if isinstance(message, dict) else None


def _ended(message: dict[str, Any]) -> float | None:
    try:
        records = Records.decode(base64.b64decode(message["data"])).records
    except (KeyError, TypeError, binascii.Error, InvalidDocument):
        return None
    return _seconds(message.get("time")) if records[-1].path == RESULT_PATH else None


def _seconds(text: object) -> float:
    """The server's time, which has more digits than Python reads."""
    try:
        return datetime.fromisoformat(re.sub(r"\.(\d{1,6})\d*", r".\1", str(text))).timestamp()
    except ValueError:
        return time.time()
