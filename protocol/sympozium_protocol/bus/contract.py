"""What stands on which subject, and who says it: the tables that the AsyncAPI document is made from.

Addresses come from ``subjects``: each is what the function there makes of names that stand for themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

from sympozium_protocol.bus import examples, subjects
from sympozium_protocol.bus.documents import Open, Opened, Records, Request, Status, Taken, Turned
from sympozium_protocol.bus.subjects import RunKey
from sympozium_protocol.bus.writer import EXPECTED
from sympozium_protocol.messages.base import DIGEST_PATTERN, ID_PATTERN, Document
from sympozium_protocol.messages.calls import Manifest
from sympozium_protocol.messages.console import Answer, Cancel, FollowUp

Role: TypeAlias = Literal["bridge", "launcher", "service", "person", "keeper"]
ROLES: Final[Mapping[Role, str]] = {
    "bridge": "The gate of a run",
    "launcher": "Who makes pods: it publishes a run's first record, and may do what the run's bridge may",
    "service": "A participant that answers calls from elsewhere, in any number of copies",
    "person": "A person: answers questions, sends messages, cancels, reads",
    "keeper": "The service that answers who somebody is, and makes readers",
}


@dataclass(frozen=True, slots=True)
class Named:
    """A name in an address. ``like``: an example."""

    what: str
    like: str
    pattern: str = ID_PATTERN
    among: tuple[str, ...] = ()


NAMES: Final[Mapping[str, Named]] = {
    "namespace": Named("the run's namespace", "default"),
    "run": Named("the run", "look-1"),
    "participant": Named("the participant, by the name that the run knows it by", "memory"),
    "call": Named("the call's id", "4-1"),
    "service": Named("the name under which a service is called", "memory"),
    "verb": Named("what the person does", "answer", "^(answer|send|cancel)$", subjects.VERBS),
    "person": Named("the person's name in unpadded base64url", subjects.person_token("ann"), "^[A-Za-z0-9_-]+$"),
    "reader": Named(
        "PRINCIPAL-CONNECTION: of the one reader that a connection may have",
        subjects.reader_name("run:default.look-1", "0123456789abcdef"),
        "^[0-9a-f]{16}-[0-9a-f]{16}$",
    ),
    "principal": Named(
        "the first 16 hexadecimal digits of SHA-256 over the principal",
        subjects.reader_name("run:default.look-1", "").rstrip("-"),
        "^[0-9a-f]{16}$",
    ),
    "connection": Named("16 hexadecimal digits, which are the connection's name", "0123456789abcdef", "^[0-9a-f]{16}$"),
    "answer": Named("which request it answers", "1", "^[0-9]+$"),
    "delivery": Named("which of the connection's readers it is for", "89abcdef", "^[0-9a-f]+$"),
}
_MARK: Final = {name: f"of-{name}" for name in NAMES}
_RUN: Final = RunKey(_MARK["namespace"], _MARK["run"])
_INBOX: Final = subjects.inbox("of_principal-of_connection")


def _address(made: str) -> str:
    """The address of a subject that was made of the names' marks."""
    marks = {_MARK[name]: name for name in NAMES}
    marks |= {subjects.person_token(_MARK["person"]): "person", "of_principal": "principal"}
    marks |= {"of_connection": "connection"}
    return ".".join(f"{{{marks[part]}}}" if part in marks else part for part in made.split("."))


@dataclass(frozen=True, slots=True)
class Said:
    """A message. Without ``model`` its bytes are no document of ours: ``schema`` says what they are; none: empty."""

    what: str
    examples: tuple[Document | Any, ...] = ()
    model: type[Document] | None = None
    schema: Mapping[str, Any] | None = None
    content: str = "application/json"
    headers: Mapping[str, Any] | None = None


def _of(model: type[Document], *shown: Document, **more: Any) -> Said:
    return Said(" ".join((model.__doc__ or "").split()), shown, model, **more)


