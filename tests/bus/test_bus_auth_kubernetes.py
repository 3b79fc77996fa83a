"""Pods of a cluster on the bus: a run's bridge, a service, the controller come as what the API server says of them."""

from __future__ import annotations

import time
from pathlib import Path

import jwt
import pytest

from sympozium_bus_auth.keys import make
from sympozium_protocol.bus import subjects
from sympozium_protocol.bus.faults import Away, Forbidden
from sympozium_protocol.bus.link import Link
from sympozium_protocol.bus.reader import open_reader
from sympozium_protocol.bus.subjects import RunKey
from sympozium_protocol.bus.tokens import RunIdentity
from sympozium_protocol.bus.writer import append
from sympozium_protocol.kube.api import KubeObject
from sympozium_protocol.kube.labels import CONTROLLER_ACCOUNT, LABEL_RUN_UID, LABEL_SERVICE
from sympozium_protocol.kube.resources import PODS
from tests.support.bus_auth import GuardedBus
from tests.support.bus_cluster import Tenant, id_of, owner
from tests.support.cluster import Cluster

pytestmark = [pytest.mark.anyio, pytest.mark.xdist_group("bus_cluster")]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def bus(clustered_bus: GuardedBus) -> GuardedBus:
    return clustered_bus


def key(tenant: Tenant, run: KubeObject) -> RunKey:
    return RunKey(tenant.namespace, id_of(run))


async def comes(bus: GuardedBus, token: str, run: RunKey) -> Link:
    return await bus.shown(token, subjects.run_principal(run))


async def refused(bus: GuardedBus, token: str, why: str, run: RunKey | None = None, *, or_else: str = "") -> None:
    """Nobody comes in with it, who may try again; the keeper's log says why, and the answer does not."""

    def said() -> int:
        return sum(map(bus.said, filter(None, (why, or_else))))

    before, fault = said(), ""
    while said() == before:
        assert "does not accept this token" not in fault, bus.lines()[-3:]  # it was for another reason
        with pytest.raises(Away) as away:
            await bus.shown(token, subjects.run_principal(run or RunKey("default", "a")))
        fault = str(away.value)  # of a busy machine it may be that no answer came in time
    assert why not in fault


async def test_a_runs_pod_publishes_to_its_run_and_to_no_other(bus: GuardedBus, tenant: Tenant) -> None:
    run, _, pod = await tenant.begin()
    link = await comes(bus, await tenant.token(pod), key(tenant, run))
    seq = await append(link, subjects.records(key(tenant, run)), b"one", last=0)
    assert (await (await open_reader(link, key(tenant, run))).next()).seq == seq
    other, *_ = await tenant.begin()
    with pytest.raises(Forbidden):
        await append(link, subjects.records(key(tenant, other)), b"one", last=0)
    await link.close()


async def test_a_pod_that_is_there_before_the_status_names_its_job_is_waited_for(
    bus: GuardedBus, tenant: Tenant
) -> None:
    await tenant.account()
    run = await tenant.run()
    job = await tenant.job(run)
    token = await tenant.token(await tenant.pod_of(job))
    await refused(bus, token, "names another Job as its own, or none yet")
    await tenant.tell(run, job)
    await (await comes(bus, token, key(tenant, run))).close()


async def test_the_pod_of_an_attempt_that_is_over_is_shut_out_by_the_next(bus: GuardedBus, tenant: Tenant) -> None:
    run, _, pod = await tenant.begin()
    token = await tenant.token(pod)
    second = await tenant.job(run, f"{id_of(run)}-2")
    await tenant.tell(run, second)
    await refused(bus, token, "names another Job as its own")
    await (await comes(bus, await tenant.token(await tenant.pod_of(second)), key(tenant, run))).close()


