"""Carrying out a plan: network, rights, account, ConfigMap, Job, in this order, each harmless when it is done again."""

from __future__ import annotations

import time
from typing import Final

from sympozium_controller.errors import Refused
from sympozium_controller.lifecycle.gather import origin_of
from sympozium_controller.lifecycle.plan import Place, Plan, further, plan
from sympozium_controller.lifecycle.rights import is_of, why_refused
from sympozium_controller.names import LABEL_MANAGED_BY, LABEL_RUN_UID, MANAGED_BY, RUN_ACCOUNT, job_name, run_id
from sympozium_controller.objects import AgentRun
from sympozium_controller.operator.cache import Cache
from sympozium_controller.operator.judging import Judging
from sympozium_controller.operator.networks import Networks
from sympozium_controller.operator.reading import Reading, read
from sympozium_protocol.exits import Ended, Reason
from sympozium_protocol.failpoints import failpoint
from sympozium_protocol.kube.api import KubeApi, KubeObject
from sympozium_protocol.kube.errors import AlreadyExists, Forbidden, Invalid, KubeError, NotFound
from sympozium_protocol.kube.resources import CONFIG_MAPS, JOBS, KNOWN, RUNS, SERVICE_ACCOUNTS, Resource

BAD_REQUEST: Final = 400
KNOWN_FOR: Final = 300.0
"""Seconds for which a namespace is believed to have the account: one may be deleted and made anew."""
REFUSED_FOR: Final = 5.0
"""The same while the cluster makes no pods there."""


class MissingThing(Exception):
    """The run names what is not there: ``what`` as Kind/name, and why it is wanted."""

    def __init__(self, what: str, why: str) -> None:
        super().__init__(why)
        self.what, self.why = what, why


def _malformed(error: KubeError, asked: AgentRun) -> Refused | None:
    """For what will be refused whenever it is tried again: the server cannot make an object of it."""
    if not isinstance(error, Invalid) and error.status != BAD_REQUEST:
        return None
    return Refused(Reason.InvalidDocument, origin_of(asked), "", error.message)


class Starting:
    """Makes Jobs of runs."""

    def __init__(
        self,
        api: KubeApi,
        reading: Reading,
        judging: Judging,
        networks: Networks,
        place: Place,
        accounts: Cache,
    ) -> None:
        self._api = api
        self._reading = reading
        self._judging = judging
        self._networks = networks
        self._place = place
        self._accounts = accounts
        self._with_account: dict[str, float] = {}

    async def start(self, run: KubeObject, now: float) -> KubeObject:
        """The first attempt's Job, ours and on the server. Raises MissingThing, Ended (a typed reason), KubeError."""
        if isinstance(run.get("spec"), dict) and run["spec"].get("input", "") is None:  # too long to be kept
            run = await self._api.get(RUNS, run["metadata"]["name"], run["metadata"]["namespace"])
        asked = read(run)
        assert isinstance(asked, AgentRun)
        found = await self._reading.gathered(asked)
        if found.missing:
            raise MissingThing(f"{found.missing.kind}/{found.missing.name}", found.missing.why)
        try:
            await self._judging.judge(asked, found)
            wanted = plan(run, asked, found, self._place, now)
        except Refused as error:
            if error.reason is not Reason.MissingReference:
                raise
            raise MissingThing(f"{error.origin}: {error.field}", error.message) from None
        return await self._create(wanted, run, asked)

    async def _create(self, wanted: Plan, run: KubeObject, asked: AgentRun) -> KubeObject:
        namespace, uid = asked.namespace, run["metadata"]["uid"]
        await self._networks.prepare(namespace)  # no pod of a run is ever without them
        await self._networks.ensure(namespace, wanted.destinations)
        for one in wanted.rights:
            await self._right(one, uid, asked)
        failpoint("rights")
        if wanted.account == RUN_ACCOUNT:
            await self._account(namespace)
        if wanted.manifests.config:
            await self._made(CONFIG_MAPS, wanted.manifests.config, namespace, uid)
        failpoint("before-job")
        try:
            return await self._made(JOBS, wanted.manifests.job, namespace, uid)
        except Forbidden as error:
            raise Ended(Reason.PodRefused, f"the cluster takes no Job of this run: {error.message}") from None
        except KubeError as error:
            raise _malformed(error, asked) or error from None

    async def _right(self, one: KubeObject, uid: str, asked: AgentRun) -> None:
        resource, namespace = KNOWN[one["apiVersion"], one["kind"]], one["metadata"].get("namespace", "")
        try:
            made = await self._made(resource, one, namespace, uid)
        except KubeError as error:
            why = why_refused(error, namespace)
            if why is None:
                raise _malformed(error, asked) or error from None
            if why[0] is Reason.MissingReference:
                raise MissingThing(f"Namespace/{namespace}", why[1]) from None
            raise Ended(*why) from None
        if resource is SERVICE_ACCOUNTS:
            self._accounts.put({**one, **made})

    async def _made(self, resource: Resource, body: KubeObject, namespace: str, uid: str) -> KubeObject:
        """Create it, or find that it was created for this very run before. Raises Ended (NameTaken), KubeError."""
        try:
            return await self._api.create(resource, body, namespace)
        except AlreadyExists:
            there = await self._api.get(resource, body["metadata"]["name"], namespace)
        if not is_of(there, uid):
            why = f"there is a {resource.kind} {body['metadata']['name']} already that was not made for this run"
            raise Ended(Reason.NameTaken, why)
        return there

    async def account_again(self, namespace: str) -> None:
        """For a run that gets no pod: perhaps somebody deleted the account. Raises KubeError."""
        try:
            await self._account(namespace, known_for=REFUSED_FOR)
        except (Forbidden, NotFound):
            pass  # the namespace goes or is full: why there is no pod is told in any case

    async def _account(self, namespace: str, known_for: float = KNOWN_FOR) -> None:
        """The one that runs without rights share; nobody's, so it stays with the namespace."""
        if time.monotonic() - self._with_account.get(namespace, -known_for) < known_for:
            return
        body: KubeObject = {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": RUN_ACCOUNT, "labels": {LABEL_MANAGED_BY: MANAGED_BY}},
            "automountServiceAccountToken": False,
        }
        try:
            await self._api.create(SERVICE_ACCOUNTS, body, namespace)
        except AlreadyExists:
            pass
        self._with_account[namespace] = time.monotonic()

    async def again(self, run: KubeObject, job: str, attempt: int) -> KubeObject:
        """The Job of a further attempt. Raises NotFound: the one before is gone. Else as ``start``."""
        metadata = run["metadata"]
        before = await self._api.get(JOBS, job, metadata["namespace"])
        id = run_id(metadata["name"], metadata["uid"])
        assert before["metadata"]["labels"].get(LABEL_RUN_UID) == metadata["uid"]
        assert job_name(id, attempt) != job
        return await self._made(JOBS, further(before, attempt, id), metadata["namespace"], metadata["uid"])
