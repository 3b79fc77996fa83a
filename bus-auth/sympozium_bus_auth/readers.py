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
        found = Opened(pending=await make_reader(link, run, name, Open.decode(bytes(message.data)).after)).encode()
    except (BadSubject, InvalidDocument, Ended, Away) as fault:
        log("bus-auth", no_reader=str(fault), subject=message.subject)
        found = Turned(why=str(fault)).encode()
    if message.reply:
        await link.publish(message.reply, found)