async def test_a_pod_that_only_says_whose_it_is_is_believed_nothing(bus: GuardedBus, tenant: Tenant) -> None:
    run, job, _ = await tenant.begin()
    marks = {LABEL_RUN_UID: run["metadata"]["uid"]}
    alone = await tenant.pod("alone", marks)
    await refused(bus, await tenant.token(alone), "neither a run's nor a service's", key(tenant, run))
    bare = await tenant.pod("bare", {}, owner(job))  # what bears the label is the Job controller's alone
    token, freed = await tenant.token(bare), "neither a run's nor a service's"  # its owner is soon taken off it
    await refused(bus, token, f"does not bear the label {LABEL_RUN_UID}", key(tenant, run), or_else=freed)
    direct = await tenant.pod("direct", marks, owner(run))
    await refused(bus, await tenant.token(direct), "neither a run's nor a service's", key(tenant, run))


async def test_an_owner_in_another_namespace_is_not_reached_by_a_path(bus: GuardedBus, tenant: Tenant) -> None:
    run, job, _ = await tenant.begin()
    name = f"../../{tenant.namespace}/jobs/{job['metadata']['name']}"
    pod = await tenant.pod("forged", {LABEL_RUN_UID: run["metadata"]["uid"]}, {**owner(job), "name": name})
    await refused(bus, await tenant.token(pod), "is no name of a Job", key(tenant, run))


async def test_a_job_that_somebody_makes_for_a_run_has_nothing_of_it(bus: GuardedBus, tenant: Tenant) -> None:
    run, *_ = await tenant.begin()
    forged = await tenant.job(run, "forged")
    await refused(bus, await tenant.token(await tenant.pod_of(forged)), "names another Job as its own")


async def test_a_run_of_the_same_name_in_another_namespace_is_another(
    bus: GuardedBus, tenant: Tenant, cluster: Cluster
) -> None:
    run, *_ = await tenant.begin()
    with cluster.namespace() as elsewhere:
        other = Tenant(tenant.api, elsewhere)
        same, _, pod = await other.begin(run["metadata"]["name"])
        link = await comes(bus, await other.token(pod), key(other, same))
        await append(link, subjects.records(key(other, same)), b"one", last=0)
        for namespace, found in ((tenant.namespace, run), (tenant.namespace, same), (elsewhere, run)):
            with pytest.raises(Forbidden):
                await append(link, subjects.records(RunKey(namespace, id_of(found))), b"one", last=0)
        await link.close()


async def test_the_token_of_a_pod_that_was_deleted_is_worth_nothing(bus: GuardedBus, tenant: Tenant) -> None:
    run, _, pod = await tenant.begin()
    token = await tenant.token(pod)
    await (await comes(bus, token, key(tenant, run))).close()
    await tenant.api.delete(PODS, pod["metadata"]["name"], tenant.namespace, grace=0)
    # the API server itself knows the token for some seconds more
    await refused(bus, token, pod["metadata"]["name"], key(tenant, run))


async def test_a_pod_that_has_ended_is_shut_out(bus: GuardedBus, tenant: Tenant) -> None:
    _, _, pod = await tenant.begin()
    token = await tenant.token(pod)
    body = {"status": {"phase": "Failed"}}
    await tenant.api.patch(PODS, pod["metadata"]["name"], body, tenant.namespace, subresource="status")
    await refused(bus, token, "is over (Failed)")


async def test_a_token_for_another_audience_or_without_a_pod_is_refused(bus: GuardedBus, tenant: Tenant) -> None:
    run, _, pod = await tenant.begin()
    await refused(bus, await tenant.token(pod, ""), "does not know this token", key(tenant, run))
    await refused(bus, await tenant.token(pod, "vault"), "does not know this token", key(tenant, run))
    await refused(bus, await tenant.token(None), "is bound to no pod", key(tenant, run))