_EXPECTS: Final = {
    "type": "object",
    "required": [EXPECTED],
    "properties": {
        EXPECTED: {
            "type": "string",
            "pattern": "^[0-9]+$",
            "description": "the sequence of the subject's last message as its writer knows it; 0: there is none",
        }
    },
}
_ACKNOWLEDGED: Final = {
    "type": "object",
    "properties": {
        "stream": {"type": "string"},
        "seq": {"type": "integer", "minimum": 1},
        "error": {
            "type": "object",
            "properties": {
                "code": {"type": "integer"},
                "err_code": {"type": "integer", "description": "10071 and 10164: another message was the last"},
                "description": {"type": "string"},
            },
        },
    },
}
_NEXT: Final = {
    "type": "object",
    "required": ["batch"],
    "properties": {
        "batch": {"type": "integer", "minimum": 1, "description": "messages"},
        "expires": {"type": "integer", "description": "nanoseconds"},
        "idle_heartbeat": {"type": "integer", "description": "nanoseconds"},
    },
}

MESSAGES: Final[Mapping[str, Said]] = {
    "Records": _of(Records, *examples.RECORDS, headers=_EXPECTS),
    "Answer": _of(Answer, examples.ANSWER),
    "FollowUp": _of(FollowUp, examples.FOLLOW_UP),
    "Cancel": _of(Cancel, examples.CANCEL),
    "Request": _of(Request, examples.REQUEST),
    "Taken": _of(Taken, Taken()),
    "Turned": _of(Turned, Turned(why="memory does not serve the namespace default")),
    "Manifest": _of(Manifest, examples.MANIFEST),
    "Open": _of(Open, Open(after=41)),
    "Opened": _of(Opened, Opened(pending=3)),
    "Status": _of(Status, *examples.STATUS),
    "Nothing": Said("No bytes: the subject says it all."),
    "Progress": Said("The next bytes of a call's progress, as the participant wrote them.", content="text/plain",
                     schema={"type": "string"}, examples=("3 of 17 done\n",)),
    "Working": Said("The SHA-256 of the Call that is being answered.", content="text/plain",
                    schema={"type": "string", "pattern": DIGEST_PATTERN}, examples=("0" * 64,)),
    "Alive": Said("Which life of the bridge has the run.", content="text/plain",
                  schema={"type": "string", "pattern": "^[0-9a-f]{16}$"}, examples=("0123456789abcdef",)),
    "Next": Said("JetStream's request for the next messages of a reader.", schema=_NEXT,
                 examples=({"batch": 256, "expires": 10_000_000_000, "idle_heartbeat": 5_000_000_000},)),
    "Acknowledged": Said("JetStream's word that a message is on disk, or why it is not in the stream.",
                         schema=_ACKNOWLEDGED, examples=({"stream": subjects.STREAM, "seq": 42},)),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Channel:
    """``stored``: is what is said there in the stream?"""

    address: str
    what: str
    says: tuple[str, ...]
    stored: bool = False


def _channel(made: str, what: str, *says: str, stored: bool = False) -> Channel:
    return Channel(_address(made), what, says, stored)


_P, _C, _S = _MARK["participant"], _MARK["call"], _MARK["service"]
CHANNELS: Final[Mapping[str, Channel]] = {
    "records": _channel(subjects.records(_RUN), "What the run is, file by file", "Records", stored=True),
    "elsewhere": _channel(
        subjects.elsewhere(_RUN, _P, _C), "What a participant elsewhere says of a call", "Records", stored=True
    ),
    "said": _channel(
        subjects.said(_RUN, _MARK["verb"], _MARK["person"]),  # type: ignore[arg-type]
        "What a person says. Who it was is the subject's word, and when the server's: by and time are not read.",
        "Answer", "FollowUp", "Cancel", stored=True,
    ),
    "call": _channel(subjects.call(_S, _RUN, _P), "A call, to one copy of the service (a queue group)", "Request"),
    "withdrawn": _channel(
        subjects.withdrawn(_S, _RUN, _P, _C), "The call is no longer wanted; repeated until it is answered", "Nothing"
    ),
    "manifest": _channel(subjects.manifest(_S), "What does the service offer?", "Nothing"),
    "working": _channel(subjects.working(_RUN, _P, _C), "Every 2 s while a call is being answered", "Working"),
    "progress": _channel(subjects.progress(_RUN, _P, _C), "Progress of a call; it may be lost", "Progress"),
    "status": _channel(subjects.status(_RUN), "How the run stands", "Status"),
    "present": _channel(subjects.present(_RUN), "Has the run a bridge?", "Nothing"),
    "reader": _channel(subjects.reader(_RUN, _MARK["reader"]), "A reader of the run, for who has a token", "Open"),
    "next_message": _channel(subjects.next_message(_MARK["reader"]), "The reader asks for messages", "Next"),
    "answers": _channel(
        f"{_INBOX}.r.{_MARK['answer']}", "Answers to the connection's requests",
        "Acknowledged", "Taken", "Turned", "Manifest", "Opened",
    ),
    "alive": _channel(f"{_INBOX}.p.{_MARK['answer']}", "A gate's answer, at a place of its own", "Alive"),
    "deliveries": _channel(
        f"{_INBOX}.n.{_MARK['delivery']}",
        "Messages of the stream for the connection's reader: each with its own subject, in the order of the stream",
        "Records", "Answer", "FollowUp", "Cancel",
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Operation:
    """``answered``: by which messages, on the asker's inbox."""

    role: Role
    action: Literal["send", "receive"]
    channel: str
    what: str
    answered: tuple[str, ...] = field(default=())

    @property
    def name(self) -> str:
        return f"{self.role}.{self.action}.{self.channel}"


def _reads(role: Role) -> tuple[Operation, ...]:
    return (
        Operation(role, "send", "reader", "Ask for a reader of a run", ("Opened", "Turned")),
        Operation(role, "send", "next_message", "Ask for its next messages"),
        Operation(role, "receive", "deliveries", "Read them"),
    )


_ACK: Final = ("Acknowledged",)
OPERATIONS: Final = (
    Operation("launcher", "send", "records", "Publish the RunSpec, the first record of all", _ACK),
    Operation("bridge", "send", "records", "Publish each file of the run once", _ACK),
    *_reads("bridge"),
    Operation("bridge", "send", "call", "Have a call answered elsewhere", ("Taken", "Turned")),
    Operation("bridge", "send", "withdrawn", "Withdraw it"),
    Operation("bridge", "send", "manifest", "Ask what a service offers", ("Manifest",)),
    Operation("bridge", "receive", "working", "Hear that a call is being answered"),
    Operation("bridge", "receive", "progress", "Hear its progress"),
    Operation("bridge", "send", "progress", "Tell the progress of calls in the pod"),
    Operation("bridge", "send", "status", "Tell how the run stands"),
    Operation("bridge", "send", "present", "Ask whether the run has a bridge", ("Alive",)),
    Operation("bridge", "receive", "present", "Answer that it has", ("Alive",)),
    Operation("service", "receive", "call", "Take a call, or turn it away", ("Taken", "Turned")),
    Operation("service", "receive", "withdrawn", "Hear that it is not wanted any more"),
    Operation("service", "receive", "manifest", "Say what it offers", ("Manifest",)),
    Operation("service", "send", "elsewhere", "Say started, then blobs and the reply", _ACK),
    Operation("service", "send", "working", "Give a sign of life"),
    Operation("service", "send", "progress", "Tell progress"),
    *_reads("service"),
    Operation("person", "send", "said", "Answer a question, send a message, cancel", _ACK),
    Operation("person", "receive", "status", "Hear how a run stands"),
    Operation("person", "receive", "progress", "Hear progress of its calls"),
    *_reads("person"),
    Operation("keeper", "receive", "reader", "Make a reader, or say why not", ("Opened", "Turned")),
)
