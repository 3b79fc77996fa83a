"""Readers of runs, made for who may read: one who made its own could have it deliver to any subject."""

from __future__ import annotations

from sympozium_protocol.bus import subjects
from sympozium_protocol.bus.documents import Open, Opened, Turned
from sympozium_protocol.bus.faults import Away
from sympozium_protocol.bus.link import Link, Message
from sympozium_protocol.bus.reader import make_reader
from sympozium_protocol.bus.subjects import BadSubject
from sympozium_protocol.exits import Ended
from sympozium_protocol.messages.base import InvalidDocument
from sympozium_protocol.process import log


async def answer(link: Link, message: Message) -> None:
    """One request for a reader. That its sender may ask for it is the server's to know: it stands in the subject."""
    try:
        run, name = subjects.read_reader(message.subject)
    except BadSubject as fault:
        log("bus-auth", no_reader=str(fault))
        return
    if not may_answer(message.reply, name):
        log("bus-auth", no_reader="the answer was wanted at a place that is not the asker's", subject=message.subject)
        return
    try:
        after = Open.decode(bytes(message.data)).after
        found = Opened(pending=await make_reader(link, run, name, after)).encode()
    except (InvalidDocument, Ended, Away) as fault:
        log("bus-auth", no_reader=str(fault), subject=message.subject)
        found = Turned(why=str(fault)).encode()
    await link.publish(message.reply, found)


def may_answer(place: str, reader: str) -> bool:
    """Pure: is it the asker's own? We may publish anywhere, and must not be made to.

    A request from another account comes with a subject of the server's own making.
    """
    return place.startswith(("_R_.", f"{subjects.inbox(reader)}."))
