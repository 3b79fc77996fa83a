"""Every subject, stream and name on the bus, once. A subject says whose message it is: permissions rest on that."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, get_args

from sympozium_protocol.messages.base import ID_PATTERN
from sympozium_protocol.messages.spec import RunSpec

STREAM: Final = "SYMPOZIUM"
"""The one stream: every durable message of every run."""
STREAM_SUBJECTS: Final = ("sympozium.run.>",)

Verb: TypeAlias = Literal["answer", "send", "cancel"]
VERBS: Final[tuple[Verb, ...]] = get_args(Verb)

_TOKEN: Final = re.compile(ID_PATTERN)
_READER: Final = re.compile(r"[0-9a-f]{16}-[0-9a-f]{16}")


class BadSubject(ValueError):
    """A name that cannot stand in a subject, or a subject that is none of ours."""


@dataclass(frozen=True, slots=True)
class RunKey:
    """A run as the bus knows it. Raises BadSubject for names that are no tokens."""

    namespace: str
    run: str

    def __post_init__(self) -> None:
        token(self.namespace)
        token(self.run)

    @classmethod
    def of(cls, spec: RunSpec) -> RunKey:
        return cls(spec.namespace, spec.run)

    def __str__(self) -> str:
        return f"{self.namespace}.{self.run}"


def token(name: str) -> str:
    """``name``, which is one token of a subject. Raises BadSubject."""
    if not _TOKEN.fullmatch(name):
        raise BadSubject(f"{name[:80]!r} cannot stand in a subject: lower-case letters, digits and '-', at most 63")
    return name


# -- in the stream ------------------------------------------------------------------------------------------------


def records(run: RunKey) -> str:
    """The run's own records: RunSpec first, by whoever made the pod; then the bridge's alone."""
    return f"sympozium.run.{run}.records"


def elsewhere(run: RunKey, participant: str, call: str) -> str:
    """What a participant elsewhere says of one call: ``started``, then its reply."""
    return f"sympozium.run.{run}.elsewhere.{token(participant)}.{token(call)}"


def said(run: RunKey, verb: Verb, person: str) -> str:
    """What a person says: an Answer, a FollowUp, a Cancel. Who it is stands in the subject, not in the message."""
    return f"sympozium.run.{run}.said.{verb}.{person_token(person)}"


def everything(run: RunKey) -> str:
    return f"sympozium.run.{run}.>"


# -- beside it ----------------------------------------------------------------------------------------------------


def call(service: str, run: RunKey, participant: str) -> str:
    """A call with its verdict, as a request to one of the copies of ``service``."""
    return f"sympozium.call.{token(service)}.{run}.{token(participant)}"


def calls(service: str) -> str:
    return f"sympozium.call.{token(service)}.*.*.*"


def withdrawn(service: str, run: RunKey, participant: str, call: str) -> str:
    """The call is no longer wanted; said again until it is answered."""
    return f"sympozium.withdrawn.{token(service)}.{run}.{token(participant)}.{token(call)}"


def withdrawals(service: str) -> str:
    return f"sympozium.withdrawn.{token(service)}.>"


def manifest(service: str) -> str:
    """A request for the Manifest of a service."""
    return f"sympozium.manifest.{token(service)}"


def progress(run: RunKey, participant: str, call: str) -> str:
    return f"sympozium.live.{run}.progress.{token(participant)}.{token(call)}"


def working(run: RunKey, participant: str, call: str) -> str:
    """A sign of life of whoever works on a call elsewhere: the digest of the Call, which not everybody can know."""
    return f"sympozium.live.{run}.working.{token(participant)}.{token(call)}"


def status(run: RunKey) -> str:
    return f"sympozium.live.{run}.status"


def live(run: RunKey) -> str:
    return f"sympozium.live.{run}.>"


def present(run: RunKey) -> str:
    """A request that the living bridge of a run answers."""
    return f"sympozium.present.{run}"


def reader(run: RunKey, name: str) -> str:
    """A request for a reader of everything in the stream about ``run``, called ``name``."""
    return f"sympozium.reader.{run}.{name}"


READERS: Final = "sympozium.reader.*.*.*"


def next_message(name: str) -> str:
    """Where a reader asks for messages."""
    return f"$JS.API.CONSUMER.MSG.NEXT.{STREAM}.{name}"


# -- names ----------------------------------------------------------------------------------------------------------


def reader_name(principal: str, connection: str) -> str:
    """The one reader that a connection may have: of its principal, so that no other can take its place."""
    return f"{hashlib.sha256(principal.encode()).hexdigest()[:16]}-{connection}"


def run_principal(run: RunKey) -> str:
    return f"run:{run}"


def person_principal(name: str) -> str:
    return f"person:{name}"


def service_principal(service: str) -> str:
    return f"service:{service}"


def launcher_principal(name: str) -> str:
    return f"launcher:{name}"


def controller_principal(name: str) -> str:
    return f"controller:{name}"


def inbox(reader: str) -> str:
    """What the connection with this reader alone can listen below. Of one principal they have a common beginning."""
    return f"_INBOX.{reader.replace('-', '.')}"


def asks_a_gate(subject: str) -> bool:
    """Is it a question to the gate of a run? Its answer is wanted apart: a gate may answer nothing else."""
    return subject.startswith("sympozium.present.")


def read_reader(subject: str) -> tuple[RunKey, str]:
    """(run, reader) of a request for a reader. Raises BadSubject."""
    parts = subject.split(".")
    if len(parts) != 5 or parts[:2] != ["sympozium", "reader"] or not _READER.fullmatch(parts[4]):
        raise BadSubject(f"{subject[:200]!r} asks for no reader")
    return RunKey(parts[2], parts[3]), parts[4]


def person_token(name: str) -> str:
    """A person's name, whatever is in it, as one token."""
    return base64.urlsafe_b64encode(name.encode()).decode().rstrip("=")


