"""A bus whose keeper asks a real API server: Secrets as the cluster holds them, and pods whose kubelet a test plays."""

from __future__ import annotations

import asyncio
import base64
import itertools
import os
import signal
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import yaml

from sympozium_bus_auth.cluster.documents import ACCESS, AUTHORITIES, CA, FOLDER, KEEPER_SECRET, SERVER_SECRET
from sympozium_bus_auth.keys import Keys
from sympozium_controller.install.roles import keeper
from sympozium_controller.names import (
    LABEL_MANAGED_BY,
    LABEL_PARTICIPANT,
    LABEL_RUN,
    LABEL_RUN_UID,
    LABEL_SERVICE,
    MANAGED_BY,
    RUN_ACCOUNT,
    deployment_name,
    run_id,
)
from sympozium_protocol.kube.api import KubeObject
from sympozium_protocol.kube.client import Client
from sympozium_protocol.kube.errors import NotFound
from sympozium_protocol.kube.labels import CONTROLLER_ACCOUNT
from sympozium_protocol.kube.login import login
from sympozium_protocol.kube.resources import DEPLOYMENTS, JOBS, PODS, RUNS, SERVICE_ACCOUNTS, Resource
from tests.support.bus_auth import PROGRAM, GuardedBus
from tests.support.cluster import Cluster
from tests.support.nats import NatsServer

T = TypeVar("T")
KEEPER = "sympozium-bus-auth"
CRDS = Path(__file__).parents[2] / "controller" / "crds"
WITHIN = 60.0
_numbers = itertools.count(1)


def using(cluster: Cluster, act: Callable[[Client], Awaitable[T]]) -> T:
    """As the cluster's administrator."""

    async def run() -> T:
        async with Client(await login(str(cluster.kubeconfig))) as client:
            return await act(client)

    return asyncio.run(run())


def prepare(cluster: Cluster, system: str) -> None:
    """The definition of AgentRun, the keeper's account in ``system`` with its role as it is installed."""
    cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", str(CRDS / "agentruns.yaml"))
    cluster.wait("condition=Established", "crd/agentruns.sympozium.ai")
    documents = []
    for one in keeper(system):
        named = f"{one['metadata']['name']}-{system}"  # those of the whole cluster, which other tests share
        documents.append(one | {"metadata": {**one["metadata"], "name": named}})
    documents[1]["roleRef"]["name"] = documents[0]["metadata"]["name"]
    accounts = [account(name, system) for name in (KEEPER, CONTROLLER_ACCOUNT)]
    cluster.apply([*documents, *accounts])


