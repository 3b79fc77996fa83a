"""Clears away what a run left that is gone, or that was taken from it.

What a run owns goes with it. But who deletes it may tell the cluster to leave that there (``--cascade=orphan``): the
Job or the pod would go on, and nobody could answer or cancel it. And no owner reaches into other namespaces.
"""

from __future__ import annotations

from sympozium_controller.lifecycle.rights import is_of, named
from sympozium_controller.lifecycle.view import owner_of
from sympozium_controller.names import LABEL_RUN, LABEL_RUN_UID
from sympozium_controller.operator.acting import Acting
from sympozium_controller.operator.cache import Key
from sympozium_controller.operator.holdings import BY_OWNER, UNOWNED, Holdings
from sympozium_controller.operator.sweeping import delete
from sympozium_controller.operator.views import Memory
from sympozium_protocol.kube.api import KubeApi, KubeObject
from sympozium_protocol.kube.errors import NotFound
from sympozium_protocol.kube.resources import CONFIG_MAPS, JOBS, PODS


class Left:
    """Every method raises KubeError: to be tried again."""

    def __init__(self, api: KubeApi, held: Holdings, memory: Memory, acting: Acting) -> None:
        self._api = api
        self._held = held
        self._memory = memory
        self._acting = acting

    async def clear(self, key: Key) -> None:
        """Of the runs of this name. No other look may do it: one that was at granting when its run was deleted goes
        on to."""
        await self._rights(key)
        for pod in self._held.pods.by(UNOWNED, "/".join(key)):
            await delete(self._api, named(pod, PODS))
        for job in self._held.jobs.by(UNOWNED, "/".join(key)):
            await self._config(job)
            await delete(self._api, named(job, JOBS))

    async def _rights(self, key: Key) -> None:
        run = self._held.runs.get(*key)
        living = run["metadata"]["uid"] if run else ""
        gone = (one for one in self._memory.accounts.values() if (one["metadata"]["namespace"], owner_of(one)) == key)
        accounts = [*self._held.accounts.by(BY_OWNER, "/".join(key)), *gone]
        strays = (uid for uid, (of, _) in self._memory.strays.items() if of == key)
        for uid in dict.fromkeys([*(one["metadata"]["labels"][LABEL_RUN_UID] for one in accounts), *strays]):
            if uid != living:
                await self._acting.take_back(uid)

    async def _config(self, job: KubeObject) -> None:
        """The ConfigMap of a run that is large; the attempts of a run share it."""
        metadata = job["metadata"]
        try:
            found = await self._api.get(CONFIG_MAPS, metadata["labels"].get(LABEL_RUN, ""), metadata["namespace"])
        except NotFound:
            return
        if is_of(found, metadata["labels"][LABEL_RUN_UID]) and not owner_of(found):
            await delete(self._api, named(found, CONFIG_MAPS))
