"""Level full: what a participant does that works side by side, can be stopped, and survives a crash."""

from __future__ import annotations

import os
import signal
from typing import Final

from sympozium_protocol.conformance.asking import Broken
from sympozium_protocol.conformance.checking import Check
from sympozium_protocol.conformance.core import CORE
from sympozium_protocol.conformance.lab import Lab
from sympozium_protocol.conformance.sent import Sent
from sympozium_protocol.files import digest
from sympozium_protocol.layout import ALIVE_FILE
from sympozium_protocol.messages.base import Effect
from sympozium_protocol.participant.serve import CANCEL_GRACE
from sympozium_protocol.waiting import DEAD_AFTER

SHORT_TIMEOUT: Final = 0.3
"""Seconds; a slow call takes longer."""

TERM_GRACE: Final = 2.0
"""Seconds from SIGTERM to the end."""
BUSY: Final = 3.0
"""Seconds more before it is judged: a machine that is busy with others is not the program's fault."""


def started_first(lab: Lab) -> None:
    sent = lab.subject().send(lab.the_call())
    sent.answered("ok")
    sent.begun()


def side_by_side(lab: Lab) -> None:
    subject = lab.subject()
    slow = subject.send(lab.the_slow_call())
    slow.begun()
    subject.send(lab.the_call()).answered("ok")
    if slow.is_answered():
        raise Broken("a call made during a slow one to be answered before it", "the slow one was answered first")
    slow.answered("ok")


def withdrawn_before(lab: Lab) -> None:
    subject = lab.subject()
    call_id = subject.next_id()
    subject.scratch.withdrawn.mark(call_id)
    data = subject.scratch.put_call(call_id, lab.the_slow_call())
    subject.scratch.put_verdict(call_id, data)
    for _ in range(2):
        subject.send(lab.the_call()).answered("ok")
    sent = Sent(subject, call_id, digest(data))
    if sent.is_answered():
        sent.answered("cancelled")
    elif subject.scratch.started.has(call_id):
        sent.answered("cancelled", within=CANCEL_GRACE)


def withdrawn_after(lab: Lab) -> None:
    subject = lab.subject()
    sent = subject.send(lab.the_slow_call())
    sent.begun()
    subject.scratch.withdrawn.mark(sent.id)
    sent.answered("cancelled", within=CANCEL_GRACE)


def timeout(lab: Lab) -> None:
    subject = lab.subject()
    subject.send(lab.the_slow_call(), SHORT_TIMEOUT).answered("timeout")


def not_regular(lab: Lab) -> None:
    """What became of a call after its verdict is the agent's doing: it must block nobody and lead nowhere."""
    subject = lab.subject()
    for kind in ("FIFO", "link", "directory"):
        call_id = subject.next_id()
        data = subject.scratch.put_call(call_id, lab.the_call())
        path = subject.scratch.ipc / "agent" / "calls" / lab.name / f"{call_id}.json"
        path.rename(aside := subject.scratch.base / "aside.json")
        if kind == "FIFO":
            os.mkfifo(path)
        elif kind == "link":
            path.symlink_to(aside)
        else:
            path.mkdir()
        subject.scratch.put_verdict(call_id, data)
        subject.send(lab.the_call()).answered("ok")
        subject.send(lab.the_call()).answered("ok")
        Sent(subject, call_id, digest(data)).untouched(f"a call that has become a {kind}")


def after_a_crash(effect: Effect) -> Check:
    """Started, then killed: done again, unless that could do it twice."""
    expected = "interrupted" if effect == "write" else "ok"

    def judge(lab: Lab) -> None:
        with lab.apart(effect) as subject:
            first = subject.start()
            sent = subject.send(lab.the_slow_call())
            sent.begun()
            subject.kill()
            if sent.is_answered():
                raise Broken("a slow call that can be killed before it is answered", "an answer: give a slower call")
            if (second := subject.start()) <= first:
                raise Broken(f"a manifest above {first}.json after a restart", f"{second}.json")
            sent.answered(expected)
            subject.send(lab.the_call()).answered("ok")

    words = "is answered interrupted and not done again" if effect == "write" else "is done again"
    return Check(f"after kill -9, a started call of effect {effect} {words}", judge)


def aliveness(lab: Lab) -> None:
    subject = lab.subject()
    directory = subject.scratch.own
    path = directory.at(ALIVE_FILE)
    first = subject.wait(lambda: directory.touched(ALIVE_FILE), f"{path} to be there")
    expected = f"{path} to be touched again within {DEAD_AFTER:g} s"
    subject.wait(lambda: ((now := directory.touched(ALIVE_FILE)) != first and now) or None, expected, DEAD_AFTER)


def ends(lab: Lab) -> None:
    with lab.apart("read") as subject:
        subject.start()
        subject.send(lab.the_slow_call()).begun()
        process = subject.process
        assert process is not None
        process.send_signal(signal.SIGTERM)
        try:
            subject.wait(lambda: True if process.poll() is not None else None, "", TERM_GRACE + BUSY)
        except Broken:
            raise Broken(f"the end within {TERM_GRACE:g} s of SIGTERM, during a call", "it goes on") from None
        if left := subject.left():
            raise Broken("nothing left behind after SIGTERM", f"{len(left)} processes of it")


FULL: Final = (
    *CORE,
    Check("started is written before a call is acted on", started_first),
    Check("two calls at once: the second is answered before the slow first", side_by_side),
    Check("a call withdrawn before its start is not done", withdrawn_before),
    Check("a call withdrawn after its start is stopped, and answered cancelled", withdrawn_after),
    Check("a call that takes longer than its timeout is answered timeout", timeout),
    Check("a call that became a FIFO, a link or a directory blocks nobody", not_regular),
    Check("alive is touched", aliveness),
    after_a_crash("write"),
    after_a_crash("read"),
    after_a_crash("idempotent"),
    Check("SIGTERM ends it within 2 s, with all that it started", ends),
)
