"""Admission that is away, that changes its certificates, that has two replicas; and the webhook of older clusters."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509

from sympozium_controller.admission.certificates import AUTHORITIES, CHAIN, Lifetimes
from sympozium_controller.admission.server import Settings, serve_admission
from sympozium_protocol.kube.client import Client
from sympozium_protocol.kube.login import login
from tests.support.admission import WITHIN, Admission, installed, refusal, thing, until
from tests.support.cluster import Cluster
from tests.support.cluster_definitions import define_kinds

SCRIPTED = {"provider": {"name": "scripted"}, "skills": []}
POLICY = thing("SympoziumPolicy", "ours", {"template": "Default"})
UNENFORCEABLE = thing("SympoziumPolicy", "bad", {"template": "Default", "requireApproval": ["read_file"]})
RUN = thing("AgentRun", "r", {"instanceRef": "i", "input": "hello"})


@pytest.fixture(scope="module")
def installation(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Admission]:
    define_kinds(cluster)
    with installed(cluster, tmp_path_factory.mktemp("admission")) as found:
        yield found


@pytest.fixture
def admission(installation: Admission, tmp_path: Path) -> Admission:
    """With one replica, whatever a test before did to it."""
    installation.stop()
    installation.start(tmp_path / "first.log")
    return installation


def refuses(admission: Admission, place: str = "") -> bool:
    """Does it judge?"""
    return "nobody can be asked" in refusal(lambda: admission.write(place or admission.system, UNENFORCEABLE))


def test_with_nobody_to_answer_nothing_new_is_let_in_and_the_rest_goes_on(
    admission: Admission, cluster: Cluster
) -> None:
    with admission.namespace() as place:
        admission.write(place, POLICY, RUN, thing("SympoziumInstance", "i", SCRIPTED), thing("SkillPack", "p", {}))
        admission.stop()
        for value in (UNENFORCEABLE, thing("AgentRun", "s", {"instanceRef": "i", "input": "x"})):
            said = refusal(lambda value=value: admission.write(place, value))  # type: ignore[misc]
            assert "failed calling webhook" in said
            assert "admission.sympozium.ai" in said
        changed = json.dumps({"spec": {"deniedTools": ["x"]}})
        patch = ("patch", "-n", place, "--type=merge", "-p")
        assert "failed calling webhook" in refusal(lambda: cluster.kubectl(*patch, changed, "spol", "ours"))
        cluster.kubectl("label", "-n", place, "spol/ours", "agentrun/r", "si/i", "sp/p", "seen=yes")
        cluster.kubectl(*patch, json.dumps({"metadata": {"finalizers": ["sympozium.ai/x"]}}), "si", "i")
        cluster.kubectl(*patch, json.dumps({"metadata": {"finalizers": None}}), "si", "i")
        cluster.kubectl(*patch, json.dumps({"status": {"phase": "Running"}}), "--subresource=status", "agentrun", "r")
        cluster.kubectl(*patch, json.dumps({"spec": {"cancel": True}}), "agentrun", "r")
        cluster.kubectl("delete", "-n", place, "spol/ours", "agentrun/r", "si/i", "sp/p")


def test_whoever_may_do_everything_installs_packs_while_nobody_answers(admission: Admission) -> None:
    admission.stop()
    admission.write(admission.system, thing("SkillPack", "k8s-ops", {}))
    alice = admission.user(admission.system)
    said = refusal(lambda: admission.write(admission.system, thing("SkillPack", "own", {}), user=alice))
    assert "failed calling webhook" in said


def test_one_of_two_replicas_answers_when_the_other_is_killed(admission: Admission, tmp_path: Path) -> None:
    first, second = admission.processes[0], admission.start(tmp_path / "second.log")
    assert refuses(admission)
    first.kill()
    first.wait()
    assert refuses(admission)
    admission.start(tmp_path / "third.log")
    second.kill()
    second.wait()
    assert refuses(admission)
    assert not any('"step"' in log.read_text() for log in tmp_path.glob("*.log")), "they share one certificate"


def test_a_cluster_without_policies_that_write_has_the_requester_from_a_webhook(
    admission: Admission, cluster: Cluster, tmp_path: Path
) -> None:
    admission.uninstall()
    admission.policies = False
    admission.stop()
    admission.start(tmp_path / "second.log")  # it looks for a configuration until there is one
    admission.install()
    try:
        with admission.namespace() as place:
            alice = admission.user(place)
            lied = {"annotations": {"sympozium.ai/requester": "bob", "mine": "yes"}}
            for run in (RUN, thing("AgentRun", "lied", {"instanceRef": "i", "input": "x"}, **lied)):
                admission.write(place, run, user=alice)
                kept = cluster.get("agentrun", run["metadata"]["name"], "-n", place)["metadata"]["annotations"]
                assert kept["sympozium.ai/requester"] == "alice"
            assert kept["mine"] == "yes"
            admission.write(place, thing("SympoziumInstance", "i", SCRIPTED), user=alice)
            cluster.kubectl("annotate", "si", "i", "-n", place, "--overwrite", "sympozium.ai/author=root")
            kept = cluster.get("si", "i", "-n", place)["metadata"]["annotations"]
            assert kept["sympozium.ai/author"] == "alice\nsystem:authenticated"
    finally:
        admission.uninstall()
        admission.policies = True
        admission.install()


# -- certificates ------------------------------------------------------------------------------------------

QUICK = Lifetimes(
    authority=timedelta(hours=1),
    authority_lead=timedelta(minutes=59, seconds=54),
    serving=timedelta(minutes=50),
    serving_lead=timedelta(minutes=49, seconds=57),
    settle=timedelta(seconds=2),
)
"""Everything is good for long, and made anew after seconds."""


@asynccontextmanager
async def serving(admission: Admission) -> AsyncIterator[None]:
    settings = Settings(
        system=admission.system,
        host="127.0.0.1",
        port=admission.port,
        names=("127.0.0.1",),
        name=admission.name,
        lifetimes=QUICK,
        period=0.2,
    )
    async with Client(await login(str(admission.kubeconfig))) as api:
        ready = asyncio.Event()
        task = asyncio.create_task(serve_admission(api, settings, ready=ready))
        async with asyncio.timeout(WITHIN):
            await ready.wait()
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def secret(admission: Admission, key: str) -> list[x509.Certificate]:
    found = admission.cluster.get("secret", admission.name, "-n", admission.system)["data"][key]
    return x509.load_pem_x509_certificates(base64.b64decode(found))


def trusted(admission: Admission) -> list[bytes]:
    found = admission.cluster.get("validatingwebhookconfiguration", admission.name)["webhooks"]
    return [base64.b64decode(one["clientConfig"]["caBundle"]) for one in found]


def test_certificates_and_their_authority_are_replaced_while_requests_go_on(
    admission: Admission, cluster: Cluster
) -> None:
    admission.stop()
    cluster.kubectl("delete", "secret", admission.name, "-n", admission.system)

    async def requests() -> tuple[list[x509.Name], set[int]]:
        issuers: list[x509.Name] = []
        sizes: set[int] = set()
        async with serving(admission), asyncio.timeout(WITHIN):
            await asyncio.to_thread(until, lambda: refuses_now(admission), "an API server that trusts it")
            while len(issuers) < 3:
                assert await asyncio.to_thread(refuses, admission)
                sizes.add(len(await asyncio.to_thread(secret, admission, AUTHORITIES)))
                issuer = (await asyncio.to_thread(secret, admission, CHAIN))[0].issuer
                if issuer not in issuers:
                    issuers.append(issuer)
        return issuers, sizes

    issuers, sizes = asyncio.run(requests())
    assert 2 in sizes, "old and new stood side by side"
    assert issuers[0] not in [one.subject for one in secret(admission, AUTHORITIES)]
    assert len(set(trusted(admission))) == 1


def refuses_now(admission: Admission) -> bool:
    """As ``refuses``, while the API server may not trust it yet."""
    try:
        return refuses(admission)
    except AssertionError:
        return False


def test_a_secret_that_somebody_broke_is_made_anew(admission: Admission, cluster: Cluster, tmp_path: Path) -> None:
    words = ("patch", "secret", admission.name, "-n", admission.system, "--type=merge", "-p")
    before = trusted(admission)[0]
    admission.stop()
    cluster.kubectl(*words, json.dumps({"data": {AUTHORITIES: "bm9uc2Vuc2U=", CHAIN: None}}))
    admission.start(tmp_path / "again.log")
    until(lambda: trusted(admission)[0] != before, "another authority")
    until(lambda: refuses_now(admission), "an API server that trusts it")