def account(name: str, namespace: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": namespace}}


def kubeconfig(cluster: Cluster, path: Path, token: str, server: str = "") -> Path:
    """As ``cluster``'s own, with another's token; ``server``: by another way."""
    found = yaml.safe_load(cluster.kubeconfig.read_text())
    current = found["contexts"][0]["context"]
    for one in found["clusters"]:
        one["cluster"]["server"] = server or one["cluster"]["server"]
    found["users"] = [{"name": current["user"], "user": {"token": token}}]
    path.write_text(yaml.safe_dump(found))
    return path


@contextmanager
def cluster_bus(folder: Path, cluster: Cluster, system: str, server: str = "") -> Iterator[GuardedBus]:
    """Server and keeper with what ``keys --into-secrets`` put into ``system``. ``server``: of the API, as the keeper
    finds it."""
    prepare(cluster, system)
    subprocess.run(
        [PROGRAM, "keys", "--into-secrets", system],
        env={**os.environ, "KUBECONFIG": str(cluster.kubeconfig)},
        check=True,
        capture_output=True,
    )
    held = mounted(cluster, system, folder)
    text = (held / ACCESS).read_text().replace(FOLDER, str(held))
    token = cluster.kubectl("create", "token", KEEPER, "-n", system, "--duration=2h").strip()
    environment = {
        "KUBECONFIG": str(kubeconfig(cluster, folder / "keeper.kubeconfig", token, server)),
        "SYMPOZIUM_SYSTEM_NAMESPACE": system,
    }
    with NatsServer(folder / "nats", more=text, scheme="tls") as nats:
        keys, authority = Keys.read(folder / "keys"), folder / "ca.crt"
        bus = GuardedBus(nats, folder, keys, folder / "bus-auth.log", authority, ("--cluster",), environment)
        bus.start()
        try:
            yield bus
        finally:
            if bus._process is not None:
                bus.stop(signal.SIGKILL)


def mounted(cluster: Cluster, system: str, folder: Path) -> Path:
    """Lay out what pods would mount: ``keys``, ``ca.crt``, and the server's folder, which is given back."""
    for name, place in ((KEEPER_SECRET, folder / "keys"), (SERVER_SECRET, folder / "access")):
        place.mkdir(parents=True)
        for key, value in cluster.get("secret", name, "-n", system)["data"].items():
            (place / key).write_bytes(base64.b64decode(value))
    (folder / "ca.crt").write_text(cluster.get("configmap", AUTHORITIES, "-n", system)["data"][CA])
    return folder / "access"


async def eventually(look: Callable[[], Awaitable[T | None]], what: str) -> T:
    ends = time.monotonic() + WITHIN
    while not (found := await look()):
        assert time.monotonic() < ends, f"not in time: {what}"
        await asyncio.sleep(0.02)  # between two looks at a condition
    return found


class Tenant:
    """A namespace with runs and services in it, made as the controller makes them."""

    def __init__(self, api: Client, namespace: str) -> None:
        self.api = api
        self.namespace = namespace

    async def account(self, name: str = RUN_ACCOUNT) -> None:
        await ensure(self.api, SERVICE_ACCOUNTS, account(name, self.namespace))

    async def run(self, name: str = "") -> KubeObject:
        """An AgentRun, with nothing in its status."""
        body = {"metadata": {"name": name or f"look-{next(_numbers)}"}, "spec": {"instanceRef": "x", "input": "look"}}
        return await self.api.create(RUNS, document(RUNS, body), self.namespace)

    async def job(self, run: KubeObject, name: str = "") -> KubeObject:
        """Its Job, whose pod the cluster makes."""
        labels = {LABEL_RUN_UID: run["metadata"]["uid"], LABEL_RUN: id_of(run), LABEL_MANAGED_BY: MANAGED_BY}
        metadata = {"name": name or id_of(run), "labels": labels, "ownerReferences": [owner(run)]}
        spec = {"backoffLimit": 0, "template": template(labels)}
        return await self.api.create(JOBS, document(JOBS, {"metadata": metadata, "spec": spec}), self.namespace)

    async def begin(self, name: str = "") -> tuple[KubeObject, KubeObject, KubeObject]:
        """A run as it is when its pod starts: (AgentRun, Job, pod)."""
        await self.account()
        run = await self.run(name)
        job = await self.job(run)
        await self.tell(run, job)
        return run, job, await self.pod_of(job)

    async def tell(self, run: KubeObject, job: KubeObject) -> None:
        """The status names the Job."""
        status = {"jobName": job["metadata"]["name"], "jobUID": job["metadata"]["uid"], "run": id_of(run)}
        body = {"status": {**status, "phase": "Pending"}}
        await self.api.patch(RUNS, run["metadata"]["name"], body, self.namespace, subresource="status")

    async def pod_of(self, above: KubeObject) -> KubeObject:
        """The pod that a Job or a ReplicaSet controls."""
        uid = above["metadata"]["uid"]

        async def look() -> KubeObject | None:
            found = (await self.api.list(PODS, self.namespace)).items
            return next((one for one in found if owner_uid(one) == uid), None)

        return await eventually(look, f"a pod of {above['metadata']['name']}")

    async def service(self, service: str, participant: str, **labels: str) -> tuple[KubeObject, KubeObject]:
        """A Deployment that serves on the bus, and its pod."""
        await self.account()
        marks = {LABEL_SERVICE: service, LABEL_PARTICIPANT: participant, LABEL_MANAGED_BY: MANAGED_BY, **labels}
        metadata = {"name": deployment_name(service), "labels": marks}
        chosen = {"matchLabels": {LABEL_SERVICE: marks[LABEL_SERVICE]}}
        spec = {"replicas": 1, "selector": chosen, "template": template(marks)}
        spec["template"]["spec"]["restartPolicy"] = "Always"
        body = document(DEPLOYMENTS, {"metadata": metadata, "spec": spec})
        made = await self.api.create(DEPLOYMENTS, body, self.namespace)

        async def look() -> KubeObject | None:
            found = (await self.api.list(PODS, self.namespace, labels=f"{LABEL_SERVICE}={marks[LABEL_SERVICE]}")).items
            return found[0] if found else None

        return made, await eventually(look, f"a pod of {service}")

    async def pod(self, name: str, labels: Mapping[str, str], *above: Mapping[str, Any]) -> KubeObject:
        """One that somebody makes by hand."""
        await self.account()
        body = template(labels)
        body["metadata"] |= {"name": name, "ownerReferences": list(above)}
        return await self.api.create(PODS, document(PODS, body), self.namespace)

    async def token(self, pod: KubeObject | None, audience: str = "sympozium-bus", account: str = RUN_ACCOUNT) -> str:
        """As the kubelet would have it for this pod; none: as anybody may ask for it who may make tokens."""
        spec: dict[str, Any] = {"audiences": [audience] if audience else [], "expirationSeconds": 600}
        if pod:
            meant = {"name": pod["metadata"]["name"], "uid": pod["metadata"]["uid"]}
            spec["boundObjectRef"] = {"apiVersion": "v1", "kind": "Pod", **meant}
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "metadata": {}, "spec": spec}
        made = await self.api.create(SERVICE_ACCOUNTS, body, self.namespace, name=account, subresource="token")
        return str(made["status"]["token"])


def id_of(run: KubeObject) -> str:
    """The run's name in the stream."""
    return run_id(run["metadata"]["name"], run["metadata"]["uid"])


def owner(found: KubeObject) -> dict[str, Any]:
    """A reference by which ``found`` controls another."""
    kind = {"apiVersion": found["apiVersion"], "kind": found["kind"]}
    return {**kind, "name": found["metadata"]["name"], "uid": found["metadata"]["uid"], "controller": True}


def owner_uid(found: KubeObject) -> str:
    return next((one["uid"] for one in found["metadata"].get("ownerReferences") or ()), "")


def template(labels: Mapping[str, str]) -> dict[str, Any]:
    container = {"name": "bridge", "image": "sympozium/ipc-bridge:dev", "imagePullPolicy": "Never"}
    spec = {"restartPolicy": "Never", "serviceAccountName": RUN_ACCOUNT, "containers": [container]}
    return {"metadata": {"labels": dict(labels)}, "spec": spec}


def document(resource: Resource, body: Mapping[str, Any]) -> KubeObject:
    return {"apiVersion": resource.api_version, "kind": resource.kind, **body}


async def ensure(api: Client, resource: Resource, body: KubeObject) -> None:
    metadata = body["metadata"]
    try:
        await api.get(resource, metadata["name"], metadata["namespace"])
    except NotFound:
        await api.create(resource, body, metadata["namespace"])
