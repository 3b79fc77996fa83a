"""People of a cluster on the bus: each may do with a run what the cluster lets them do with the AgentRun."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from sympozium_protocol.bus import subjects
from sympozium_protocol.bus.faults import Away, Forbidden
from sympozium_protocol.bus.link import Link
from sympozium_protocol.bus.reader import open_reader
from sympozium_protocol.bus.shown import ShownToken
from sympozium_protocol.bus.subjects import RunKey
from sympozium_protocol.bus.tokens import BadClaims
from sympozium_protocol.bus.writer import append
from sympozium_protocol.exits import Ended, Reason
from sympozium_protocol.kube import attested
from sympozium_protocol.kube.api import KubeObject
from sympozium_protocol.kube.attested import take_back
from sympozium_protocol.kube.client import Client
from sympozium_protocol.kube.errors import NotFound
from sympozium_protocol.kube.login import login
from sympozium_protocol.kube.person import shown_token, with_token
from sympozium_protocol.kube.resources import RUNS, SIGNING_REQUESTS
from sympozium_protocol.messages import PolicySpec
from tests.support.bus_auth import GuardedBus
from tests.support.bus_cluster import Tenant, id_of
from tests.support.bus_pod import Pod, spec_of, until
from tests.support.cluster import Cluster
from tests.support.cluster_certificates import by_certificate

pytestmark = [pytest.mark.anyio, pytest.mark.xdist_group("bus_cluster")]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def bus(clustered_bus: GuardedBus) -> GuardedBus:
    return clustered_bus


class People:
    """Accounts of a namespace with rights on its AgentRuns, and what each shows to the bus."""

    def __init__(self, cluster: Cluster, tenant: Tenant) -> None:
        self.cluster = cluster
        self.tenant = tenant

    def hire(self, name: str, *verbs: str, runs: Sequence[str] = ()) -> str:
        """A new account, and its token."""
        where = ("-n", self.tenant.namespace)
        self.cluster.kubectl("create", "serviceaccount", name, *where)
        if verbs:
            named = [f"--resource-name={run}" for run in runs]
            words = [f"--verb={','.join(verbs)}", "--resource=agentruns.sympozium.ai", *named]
            self.cluster.kubectl("create", "role", name, *words, *where)
            subject = f"--serviceaccount={self.tenant.namespace}:{name}"
            self.cluster.kubectl("create", "rolebinding", name, f"--role={name}", subject, *where)
        return self.cluster.kubectl("create", "token", name, *where).strip()

    async def shown(self, token: str, run: str) -> ShownToken:
        known = with_token(await login(str(self.cluster.kubeconfig)), token)
        async with Client(known) as api:
            return await shown_token(api, self.tenant.namespace, run)

    def called(self, name: str) -> str:
        return f"system:serviceaccount:{self.tenant.namespace}:{name}"


@pytest.fixture
def people(cluster: Cluster, tenant: Tenant) -> People:
    return People(cluster, tenant)


@asynccontextmanager
async def comes(bus: GuardedBus, shown: ShownToken) -> AsyncIterator[Link]:
    link = await bus.shown(shown.encode(), subjects.person_principal(shown.name))
    try:
        yield link
    finally:
        await link.close()


async def refused(bus: GuardedBus, shown: ShownToken, why: str) -> None:
    """Nobody comes in; the keeper's log says why."""
    before, fault = bus.said(why), await fault_of(bus, shown)
    while isinstance(fault, Away):  # no answer in time: the machine is busy
        fault = await fault_of(bus, shown)
    assert fault.reason is Reason.BusRefused
    assert "does not accept this token" in fault.message
    assert bus.said(why) > before, bus.lines()[-3:]


async def fault_of(bus: GuardedBus, shown: ShownToken) -> Away | Ended:
    with pytest.raises((Away, Ended)) as found:
        await bus.shown(shown.encode(), subjects.person_principal(shown.name))
    return found.value


