"""A pod's port on this machine: the bus of a cluster as somebody's laptop reaches it."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from sympozium_protocol.bus import subjects
from sympozium_protocol.bus.faults import Away
from sympozium_protocol.bus.link import connect, connected
from sympozium_protocol.bus.reader import open_reader
from sympozium_protocol.bus.settings import BusSettings
from sympozium_protocol.bus.stream import StreamLimits, make_stream
from sympozium_protocol.bus.subjects import RunKey
from sympozium_protocol.bus.writer import append
from sympozium_protocol.kube.client import Client
from sympozium_protocol.kube.errors import Forbidden, NotFound
from sympozium_protocol.kube.forward import forwarded, forwarding
from sympozium_protocol.kube.login import login
from tests.support.bus_cluster import kubeconfig
from tests.support.cluster_node import NodeCluster, image

pytestmark = [pytest.mark.anyio, pytest.mark.xdist_group("node")]
RUN = RunKey("default", "a")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def space(node_cluster: NodeCluster) -> Iterator[str]:
    """A namespace with a server of the bus that asks nobody who he is, as the pod ``bus``."""
    node_cluster.load("nats")
    with node_cluster.namespace() as name:
        meta = {"namespace": name}
        config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "access", **meta}}
        mounts = [{"name": "access", "mountPath": "/etc/nats/access"}, {"name": "data", "mountPath": "/data"}]
        server = {
            "name": "nats",
            "image": image("nats"),
            "imagePullPolicy": "Never",
            "readinessProbe": {"tcpSocket": {"port": 4222}, "periodSeconds": 1},
            "volumeMounts": mounts,
            "env": [{"name": "NATS_STORE", "value": "100MB"}],
        }
        volumes = [{"name": "access", "configMap": {"name": "access"}}, {"name": "data", "emptyDir": {}}]
        spec = {
            "terminationGracePeriodSeconds": 0,
            "securityContext": {"fsGroup": 1000},
            "containers": [server],
            "volumes": volumes,
        }
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "bus", **meta}, "spec": spec}
        node_cluster.create([config | {"data": {"access.conf": "# everybody"}}, pod])
        node_cluster.wait("condition=Ready", "pod/bus", "-n", name)
        yield name


@pytest.fixture
async def api(node_cluster: NodeCluster) -> AsyncIterator[Client]:
    async with Client(await login(str(node_cluster.kubeconfig))) as client:
        yield client


async def test_the_bus_of_a_cluster_is_used_from_this_machine(api: Client, space: str) -> None:
    told: list[str] = []
    async with forwarded(api, space, "bus", 4222, told.append) as port:
        settings = BusSettings(f"nats://127.0.0.1:{port}")
        async with connected(settings, principal="test:one") as one, connected(settings, principal="test:two") as two:
            await make_stream(one, StreamLimits(size=0))
            bodies, last = [secrets.token_bytes(700_000), b"small", secrets.token_bytes(300_000)], 0
            for body in bodies:
                last = await append(one, subjects.records(RUN), body, last=last)
            reader = await open_reader(two, RUN)
            assert [(await reader.next()).data for _ in bodies] == bodies
            heard = asyncio.Event()

            async def hear(_: object) -> None:
                heard.set()

            await two.subscribe(subjects.status(RUN), hear)
            await two.settled()
            await one.publish(subjects.status(RUN), b"news")
            async with asyncio.timeout(30):
                await heard.wait()
    assert told == []
    assert two.lost


async def test_a_program_without_a_loop_has_it_in_a_thread(node_cluster: NodeCluster, space: str) -> None:
    found = await login(str(node_cluster.kubeconfig))

    def use() -> dict[str, object]:
        with forwarding(found, space, "bus", 4222) as port:
            return asyncio.run(_information(port))

    assert "version" in await asyncio.to_thread(use)


async def _information(port: int) -> dict[str, object]:
    """What a server of NATS says first."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    line = await reader.readline()
    writer.close()
    return dict(json.loads(line.removeprefix(b"INFO ")))


async def test_what_cannot_be_reached_is_told_at_once(
    api: Client, space: str, node_cluster: NodeCluster, tmp_path: Path
) -> None:
    with pytest.raises(NotFound):
        async with forwarded(api, space, "nothing", 4222):
            pass
    token = node_cluster.kubectl("create", "token", "default", "-n", space).strip()
    async with Client(await login(str(kubeconfig(node_cluster, tmp_path / "config", token)))) as stranger:
        with pytest.raises(Forbidden):
            async with forwarded(stranger, space, "bus", 4222):
                pass


async def test_a_port_on_which_nobody_listens_says_so(api: Client, space: str) -> None:
    told: list[str] = []
    async with forwarded(api, space, "bus", 4999, told.append) as port:
        with pytest.raises(Away):
            await connect(BusSettings(f"nats://127.0.0.1:{port}"), principal="test:one")
    assert any("4999" in line for line in told), told


async def test_who_may_forward_this_pod_needs_no_other_right(
    space: str, node_cluster: NodeCluster, tmp_path: Path
) -> None:
    where = ("-n", space)
    node_cluster.kubectl("create", "serviceaccount", "ada", *where)
    words = ("--verb=get,create", "--resource=pods/portforward", "--resource-name=bus")
    node_cluster.kubectl("create", "role", "reach", *words, *where)
    node_cluster.kubectl("create", "rolebinding", "reach", "--role=reach", f"--serviceaccount={space}:ada", *where)
    token = node_cluster.kubectl("create", "token", "ada", *where).strip()
    found = await login(str(kubeconfig(node_cluster, tmp_path / "config", token)))
    async with Client(found) as ada, forwarded(ada, space, "bus", 4222) as port:
        assert "version" in await _information(port)
