"""From a request to its answer: read it, find what it leads to, judge, ask what its author holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sympozium_controller.admission import requester
from sympozium_controller.admission.asking import Asking
from sympozium_controller.admission.judging import judge, origin_of, read
from sympozium_controller.admission.known import Lookup, known_of
from sympozium_controller.admission.reviews import FORBIDDEN, Answer, Request, refusal
from sympozium_controller.admission.rights import Wanted
from sympozium_controller.errors import Refused
from sympozium_protocol.kube.resources import RUNS

NAMED: Final = 3
"""Rights that a message tells one by one."""


@dataclass(frozen=True, slots=True)
class Answering:
    """``system``: the namespace of the installation."""

    lookup: Lookup
    asking: Asking
    system: str

    async def stamp(self, request: Request) -> Answer:
        """The mutating half."""
        return requester.stamp(request)

    async def judge(self, request: Request) -> Answer:
        """The validating half. Raises KubeError, alone or in a group: what cannot be found out is not allowed."""
        if request.kind == RUNS.kind and (wrong := requester.check(request)):
            return wrong
        try:
            found = read(request.object)
        except Refused as refused:
            return refusal(refused)
        known = await known_of(found, self.lookup, system=self.system)
        judgement = judge(found, origin_of(request.object), known, system=self.system)
        if judgement.refused:
            return refusal(judgement.refused)
        lacking = await self.asking.lacking(judgement.wanted, request.user)
        return _lacks(request, lacking) if lacking else Answer(warnings=judgement.warnings)


def _lacks(request: Request, lacking: Sequence[Wanted]) -> Answer:
    first = lacking[0]
    told = "; ".join(one.right.told for one in lacking[:NAMED])
    more = f" and {len(lacking) - NAMED} more" if len(lacking) > NAMED else ""
    why = f"{request.username} does not hold what this would give to runs: {told}{more}; who writes a {request.kind} "
    remedy = "must hold each right that it gives: leave it out, or let somebody write it who has it"
    return Answer(FORBIDDEN, f"{origin_of(request.object)}: {first.field}: {why}{remedy}")