async def begun(tenant: Tenant) -> tuple[KubeObject, RunKey]:
    """A run of which the status knows the Job: no pod of it is wanted here."""
    run = await tenant.run()
    await tenant.tell(run, run)
    return run, RunKey(tenant.namespace, id_of(run))


async def test_who_may_approve_may_answer_and_no_more(bus: GuardedBus, tenant: Tenant, people: People) -> None:
    run, key = await begun(tenant)
    ada = await people.shown(people.hire("ada", "approve"), run["metadata"]["name"])
    assert ada.name == people.called("ada")
    async with comes(bus, ada) as link:
        await append(link, subjects.said(key, "answer", ada.name), b"yes", last=0)
        for subject in (
            subjects.said(key, "answer", people.called("bob")),
            subjects.said(key, "send", ada.name),
            subjects.said(key, "cancel", ada.name),
            subjects.records(key),
        ):
            with pytest.raises(Forbidden):
                await append(link, subject, b"yes", last=0)
        with pytest.raises(Forbidden):
            await open_reader(link, key)


async def test_who_may_get_reads_that_run_and_no_other(bus: GuardedBus, tenant: Tenant, people: People) -> None:
    run, key = await begun(tenant)
    _, other = await begun(tenant)
    token = people.hire("bob", "get", "send", "cancel", runs=[run["metadata"]["name"]])
    bob = await people.shown(token, run["metadata"]["name"])
    async with comes(bus, bob) as link:
        await append(link, subjects.said(key, "send", bob.name), b"more", last=0)
        await append(link, subjects.said(key, "cancel", bob.name), b"stop", last=0)
        assert (await (await open_reader(link, key)).next()).data == b"more"
        with pytest.raises(Forbidden):
            await append(link, subjects.said(key, "answer", bob.name), b"yes", last=0)
        with pytest.raises(Forbidden):
            await open_reader(link, other)


async def test_who_may_do_nothing_with_the_run_does_not_come_in(
    bus: GuardedBus, tenant: Tenant, people: People
) -> None:
    run, _ = await begun(tenant)
    other, _ = await begun(tenant)
    eve = people.hire("eve", "get", runs=[other["metadata"]["name"]])
    await refused(
        bus, await people.shown(eve, run["metadata"]["name"]), f"may do nothing with the AgentRun {tenant.namespace}/"
    )
    mallory = people.hire("mallory")
    await refused(bus, await people.shown(mallory, run["metadata"]["name"]), "mallory may do nothing")


async def test_nobody_comes_under_anothers_name(bus: GuardedBus, tenant: Tenant, people: People) -> None:
    run, _ = await begun(tenant)
    ada = people.hire("ada", "get")
    shown = ShownToken(ada, tenant.namespace, run["metadata"]["name"], people.called("bob"))
    await refused(bus, shown, "comes under another name")


async def test_a_run_that_is_not_there_or_has_not_begun_has_nobody_to_speak_to(
    bus: GuardedBus, tenant: Tenant, people: People
) -> None:
    ada = people.hire("ada", "get", "send")
    await refused(bus, await people.shown(ada, "nothing"), f"the AgentRun {tenant.namespace}/nothing is not there")
    run = await tenant.run()
    await refused(bus, await people.shown(ada, run["metadata"]["name"]), "has not begun")


async def test_a_token_that_the_cluster_does_not_know_is_refused_whatever_its_length(
    bus: GuardedBus, tenant: Tenant, people: People
) -> None:
    run, _ = await begun(tenant)
    for token in ("guessed", "x" * 9_000):
        shown = ShownToken(token, tenant.namespace, run["metadata"]["name"], "ada")
        await refused(bus, shown, "the cluster does not know this token")


async def test_a_pods_token_shown_as_a_persons_was_made_for_somebody_else(
    bus: GuardedBus, tenant: Tenant, people: People
) -> None:
    run, _, pod = await tenant.begin()
    token = await tenant.token(pod)
    name = people.called("sympozium-run")
    await refused(bus, ShownToken(token, tenant.namespace, run["metadata"]["name"], name), "does not know this token")