def person_of(found: str) -> str:
    """The name in a token. Raises BadSubject."""
    try:
        name = base64.urlsafe_b64decode(found + "=" * (-len(found) % 4)).decode()
    except (binascii.Error, ValueError):
        raise BadSubject(f"{found[:80]!r} names nobody") from None
    if not name or len(name) > 253 or person_token(name) != found:
        raise BadSubject(f"{found[:80]!r} names nobody")
    return name


# -- reading them -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Elsewhere:
    participant: str
    call: str


@dataclass(frozen=True, slots=True)
class Said:
    verb: Verb
    person: str


@dataclass(frozen=True, slots=True)
class Own:
    """The run's own records."""


def read(subject: str) -> tuple[RunKey, Own | Elsewhere | Said]:
    """What a subject of the stream says. Raises BadSubject."""
    parts = subject.split(".")
    if len(parts) < 5 or parts[:2] != ["sympozium", "run"]:
        raise BadSubject(f"{subject[:200]!r} is not of a run")
    run = RunKey(parts[2], parts[3])
    match parts[4:]:
        case ["records"]:
            return run, Own()
        case ["elsewhere", participant, call_id]:
            return run, Elsewhere(token(participant), token(call_id))
        case ["said", verb, person] if verb in VERBS:
            return run, Said(verb, person_of(person))
    raise BadSubject(f"{subject[:200]!r} is none of ours")


def read_call(subject: str) -> tuple[str, RunKey, str]:
    """(service, run, participant) of a request. Raises BadSubject."""
    parts = subject.split(".")
    if len(parts) != 6 or parts[:2] != ["sympozium", "call"]:
        raise BadSubject(f"{subject[:200]!r} is no call")
    return token(parts[2]), RunKey(parts[3], parts[4]), token(parts[5])


def read_withdrawn(subject: str) -> tuple[RunKey, str, str]:
    """(run, participant, call). Raises BadSubject."""
    parts = subject.split(".")
    if len(parts) != 7 or parts[:2] != ["sympozium", "withdrawn"]:
        raise BadSubject(f"{subject[:200]!r} is no withdrawal")
    return RunKey(parts[3], parts[4]), token(parts[5]), token(parts[6])
