"""Which skill runs a command line: the one that owns its first binary. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sympozium_protocol.messages.spec import ParticipantSpec

# the first word of a simple command, after leading brackets, ``!`` and assignments; the skill itself parses in full
_FIRST = re.compile(r"^[\s({!]*(?:[A-Za-z_]\w*=\S*\s+)*[\"']?([A-Za-z0-9_.+/-]+)")


class Unroutable(ValueError):
    """In words that the model can act on."""


def first_binary(command: str) -> str | None:
    """The binary that a command line begins with, as far as can be told without a shell's grammar."""
    found = _FIRST.match(command)
    return found.group(1) if found else None


def route(command: str, skill: str | None, skills: Sequence[ParticipantSpec]) -> str:
    """The name of the skill. Raises Unroutable."""
    names = [candidate.name for candidate in skills]
    if skill is not None:
        if skill not in names:
            raise Unroutable(f"There is no skill {skill} that runs commands; there are: {', '.join(names)}.")
        return skill
    if len(skills) == 1:
        return names[0]
    binary = first_binary(command)
    owners = [s.name for s in skills if s.commands and binary in s.commands]
    owners = owners or [s.name for s in skills if not s.commands]
    if len(owners) == 1:
        return owners[0]
    if not owners:
        known = "; ".join(f"{s.name}: {', '.join(s.commands or ())}" for s in skills)
        raise Unroutable(f"No skill has the command {binary or command.strip()[:40]!r}. Skills and commands: {known}.")
    raise Unroutable(f"Several skills have {binary}: {', '.join(owners)}. Name one of them in `skill`.")
