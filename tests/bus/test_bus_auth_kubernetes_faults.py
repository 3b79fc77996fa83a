"""The keeper of a cluster's bus when something is away, and a run's own gate through all of it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import anyio
import pytest

from sympozium_bus_auth.cluster.documents import AUTHORITIES, KEEPER_SECRET, SERVER_SECRET
from sympozium_protocol.bus import subjects
from sympozium_protocol.bus.faults import Away
from sympozium_protocol.bus.gather import Gatherer
from sympozium_protocol.bus.reader import open_reader
from sympozium_protocol.bus.subjects import RunKey
from sympozium_protocol.exits import Reason
from tests.support.bus_auth import PROGRAM, GuardedBus
from tests.support.bus_cluster import Tenant, id_of, kubeconfig
from tests.support.bus_pod import Pod, spec_of, until
from tests.support.cluster import Cluster
from tests.support.proxy import Between

pytestmark = [pytest.mark.anyio, pytest.mark.xdist_group("bus_cluster")]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def bus(clustered_bus: GuardedBus) -> GuardedBus:
    return clustered_bus


async def paths(bus: GuardedBus, run: RunKey) -> list[str]:
    link = await bus.trusted()
    reader, gatherer = await open_reader(link, run), Gatherer(run)
    messages = [await reader.next() for _ in range(reader.pending)]
    await link.close()
    return [found.path for message in messages for found in gatherer.take(message)]


def said_more(bus: GuardedBus, word: str, before: int) -> None:
    until(lambda: bus.said(word) > before, f"the keeper says {word}")


async def test_without_the_api_server_nobody_new_comes_in_and_who_is_in_stays(
    bus: GuardedBus, tenant: Tenant, api_proxy: Between
) -> None:
    run, _, pod = await tenant.begin()
    token, principal = await tenant.token(pod), subjects.run_principal(RunKey(tenant.namespace, id_of(run)))
    link = await bus.shown(token, principal)
    for trouble in (api_proxy.cut, api_proxy.freeze):
        trouble()
        try:
            before = bus.said("the API server")
            with pytest.raises(Away):
                await bus.shown(token, principal)
            await anyio.to_thread.run_sync(said_more, bus, "the API server", before)
            await link.settled()
        finally:
            api_proxy.heal()
    await link.close()
    await (await bus.shown(token, principal)).close()


async def test_a_gate_in_a_pod_waits_for_the_cluster_to_know_it_begins_its_run_and_takes_a_new_token(
    bus: GuardedBus, tenant: Tenant, tmp_path: Path
) -> None:
    await tenant.account()
    run = await tenant.run()
    job = await tenant.job(run)
    pod = await tenant.pod_of(job)
    key = RunKey(tenant.namespace, id_of(run))
    spec = spec_of(key.run, namespace=key.namespace)
    file = tmp_path / "token"
    file.write_text(await tenant.token(pod))
    env = {"SYMPOZIUM_BUS_TOKEN_FILE": str(file), "SYMPOZIUM_BUS_CA_FILE": str(bus.ca_file)}

    def act() -> None:
        with Pod(tmp_path / "ipc", spec, bus.server.url, **env) as gate:
            until(lambda: bus.said(f"the AgentRun {tenant.namespace}/{run['metadata']['name']} names another Job"))
            gate.message()
            gate.call("1-1", tool="look")
            gate.verdict("1-1")  # what only reads goes on
            gate.call("1-2", tool="change")
            anyio.from_thread.run(tenant.tell, run, job)
            assert gate.verdict("1-2").decision == "allow"
            file.write_text(anyio.from_thread.run(tenant.token, pod, "vault"))
            before = bus.said("does not know this token")
            bus.server.kill()
            gate.message()
            anyio.from_thread.run_sync(bus.server.start)  # it ends with the thread that started it
            said_more(bus, "does not know this token", before)
            file.write_text(anyio.from_thread.run(tenant.token, pod))
            until(lambda: "agent/transcript/2.json" in anyio.from_thread.run(paths, bus, key), gate.said())
            assert gate.stop() == int(Reason.Suspended)

    await anyio.to_thread.run_sync(act)
    found = await paths(bus, key)
    assert found[0] == "run/run.json"
    assert found.count("run/run.json") == 1
    assert found[1].startswith("bridge/gates/")


async def test_keys_fill_objects_that_are_there_with_a_right_to_these_alone(
    bus: GuardedBus, cluster: Cluster, tenant: Tenant, tmp_path: Path
) -> None:
    where = ("-n", tenant.namespace)
    cluster.kubectl("create", "serviceaccount", "keys", *where)
    for kind, names in (("secret", (KEEPER_SECRET, SERVER_SECRET)), ("configmap", (AUTHORITIES,))):
        for name in names:
            cluster.kubectl("create", kind, *(["generic"] if kind == "secret" else []), name, *where)
        named = [f"--resource-name={name}" for name in names]
        cluster.kubectl("create", "role", f"keys-{kind}", "--verb=get,patch", f"--resource={kind}s", *named, *where)
        subject = f"--serviceaccount={tenant.namespace}:keys"
        cluster.kubectl("create", "rolebinding", f"keys-{kind}", f"--role=keys-{kind}", subject, *where)
    token = cluster.kubectl("create", "token", "keys", *where).strip()
    config = kubeconfig(cluster, tmp_path / "config", token)

    def keys(*words: str) -> list[str]:
        command = [str(PROGRAM), "keys", "--into-secrets", tenant.namespace, *words]
        environment = {**os.environ, "KUBECONFIG": str(config)}
        done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
        return [line.rpartition(" ")[2] for line in done.stdout.splitlines()]

    assert keys() == ["filled", "filled", "filled"]
    first = cluster.get("secret", SERVER_SECRET, *where)["data"]
    assert keys() == ["kept", "kept", "kept"]
    assert keys("--names", "10.96.0.20", "bus.example.com") == ["kept", "kept", "changed"]
    second = cluster.get("secret", SERVER_SECRET, *where)["data"]
    assert second["access.conf"] == first["access.conf"]
    assert second["tls.crt"] != first["tls.crt"]
    private = {*cluster.get("secret", KEEPER_SECRET, *where)["data"].values()}
    assert not private & {*second.values()}
