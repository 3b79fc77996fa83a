"""Level core: what every participant does, in however few lines it is written."""

from __future__ import annotations

from typing import Final

from sympozium_protocol.conformance.asking import Ask, Broken
from sympozium_protocol.conformance.checking import Check
from sympozium_protocol.conformance.lab import Lab
from sympozium_protocol.conformance.samples import sample_arguments
from sympozium_protocol.conformance.sent import Sent
from sympozium_protocol.conformance.subject import Subject
from sympozium_protocol.files import digest
from sympozium_protocol.messages.calls import Manifest
from sympozium_protocol.participant.arguments import fault_of_arguments

NO_SUCH_TOOL: Final = "no_such_tool_is_here"
MALFORMED: Final = (
    b"not JSON\n",
    b"null\n",
    b'{"kind":"Call","id":"',
    b'{"kind":"Call","arguments":[]}\n',
    b"\xff\xfe\0",
)


def manifest(lab: Lab) -> None:
    subject = lab.subject()
    found = subject.manifest()
    if not found.tools:
        raise Broken("at least one tool", "none")
    names = [tool.name for tool in found.tools]
    for ask in (lab.call, lab.slow):
        if ask and ask.tool not in names:
            raise Broken(f"the tool {ask.tool} among those offered", ", ".join(names))
    if lab.call is None:
        lab.call = _first_call(found)


def _first_call(found: Manifest) -> Ask:
    tool = found.tools[0]
    arguments = sample_arguments(tool.parameters)
    if wrong := fault_of_arguments(arguments, tool.parameters):
        raise Broken(f"arguments for {tool.name} to follow from its schema (give them with --call)", wrong)
    return Ask(tool.name, arguments)


def answered(lab: Lab) -> None:
    lab.subject().send(lab.the_call()).answered("ok")


def without_verdict(lab: Lab) -> None:
    subject = lab.subject()
    call_id = subject.next_id()
    data = subject.scratch.put_call(call_id, lab.the_call())
    _others_are_answered(subject, lab)
    Sent(subject, call_id, digest(data)).untouched("a call without a verdict")


def another_digest(lab: Lab) -> None:
    subject = lab.subject()
    call_id = subject.next_id()
    data = subject.scratch.put_call(call_id, lab.the_call())
    subject.scratch.put_verdict(call_id, data + b" ")
    _others_are_answered(subject, lab)
    Sent(subject, call_id, digest(data)).untouched("a call whose verdict is over other bytes")


def denied(lab: Lab) -> None:
    subject = lab.subject()
    call_id = subject.next_id()
    data = subject.scratch.put_call(call_id, lab.the_call())
    subject.scratch.put_verdict(call_id, data, deny=True)
    _others_are_answered(subject, lab)
    Sent(subject, call_id, digest(data)).untouched("a denied call")


def unknown_tool(lab: Lab) -> None:
    subject = lab.subject()
    subject.send(Ask(NO_SUCH_TOOL, {})).answered("error")
    _others_are_answered(subject, lab)


def malformed_call(lab: Lab) -> None:
    """Bytes that are no Call, but have a verdict: an error, or nothing at all; and life goes on."""
    subject = lab.subject()
    for data in (
        b"not JSON\n",
        b"null\n",
        b'{"kind":"Call","id":"',
        b'{"kind":"Call","arguments":[]}\n',
        b"\xff\xfe\0",
    ):
        call_id = subject.next_id()
        subject.scratch.calls.write(f"{call_id}.json", data)
        subject.scratch.put_verdict(call_id, data)
        _others_are_answered(subject, lab)
        sent = Sent(subject, call_id, digest(data))
        if sent.is_answered():
            sent.answered("error")


def malformed_verdict(lab: Lab) -> None:
    subject = lab.subject()
    for data in (b"", b"not JSON\n", b"null\n", b'{"kind":"Verdict","decision":"allow"'):
        call_id = subject.next_id()
        call = subject.scratch.put_call(call_id, lab.the_call())
        subject.scratch.verdicts.write(f"{call_id}.json", data)
        _others_are_answered(subject, lab)
        Sent(subject, call_id, digest(call)).untouched("a call with a broken verdict")


def dot_names(lab: Lab) -> None:
    """What is still being written stands under a dot-name, whole or half."""
    subject = lab.subject()
    whole, half = subject.next_id(), subject.next_id()
    for call_id, cut in ((whole, None), (half, 20)):
        data = subject.scratch.put_call(call_id, lab.the_call())
        for directory, content in (
            (subject.scratch.calls, data),
            (subject.scratch.verdicts, subject.scratch.verdict(call_id, data)),
        ):
            for name in (f".{call_id}.json", f".{call_id}.json.4711"):
                directory.write(name, content[:cut])
    _others_are_answered(subject, lab)
    for call_id in (whole, half):
        Sent(subject, call_id, "").untouched("a call whose verdict still has a dot-name")
    _only_own_names(subject)


def bad_names(lab: Lab) -> None:
    """Names that are no ``<id>.json``."""
    subject = lab.subject()
    call_id = subject.next_id()
    data = subject.scratch.put_call(call_id, lab.the_call())
    for name in (
        f"{call_id}",
        f"{call_id}.json.old",
        f"{call_id}.txt",
        "UPPER.json",
        "two words.json",
        "-9.json",
        "é.json",
    ):
        if not subject.scratch.calls.has(name):
            subject.scratch.calls.write(name, data)
        subject.scratch.verdicts.write(name, subject.scratch.verdict(call_id, data))
    _others_are_answered(subject, lab)
    Sent(subject, call_id, "").untouched("a call whose verdict has a name that is no id")
    _only_own_names(subject)


def whole_at_once(lab: Lab) -> None:
    subject = lab.subject()
    for _ in range(20):
        subject.send(lab.the_call()).answered("ok")
    if seen := subject.scratch.in_place.seen():
        raise Broken("files written under a dot-name and renamed", f"written in place: {', '.join(seen[:3])}")
    _only_own_names(subject)


def _others_are_answered(subject: Subject, lab: Lab) -> None:
    """Two further calls, one after the other: what was to be ignored has been passed over by then."""
    for _ in range(2):
        subject.send(lab.the_call()).answered("ok")


def _only_own_names(subject: Subject) -> None:
    for name in subject.scratch.replies.names():
        number, _, ending = name.partition("-")
        if ending != "1.json" or not number.isdecimal() or not 1 <= int(number) <= subject.asked:
            raise Broken("only <id>.json of a call in replies/ (what is being written has a dot-name)", name)


CORE: Final = (
    Check("it publishes a valid manifest", manifest),
    Check("a call with a verdict is answered, with its id and digest", answered),
    Check("a call without a verdict is ignored", without_verdict),
    Check("a call whose verdict is over other bytes is ignored", another_digest),
    Check("a denied call is ignored", denied),
    Check("an unknown tool is answered with an error, and nothing breaks", unknown_tool),
    Check("a malformed call breaks nothing", malformed_call),
    Check("a malformed verdict breaks nothing", malformed_verdict),
    Check("half-written and dot-named files are ignored", dot_names),
    Check("badly named files are ignored", bad_names),
    Check("its files appear whole, by renaming", whole_at_once),
)
