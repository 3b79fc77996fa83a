"""What a pod is on the bus: the bridge of a run, or a service. Its token says which pod it is, its owners what for.

Whoever may create pods in a namespace can give one any account, labels and owners. That a pod is the Job controller's
own is therefore not to be seen here: an admission policy lets nobody else make pods and ReplicaSets that bear our
labels, and nobody but our controller the Jobs and Deployments (README.md). What is checked here is that the labels are
there, and that every owner is the very object that it was.
"""

from __future__ import annotations

import asyncio
import re
import time
from datetime import datetime
from typing import Any, Final, TypeVar

from pydantic import ValidationError

from sympozium_bus_auth.cluster.reviews import Holder
from sympozium_bus_auth.verifying import Refused
from sympozium_protocol.bus.tokens import RunIdentity, ServiceIdentity
from sympozium_protocol.kube.api import KubeApi, KubeObject
from sympozium_protocol.kube.errors import NotFound
from sympozium_protocol.kube.labels import (
    LABEL_MANAGED_BY,
    LABEL_PARTICIPANT,
    LABEL_RUN_UID,
    LABEL_SERVICE,
    MANAGED_BY,
    deployment_name,
)
from sympozium_protocol.kube.resources import DEPLOYMENTS, JOBS, PODS, REPLICA_SETS, RUNS, Resource

ACCOUNT: Final = "system:serviceaccount:"
_POD: Final = "authentication.kubernetes.io/pod-name"
_POD_UID: Final = "authentication.kubernetes.io/pod-uid"
_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_OVER: Final = frozenset({"Succeeded", "Failed"})
_Found = TypeVar("_Found", RunIdentity, ServiceIdentity)
LOOK_FOR: Final = 0.8
"""Seconds in which a run's status may come to name its Job: it does a moment after the Job is made."""
LOOK_EVERY: Final = 0.1


async def identity_of_pod(api: KubeApi, holder: Holder, now: float) -> RunIdentity | ServiceIdentity:
    """Raises Refused, KubeError."""
    namespace = holder.username.removeprefix(ACCOUNT).partition(":")[0]
    name, uid = holder.only(_POD), holder.only(_POD_UID)
    if not holder.username.startswith(ACCOUNT) or not name or not uid:
        raise Refused(f"the token of {holder.username} is bound to no pod")
    pod = await _same(api, PODS, namespace, name, uid)
    _check_living(pod, now)
    owner = _owner(pod)
    match owner.get("apiVersion"), owner.get("kind"):
        case JOBS.api_version, JOBS.kind:
            return await _run(api, namespace, pod, owner)
        case REPLICA_SETS.api_version, REPLICA_SETS.kind:
            return await _service(api, namespace, pod, owner)
    raise Refused(f"the pod {namespace}/{name} is neither a run's nor a service's")


def _check_living(pod: KubeObject, now: float) -> None:
    """One that is being deleted has its grace: a bridge that ends still brings what is left into the stream."""
    name, phase = pod["metadata"]["name"], pod.get("status", {}).get("phase", "")
    if phase in _OVER:
        raise Refused(f"the pod {name} is over ({phase})")
    gone = pod["metadata"].get("deletionTimestamp")
    if gone and datetime.fromisoformat(gone).timestamp() < now:
        raise Refused(f"the pod {name} is deleted")


async def _run(api: KubeApi, namespace: str, pod: KubeObject, owner: KubeObject) -> RunIdentity:
    job = await _same(api, JOBS, namespace, owner["name"], owner["uid"])
    of = _owner(job)
    if (of.get("apiVersion"), of.get("kind")) != (RUNS.api_version, RUNS.kind):
        raise Refused(f"the Job {namespace}/{owner['name']} is not a run's")
    _check_labels(LABEL_RUN_UID, of["uid"], pod, job)
    run = await _same(api, RUNS, namespace, of["name"], of["uid"])
    ends = time.monotonic() + LOOK_FOR
    while run.get("status", {}).get("jobUID") != owner["uid"]:
        if time.monotonic() > ends:
            raise Refused(f"the AgentRun {namespace}/{of['name']} names another Job as its own, or none yet")
        await asyncio.sleep(LOOK_EVERY)
        run = await _same(api, RUNS, namespace, of["name"], of["uid"])
    return _checked(RunIdentity, namespace=namespace, run=run["status"].get("run", ""))


async def _service(api: KubeApi, namespace: str, pod: KubeObject, owner: KubeObject) -> ServiceIdentity:
    replicas = await _same(api, REPLICA_SETS, namespace, owner["name"], owner["uid"])
    of = _owner(replicas)
    if (of.get("apiVersion"), of.get("kind")) != (DEPLOYMENTS.api_version, DEPLOYMENTS.kind):
        raise Refused(f"the ReplicaSet {namespace}/{owner['name']} is no Deployment's")
    deployment = await _same(api, DEPLOYMENTS, namespace, of["name"], of["uid"])
    labels = _labels(deployment)
    service = labels.get(LABEL_SERVICE, "")
    if of["name"] != deployment_name(service) or labels.get(LABEL_MANAGED_BY) != MANAGED_BY:
        raise Refused(f"the Deployment {namespace}/{of['name']} serves nothing on the bus")
    _check_labels(LABEL_SERVICE, service, pod, replicas)
    participant = labels.get(LABEL_PARTICIPANT, "")
    return _checked(ServiceIdentity, service=service, participant=participant, namespaces=(namespace,))


async def _same(api: KubeApi, resource: Resource, namespace: str, name: str, uid: str) -> KubeObject:
    """The object that has this UID. Raises Refused, KubeError.

    Whoever makes a pod names its owners as they like: the server looks at no more than that there is a name.
    """
    if not _NAME.fullmatch(name):
        raise Refused(f"{name[:80]!r} is no name of a {resource.kind}")
    try:
        found = await api.get(resource, name, namespace)
    except NotFound:
        raise Refused(f"there is no {resource.kind} {namespace}/{name}") from None
    if found["metadata"]["uid"] != uid:
        raise Refused(f"the {resource.kind} {namespace}/{name} is another than the one that was meant")
    return found


def _owner(found: KubeObject) -> dict[str, Any]:
    """Who controls it; empty where nobody does."""
    references = found["metadata"].get("ownerReferences") or ()
    return next((dict(one) for one in references if one.get("controller")), {})


def _labels(found: KubeObject) -> dict[str, str]:
    return found["metadata"].get("labels") or {}


def _check_labels(label: str, value: str, *objects: KubeObject) -> None:
    for one in objects:
        if _labels(one).get(label) != value:
            raise Refused(f"{one['metadata']['name']} does not bear the label {label} of its owner")


def _checked(kind: type[_Found], **fields: object) -> _Found:
    """Raises Refused: names that cannot stand in a subject."""
    try:
        return kind.model_validate(fields)
    except ValidationError as error:
        raise Refused(f"its names are none of the bus: {error.error_count()} of them") from None
