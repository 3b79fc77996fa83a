"""plan: what a run becomes in a cluster: its frozen RunSpec, the objects that give it rights, its Job. Pure.

From the same objects, time and names the same plan comes. After it nothing reads a custom resource.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import ValidationError

from sympozium_controller.assemble import assemble
from sympozium_controller.errors import Refused, fault_of
from sympozium_controller.flags import Flags
from sympozium_controller.lifecycle.gather import Gathered, origin_of
from sympozium_controller.lifecycle.restore import restoring
from sympozium_controller.lifecycle.rights import rights
from sympozium_controller.lifecycle.view import ANSWERED, DIGEST, EXPIRY
from sympozium_controller.memory import MEMORY
from sympozium_controller.names import (
    ANNOTATION_REQUESTER,
    LABEL_ATTEMPT,
    LABEL_INSTANCE,
    LABEL_RUN,
    LABEL_RUN_NAME,
    LABEL_RUN_UID,
    RUN_ACCOUNT,
    account_name,
    gateway_service,
    job_name,
    label,
    memory_service,
    run_id,
)
from sympozium_controller.objects import AgentRun, SympoziumInstance
from sympozium_controller.outfit import outfit
from sympozium_controller.pod import Pod
from sympozium_controller.providers import MODEL
from sympozium_controller.render.egress import destinations
from sympozium_controller.render.kubernetes import Bus, Images, InCluster, Manifests, Owner, TooLarge, render
from sympozium_controller.resolve import resolve
from sympozium_protocol.clock import utc
from sympozium_protocol.exits import Reason
from sympozium_protocol.files import digest
from sympozium_protocol.kube.api import KubeObject
from sympozium_protocol.kube.resources import RUNS
from sympozium_protocol.messages.spec import ParticipantSpec, RunSpec
from sympozium_protocol.policy import Subject, judge_subject

SLACK: Final = 660
"""Seconds that a Job has beyond the run's own time, for a pod that is slow to begin: it is a backstop."""
IN_POD: Final = ("scripted", "replay")
"""Providers without a key or a network: their gateway is a container of the pod."""


@dataclass(frozen=True, slots=True)
class Place:
    """What is the same for all runs of an installation."""

    images: Images
    bus: Bus | None = None
    pull_policy: str = ""
    pull_secrets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """``rights`` in the order of their creation; ``account``: the pod's."""

    spec: RunSpec
    digest: str
    manifests: Manifests
    rights: tuple[KubeObject, ...] = field(default=())
    account: str = RUN_ACCOUNT
    destinations: tuple[str, ...] = ()
    """What the pod must reach besides the bus."""


def plan(run: KubeObject, asked: AgentRun, found: Gathered, place: Place, now: float) -> Plan:
    """The first attempt's. ``asked`` is ``run`` as it was read. Raises Refused."""
    uid, id = run["metadata"]["uid"], run_id(asked.name, run["metadata"]["uid"])
    instance = found.objects.get(SympoziumInstance, asked.spec.instance_ref, asked.namespace)
    assert instance is not None
    flags = Flags(approve="wait", elsewhere=elsewhere(instance, asked.namespace))
    try:
        spec = resolve(found.objects, found.packs, flags, run_id=id, now=utc(now), facts=facts(asked.namespace))
    except ValidationError as error:  # what the models of objects let be and a RunSpec does not
        field, why = fault_of(error)
        told = f"runs of it would not be valid: {field}: {why}"
        raise Refused(Reason.InvalidDocument, origin_of(instance), "", told) from None
    clothes = outfit(found.objects, found.packs, flags)
    given = rights(id, uid, asked.namespace, owner_of(run), clothes.grants)
    account = account_name(id) if given else RUN_ACCOUNT
    pinned = digest(spec.encode())
    where = InCluster(
        namespace=asked.namespace,
        job=job_name(id, 1),
        account=account,
        labels={LABEL_RUN: id, LABEL_RUN_UID: uid, LABEL_INSTANCE: label(instance.name)},
        annotations=_annotations(run, instance.name, pinned, spec.approval.expiry),
        owner=Owner(RUNS.api_version, RUNS.kind, asked.name, uid),
        bus=place.bus,
        deadline=deadline(spec),
        pull_policy=place.pull_policy,
        pull_secrets=place.pull_secrets,
    )
    pod = assemble(spec, clothes)
    return Plan(spec, pinned, _rendered(pod, where, place, asked), given, account, destinations(pod))