@asynccontextmanager
async def administrator(cluster: Cluster, tenant: Tenant, run: str) -> AsyncIterator[ShownToken]:
    """The administrator of the cluster, whose kubeconfig has a certificate."""
    async with Client(await login(str(cluster.kubeconfig))) as api:
        shown = await shown_token(api, tenant.namespace, run)
        try:
            yield shown
        finally:
            with suppress(NotFound):
                await take_back(api, shown.token)


async def test_who_comes_by_certificate_is_whom_the_api_server_wrote_into_their_request(
    bus: GuardedBus, tenant: Tenant, cluster: Cluster
) -> None:
    run, key = await begun(tenant)
    async with administrator(cluster, tenant, run["metadata"]["name"]) as shown:
        made = cluster.get("csr", attested.name_of(shown.token))
        assert made["spec"]["username"] == shown.name
        assert shown.token.removeprefix(attested.PREFIX) not in str(made)
        async with comes(bus, shown) as link:
            await append(link, subjects.said(key, "answer", shown.name), b"yes", last=0)


async def test_a_request_that_was_taken_back_or_denied_shows_nobody(
    bus: GuardedBus, tenant: Tenant, cluster: Cluster
) -> None:
    run, _ = await begun(tenant)
    async with administrator(cluster, tenant, run["metadata"]["name"]) as shown:
        cluster.kubectl("certificate", "deny", attested.name_of(shown.token))
        await refused(bus, shown, "the request has ended, or was taken back")
        await take_back(tenant.api, shown.token)
        await refused(bus, shown, "the cluster has no request of who shows this")


async def test_a_request_for_a_real_certificate_shows_nobody_and_its_name_alone_neither(
    bus: GuardedBus, tenant: Tenant, cluster: Cluster
) -> None:
    run, _ = await begun(tenant)
    async with administrator(cluster, tenant, run["metadata"]["name"]) as shown:
        name = replace(shown, token=attested.PREFIX + attested.name_of(shown.token).removeprefix("sympozium-"))
        await refused(bus, name, "the cluster has no request of who shows this")
        other = attested.new_secret()
        document = attested.request_of(other)
        document["spec"]["signerName"] = "kubernetes.io/kube-apiserver-client"
        await tenant.api.create(SIGNING_REQUESTS, document)
        await refused(bus, replace(shown, token=other), "the request was made for another signer")
        await take_back(tenant.api, other)


class ByCertificate:
    """A person without any right whom the cluster knows by a certificate."""

    def __init__(self, cluster: Cluster, tenant: Tenant, folder: Path) -> None:
        self.cluster = cluster
        self.tenant = tenant
        self.name = f"eve-of-{tenant.namespace}"
        self.kubeconfig = by_certificate(cluster, self.name, folder / "kubeconfig")

    def may(self, verb: str, resource: str) -> None:
        """Everywhere."""
        name = f"{self.tenant.namespace}-{verb}"
        self.cluster.kubectl("create", "clusterrole", name, f"--verb={verb}", f"--resource={resource}")
        self.cluster.kubectl("create", "clusterrolebinding", name, f"--clusterrole={name}", f"--user={self.name}")

    @asynccontextmanager
    async def shown(self, run: str) -> AsyncIterator[ShownToken]:
        async with Client(await login(str(self.kubeconfig))) as api:
            shown = await shown_token(api, self.tenant.namespace, run)
        try:
            yield shown
        finally:
            await take_back(self.tenant.api, shown.token)


@pytest.fixture
def eve(cluster: Cluster, tenant: Tenant, tmp_path: Path) -> ByCertificate:
    return ByCertificate(cluster, tenant, tmp_path)


async def test_who_comes_by_certificate_has_their_own_rights_and_no_others(
    bus: GuardedBus, tenant: Tenant, eve: ByCertificate
) -> None:
    run, key = await begun(tenant)
    eve.may("create", "certificatesigningrequests.certificates.k8s.io")
    async with eve.shown(run["metadata"]["name"]) as shown:
        await refused(bus, shown, f"{eve.name} may do nothing with the AgentRun")
        await refused(bus, replace(shown, name="kubernetes-admin"), "comes under another name")
        eve.may("approve", "agentruns.sympozium.ai")
        async with comes(bus, shown) as link:
            await append(link, subjects.said(key, "answer", eve.name), b"yes", last=0)
            with pytest.raises(Forbidden):
                await append(link, subjects.said(key, "send", eve.name), b"do", last=0)


