"""From a request to its answer: read it, find what it leads to, judge, ask what its author holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sympozium_controller.admission.asking import NAMED, Asking
from sympozium_controller.admission.authors import author_of
from sympozium_controller.admission.judging import judge, origin_of, read
from sympozium_controller.admission.known import Lookup, known_of
from sympozium_controller.admission.reviews import FORBIDDEN, Answer, Request, refusal
from sympozium_controller.admission.rights import Wanted
from sympozium_controller.admission.stamping import check, stamp
from sympozium_controller.errors import Origin, Refused
from sympozium_controller.objects import SympoziumInstance
from sympozium_protocol.exits import Reason


@dataclass(frozen=True, slots=True)
class Answering:
    """``system``: the namespace of the installation."""

    lookup: Lookup
    asking: Asking
    system: str

    async def stamp(self, request: Request) -> Answer:
        """The mutating half."""
        return stamp(request)

    async def judge(self, request: Request) -> Answer:
        """The validating half. Raises KubeError, alone or in a group: what cannot be found out is not allowed."""
        if wrong := check(request):
            return wrong
        try:
            found = read(request.object)
        except Refused as refused:
            return refusal(refused)
        known = await known_of(found, self.lookup, system=self.system)
        judgement = judge(found, origin_of(request.object), known, system=self.system)
        if judgement.refused:
            return refusal(judgement.refused)
        if judgement.author:
            if missing := await lacked_by_author(self.asking, judgement.author, judgement.wanted):
                return refusal(missing)
        elif lacking := await self.asking.lacking(judgement.wanted, request.user):
            return _lacks(request, lacking)
        return Answer(warnings=judgement.warnings)


async def lacked_by_author(asking: Asking, instance: SympoziumInstance, wanted: Sequence[Wanted]) -> Refused | None:
    """Why a run of this instance may not be given what is ``wanted`` of its author. Raises KubeError."""
    if not wanted:
        return None
    author = author_of(instance)
    name = author["username"] if author else "nobody known"
    lacking = wanted if author is None else await asking.lacking_lately(wanted, author)
    if not lacking:
        return None
    why = f"was written by {name}, who does not hold what this run would be given: {_told(lacking)}; whoever holds it "
    origin = Origin(f"SympoziumInstance {instance.namespace}/{instance.name}")
    return Refused(Reason.PolicyUnsatisfiable, origin, lacking[0].field, f"{why}must change the instance himself")


def _told(lacking: Sequence[Wanted]) -> str:
    more = "; and more" if len(lacking) > NAMED else ""
    return "; ".join(one.right.told for one in lacking[:NAMED]) + more


def _lacks(request: Request, lacking: Sequence[Wanted]) -> Answer:
    why = f"{request.username} does not hold what this would give to runs: {_told(lacking)}; who writes a "
    remedy = "must hold each right that it gives: leave it out, or let somebody write it who has it"
    where = f"{origin_of(request.object)}: {lacking[0].field}"
    return Answer(FORBIDDEN, f"{where}: {why}{request.kind} {remedy}")
