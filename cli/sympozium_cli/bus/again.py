"""A run of the bus whose directory is not here: its documents, resolved again, must give the very same RunSpec."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Final

from sympozium_cli import inputs
from sympozium_cli.inputs import Prepared, prepare
from sympozium_controller.flags import Flags
from sympozium_protocol.exits import Ended, Reason
from sympozium_protocol.messages.spec import RunSpec

SHOWN: Final = 4
"""Differences that are named."""


def prepared_again(
    spec: RunSpec, data: bytes, files: Sequence[str], flags: Flags, script: str, *, contained: bool
) -> Prepared:
    """``data``: the RunSpec as the stream has it; ``flags``: what the run was started with, as far as it is not there.

    Raises Ended: what is wrong with the documents, or InvalidRun where they make another run.
    """
    flags = replace(
        again(spec, flags),
        script=inputs.script(script) if script else None,
        mcp=tuple(map(inputs.server, flags.mcp)),
    )
    machine = {"machine": spec.facts["machine"]} if "machine" in spec.facts else {}
    found = prepare(files, flags, run_id=spec.run, now=spec.created, contained=contained, told=machine)
    if found.saved.pod.run != data:
        said = ", ".join(list(differences(_plain(spec), _plain(found.spec)))[:SHOWN]) or "the order of its fields"
        why = "give the documents and options that the run was started with; what it may do is frozen"
        raise Ended(Reason.InvalidRun, f"{spec.run}: these documents make another run, in {said}: {why}")
    return found


def again(spec: RunSpec, flags: Flags) -> Flags:
    """The flags with what the RunSpec itself says put in. Pure."""
    names = {one.name for one in spec.participants}
    own = {name for name in spec.packs if not any(word.rstrip("/").endswith(f"/{name}") for word in flags.skills)}
    return replace(
        flags,
        input=spec.input,
        skills=(*flags.skills, *(name for name in spec.packs if name in own and name not in flags.skills)),
        memory=flags.memory or "memory" in names,
        timeout=f"{spec.limits.timeout:g}s",
        max_steps=spec.limits.steps,
        max_tokens=spec.limits.tokens,
        max_usd=spec.limits.usd,
        approve="wait" if spec.approval.somebody else "none",
        elsewhere=tuple(_word(one.name, one.service) for one in spec.participants if one.placement == "bus"),
    )


def _word(name: str, service: str | None) -> str:
    return f"{name}={service}" if service else name


def _plain(spec: RunSpec) -> dict[str, Any]:
    return spec.model_dump(mode="json", by_alias=True)


def differences(one: Any, other: Any, where: str = "") -> Iterator[str]:
    """The fields in which two documents differ. Pure."""
    if isinstance(one, dict) and isinstance(other, dict):
        for name in dict.fromkeys((*one, *other)):
            yield from differences(one.get(name), other.get(name), f"{where}.{name}".lstrip("."))
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for number, (a, b) in enumerate(zip(one, other, strict=True)):
            yield from differences(a, b, f"{where}.{number}")
    elif one != other:
        yield where
