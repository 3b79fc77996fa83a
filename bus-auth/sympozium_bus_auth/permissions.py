"""What a connection may publish and subscribe to: one table, as docs/bus.md has it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from sympozium_protocol.bus import subjects
from sympozium_protocol.bus.tokens import (
    ControllerIdentity,
    Identity,
    LauncherIdentity,
    PersonIdentity,
    RunIdentity,
    ServiceIdentity,
)

RUNS: Final = "RUNS"
SERVICES: Final = "SERVICES"
_NONCE: Final = re.compile(r"[0-9a-f]{16}")


class BadName(ValueError):
    """A connection that calls itself something else than 16 hexadecimal digits."""


@dataclass(frozen=True, slots=True)
class Permissions:
    """``answers``: may it answer each request that it receives, once, wherever the answer is wanted? Nobody may who
    could send itself a request, and so choose that place."""

    account: str
    publish: tuple[str, ...]
    subscribe: tuple[str, ...]
    answers: bool = False


def permissions(identity: Identity, nonce: str) -> Permissions:
    """Pure: of a connection whose name is ``nonce``. Raises BadName."""
    if not _NONCE.fullmatch(nonce):
        raise BadName("the connection's name is not 16 hexadecimal digits")
    reader = subjects.reader_name(identity.principal, nonce)
    match identity:
        case RunIdentity():
            return _bridge((f"{identity.namespace}.{identity.run}",), reader)
        case LauncherIdentity():
            return _bridge(tuple(f"{namespace}.*" for namespace in identity.namespaces), reader)
        case PersonIdentity():
            return _person(identity, reader)
        case ServiceIdentity():
            return _service(identity, reader)
        case ControllerIdentity():
            return _controller(tuple(f"{namespace}.*" for namespace in identity.namespaces), reader)


def _bridge(runs: tuple[str, ...], reader: str) -> Permissions:
    publish = [subject for run in runs for subject in _of_a_bridge(run)]
    # the living bridge answers who asks for it: at a place where nothing else is waited for
    publish += ["_INBOX.*.*.p.*", "sympozium.manifest.*", *_reading(runs, reader)]
    return Permissions(RUNS, tuple(publish), (_own_inbox(reader), *_hearing(runs), *map(_present, runs)))


def _of_a_bridge(run: str) -> Iterator[str]:
    yield f"sympozium.run.{run}.records"
    yield f"sympozium.call.*.{run}.*"
    yield f"sympozium.withdrawn.*.{run}.*.*"
    yield f"sympozium.live.{run}.progress.*.*"
    yield f"sympozium.live.{run}.status"
    yield _present(run)


def _person(identity: PersonIdentity, reader: str) -> Permissions:
    names = ("*",) if identity.runs == "*" else identity.runs
    runs = tuple(f"{namespace}.{name}" for namespace in identity.namespaces for name in names)
    who = subjects.person_token(identity.name)
    says = tuple(f"sympozium.run.{run}.said.{verb}.{who}" for run in runs for verb in identity.verbs if verb != "get")
    if "get" not in identity.verbs:
        return Permissions(RUNS, says, (_own_inbox(reader),))
    return Permissions(RUNS, (*says, *_reading(runs, reader)), (_own_inbox(reader), *_hearing(runs)))


def _service(identity: ServiceIdentity, reader: str) -> Permissions:
    runs = tuple(f"{namespace}.*" for namespace in identity.namespaces)
    publish = [subject for run in runs for subject in _of_a_participant(run, identity.participant)]
    subscribe = (
        _own_inbox(reader),
        subjects.calls(identity.service),
        subjects.withdrawals(identity.service),
        subjects.manifest(identity.service),
    )
    return Permissions(SERVICES, (*publish, *_reading(runs, reader)), subscribe, answers=True)


def _controller(runs: tuple[str, ...], reader: str) -> Permissions:
    """It may end a run anyway; that somebody asked for it is its to say."""
    says = tuple(f"sympozium.run.{run}.said.cancel.*" for run in runs)
    return Permissions(RUNS, (*says, *_reading(runs, reader)), (_own_inbox(reader), *_hearing(runs)))


def _of_a_participant(run: str, participant: str) -> Iterator[str]:
    yield f"sympozium.run.{run}.elsewhere.{participant}.*"
    yield f"sympozium.live.{run}.working.{participant}.*"
    yield f"sympozium.live.{run}.progress.{participant}.*"


def _reading(runs: tuple[str, ...], reader: str) -> Iterator[str]:
    yield from (f"sympozium.reader.{run}.{reader}" for run in runs)
    yield subjects.next_message(reader)


def _hearing(runs: tuple[str, ...]) -> Iterator[str]:
    yield from (f"sympozium.live.{run}.>" for run in runs)


def _present(run: str) -> str:
    return f"sympozium.present.{run}"


def _own_inbox(reader: str) -> str:
    return f"{subjects.inbox(reader)}.>"