async def test_a_connection_ends_with_its_token_and_an_expired_one_opens_nothing(
    bus: GuardedBus, tenant: Tenant, cluster: Cluster
) -> None:
    if cluster.state is None:
        pytest.skip("the key of another's cluster is not ours")
    run, _, pod = await tenant.begin()
    claims = jwt.decode(await tenant.token(pod), options={"verify_signature": False})
    header = jwt.get_unverified_header(await tenant.token(pod))
    token = jwt.encode(
        {**claims, "exp": int(time.time()) + 2},
        (cluster.state / "pki" / "sa.key").read_bytes(),
        algorithm="RS256",
        headers={"kid": header["kid"]},
    )
    link = await comes(bus, token, key(tenant, run))
    reader = await open_reader(link, key(tenant, run))
    with pytest.raises(Away):
        await reader.next()
    assert link.lost
    await refused(bus, token, "the token has ended", key(tenant, run))


async def test_a_service_comes_as_what_its_deployment_serves_in_its_own_namespace(
    bus: GuardedBus, tenant: Tenant
) -> None:
    _, pod = await tenant.service("memory-0123456789", "memory")
    run, *_ = await tenant.begin()
    link = await bus.shown(await tenant.token(pod), subjects.service_principal("memory-0123456789"))
    await append(link, subjects.elsewhere(key(tenant, run), "memory", "1-1"), b"one", last=0)
    for other in (
        subjects.elsewhere(key(tenant, run), "model", "1-1"),
        subjects.elsewhere(RunKey("default", "a"), "memory", "1-1"),
        subjects.records(key(tenant, run)),
    ):
        with pytest.raises(Forbidden):
            await append(link, other, b"one", last=0)
    await link.close()


async def test_a_deployment_that_is_not_the_controllers_serves_nothing(bus: GuardedBus, tenant: Tenant) -> None:
    _, unmanaged = await tenant.service("model-1", "model", **{"app.kubernetes.io/managed-by": "somebody"})
    await refused(bus, await tenant.token(unmanaged), "serves nothing on the bus")
    _, misnamed = await tenant.service("model-2", "model", **{LABEL_SERVICE: "model-3"})
    await refused(bus, await tenant.token(misnamed), "serves nothing on the bus")


async def test_the_controller_reads_every_run_and_cancels_one_for_who_asked(
    bus: GuardedBus, tenant: Tenant, bus_system: str
) -> None:
    run, _, pod = await tenant.begin()
    bridge = await comes(bus, await tenant.token(pod), key(tenant, run))
    await append(bridge, subjects.records(key(tenant, run)), b"one", last=0)
    token = await Tenant(tenant.api, bus_system).token(None, account=CONTROLLER_ACCOUNT)
    link = await bus.shown(token, subjects.controller_principal(CONTROLLER_ACCOUNT))
    assert (await (await open_reader(link, key(tenant, run))).next()).data == b"one"
    await append(link, subjects.said(key(tenant, run), "cancel", "ada"), b"stop", last=0)
    for subject in (subjects.records(key(tenant, run)), subjects.said(key(tenant, run), "answer", "ada")):
        with pytest.raises(Forbidden):
            await append(link, subject, b"x", last=0)
    await bridge.close()
    await link.close()


async def test_an_account_of_the_controllers_name_elsewhere_is_not_it(bus: GuardedBus, tenant: Tenant) -> None:
    await tenant.account(CONTROLLER_ACCOUNT)
    await refused(bus, await tenant.token(None, account=CONTROLLER_ACCOUNT), "is bound to no pod")


async def test_a_signed_token_is_good_beside_the_clusters_where_its_key_is_known(
    bus: GuardedBus, tenant: Tenant
) -> None:
    run, _, pod = await tenant.begin()
    found = RunIdentity(namespace=tenant.namespace, run=id_of(run))
    private, public = Path(bus.folder, "token.key"), Path(bus.folder, "keys", "token.pub")
    make(bus.folder / "signing")
    private.write_bytes((bus.folder / "signing" / "token.key").read_bytes())
    public.write_bytes((bus.folder / "signing" / "token.pub").read_bytes())
    assert bus.stop() == 51
    bus.start()
    try:
        link = await bus.shown(bus.token(found, key=private), found.principal)
        await link.close()
        await (await comes(bus, await tenant.token(pod), key(tenant, run))).close()
    finally:
        public.unlink()
        bus.stop()
        bus.start()