def _rendered(pod: Pod, where: InCluster, place: Place, asked: AgentRun) -> Manifests:
    try:
        return render(pod, where, place.images)
    except TooLarge as error:
        raise Refused(Reason.InvalidDocument, origin_of(asked), "spec.input", str(error)) from None


def _annotations(run: KubeObject, instance: str, told: str, expiry: float) -> dict[str, str]:
    requester = run["metadata"].get("annotations", {}).get(ANNOTATION_REQUESTER)
    found = {LABEL_RUN_NAME: run["metadata"]["name"], LABEL_INSTANCE: instance, DIGEST: told, EXPIRY: f"{expiry:.0f}"}
    return found | ({ANNOTATION_REQUESTER: requester} if requester else {})


def owner_of(run: KubeObject) -> dict[str, Any]:
    """The reference by which the cluster deletes what a run made, with it."""
    metadata = run["metadata"]
    return {
        "apiVersion": RUNS.api_version,
        "kind": RUNS.kind,
        "name": metadata["name"],
        "uid": metadata["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def elsewhere(instance: SympoziumInstance, namespace: str) -> tuple[str, ...]:
    """What of the run's participants serves other runs too, as PARTICIPANT=SERVICE."""
    provider, memory = instance.spec.provider, instance.spec.memory
    found = []
    if provider and provider.name not in IN_POD:
        service = gateway_service(namespace, provider.name, provider.base_url, provider.api_key_secret)
        found.append(f"{MODEL}={service}")
    if memory.enabled and memory.placement == "service":
        found.append(f"{MEMORY}={memory_service(namespace, instance.name)}")
    return tuple(found)


def facts(namespace: str) -> dict[str, str]:
    """What the agent is told of where it runs."""
    return {"machine": "containers of a pod in a Kubernetes cluster, each with its own view", "namespace": namespace}


def deadline(spec: RunSpec) -> int:
    """Seconds after which the cluster ends the Job, should the agent not end itself; 0: never.

    Waiting for a person does not count to the run's time, so where somebody may be asked the backstop is wide.
    """
    if not spec.limits.timeout:
        return 0
    waiting = spec.approval.expiry if spec.approval.somebody and any(map(_asks(spec), spec.participants)) else 0
    return math.ceil(spec.limits.timeout + waiting) + SLACK


def _asks(spec: RunSpec) -> Any:
    def asks(one: ParticipantSpec) -> bool:
        if one.role == "model":
            return False
        subjects = [Subject(tool.name, tool.effect, skill=one.role == "skill") for tool in one.tools]
        subjects += [Subject(f"{prefix}tool", "write") for prefix in one.prefixes]
        return any(judge_subject(subject, spec.policies).decision == "ask" for subject in subjects)

    return asks


def further(job: KubeObject, attempt: int, run: str) -> KubeObject:
    """The Job of a further attempt: the same frozen run, so made of the Job before it and of nothing else.

    Its volumes are empty: what the stream has of the run is written into them first.
    """
    metadata: Mapping[str, Any] = job["metadata"]
    number = {LABEL_ATTEMPT: str(attempt)}
    spec = {key: deepcopy(job["spec"][key]) for key in _FURTHER if key in job["spec"]}
    template = deepcopy(job["spec"]["template"])
    labels = template["metadata"].get("labels", {})
    template["metadata"]["labels"] = {k: v for k, v in labels.items() if k not in _JOB_LABELS} | number
    template["spec"] = restoring(template["spec"])
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": job_name(run, attempt),
            "namespace": metadata["namespace"],
            "labels": {**metadata.get("labels", {}), **number},
            "annotations": {k: v for k, v in metadata.get("annotations", {}).items() if k != ANSWERED},
            "ownerReferences": deepcopy(metadata.get("ownerReferences", [])),
        },
        "spec": {**spec, "template": template},
    }


_FURTHER: Final = ("backoffLimit", "podReplacementPolicy", "activeDeadlineSeconds")
_JOB_LABELS: Final = (
    "controller-uid",
    "job-name",
    "batch.kubernetes.io/controller-uid",
    "batch.kubernetes.io/job-name",
)
"""What the cluster added to select the pods of the Job before."""