async def test_who_comes_by_certificate_and_may_make_no_request_is_told_what_to_do(
    tenant: Tenant, eve: ByCertificate
) -> None:
    with pytest.raises(Ended, match="kubectl create token SERVICEACCOUNT > FILE`, and give --bus-token FILE"):
        async with eve.shown("look"):
            raise AssertionError("nobody is shown")


async def test_rights_that_were_taken_away_are_gone_at_the_next_connection(
    bus: GuardedBus, tenant: Tenant, people: People, cluster: Cluster
) -> None:
    run, _ = await begun(tenant)
    shown = await people.shown(people.hire("ada", "get"), run["metadata"]["name"])
    async with comes(bus, shown):
        pass
    cluster.kubectl("delete", "rolebinding", "ada", "-n", tenant.namespace)
    await refused(bus, shown, "ada may do nothing")
    await tenant.api.delete(RUNS, run["metadata"]["name"], tenant.namespace)


@pytest.mark.parametrize(
    "text",
    ["k8s.", "k8s.e30", "k8s.!!!!", "k8s.W10", "token", ShownToken("", "a", "b", "c").encode(), "k8s.bnVsbA"],
)
async def test_what_shows_no_token_and_no_run_names_nobody(text: str) -> None:
    with pytest.raises(BadClaims):
        ShownToken.decode(text)


@pytest.mark.parametrize("run", ["..", ".", "../x", "a/b", "a?b", "a%2fb", "A", "a" * 254, "-a"])
async def test_what_is_shown_leads_to_no_other_object(run: str) -> None:
    for shown in (ShownToken("t", "default", run, "c"), ShownToken("t", run, "a", "c")):
        with pytest.raises(BadClaims, match="impossible name"):
            ShownToken.decode(shown.encode())


async def test_what_is_shown_comes_back_as_it_was() -> None:
    shown = ShownToken("t", "default", "a.b", "Ada Lovelace <ada@example.com>")
    assert ShownToken.decode(shown.encode()) == shown


async def test_the_command_reads_and_approves_as_the_person_whom_the_cluster_knows(
    bus: GuardedBus, tenant: Tenant, people: People, tmp_path: Path
) -> None:
    run, _, pod = await tenant.begin()
    key = RunKey(tenant.namespace, id_of(run))
    shown = await people.shown(people.hire("ada", "get", "approve"), run["metadata"]["name"])
    own, hers = tmp_path / "run-token", tmp_path / "ada-token"
    own.write_text(await tenant.token(pod))
    hers.write_text(shown.encode())
    spec = spec_of(key.run, namespace=key.namespace, policies=(PolicySpec(name="careful", template="Default"),))
    env = {"SYMPOZIUM_BUS_TOKEN_FILE": str(own), "SYMPOZIUM_BUS_CA_FILE": str(bus.ca_file)}
    where = (
        "--bus",
        bus.server.url,
        "--bus-token",
        str(hers),
        "--bus-ca",
        str(bus.ca_file),
        "--namespace",
        key.namespace,
    )

    def command(*words: str) -> str:
        program = Path(sys.executable).with_name("sympozium")
        done = subprocess.run([program, *words, *where], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    def act() -> None:
        with Pod(tmp_path / "ipc", spec, bus.server.url, **env) as gate:
            gate.message("look around")
            gate.call("1-1", tool="change")
            gate.question("1-1")
            until(lambda: "look around" in command("logs", key.run), gate.said())
            command("approve", key.run, "1-1")
            verdict = gate.verdict("1-1")
            assert (verdict.decision, verdict.by) == ("allow", f"person:{shown.name}")

    await anyio.to_thread.run_sync(act)
