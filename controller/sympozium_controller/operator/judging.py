"""A run judged again, when its Job is made: what it names may have changed, or come, since it was admitted."""

from __future__ import annotations

from sympozium_controller.admission.answering import lacked_by_author
from sympozium_controller.admission.asking import Asking
from sympozium_controller.admission.authors import vouched_for
from sympozium_controller.admission.bounds import distinct
from sympozium_controller.admission.effective import IN_CLUSTER, hold
from sympozium_controller.errors import Refused
from sympozium_controller.lifecycle import remembering
from sympozium_controller.lifecycle.gateways import fault_of
from sympozium_controller.lifecycle.gather import Gathered, origin_of
from sympozium_controller.objects import AgentRun, SkillPack, SympoziumInstance
from sympozium_protocol.exits import Reason


class Judging:
    """``asking`` is None where nobody is asked at admission: then no instance says who wrote it."""

    def __init__(self, asking: Asking | None) -> None:
        self._asking = asking

    async def judge(self, run: AgentRun, found: Gathered) -> None:
        """Raises Refused naming policy and field, KubeError."""
        instance = found.objects.get(SympoziumInstance, run.spec.instance_ref, run.namespace)
        assert instance is not None  # nothing is missing any more
        if instance.spec.provider and (fault := fault_of(instance.spec.provider)):
            raise Refused(Reason.InvalidDocument, origin_of(instance), *fault)
        if fault := remembering.fault_of(instance):
            raise Refused(Reason.InvalidDocument, origin_of(instance), *fault)
        hold(found.objects, found.packs, IN_CLUSTER)
        if self._asking is None:
            return
        packs = (*found.objects.all(SkillPack), *found.packs.values())
        wanted = distinct(vouched_for(instance, packs, found.packs), origin_of(instance))
        if refused := await lacked_by_author(self._asking, instance, wanted):
            raise refused
