"""The Job of a run, and the ConfigMap of one that is large. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from sympozium_controller.names import LABEL_ATTEMPT, LABEL_EGRESS, LABEL_MANAGED_BY, MANAGED_BY
from sympozium_controller.pod import Pod
from sympozium_controller.render import egress
from sympozium_controller.render.images import UID, Images
from sympozium_controller.render.kubernetes import containers, credentials, volumes
from sympozium_controller.render.kubernetes.seeds import Seeds, seeds
from sympozium_controller.render.kubernetes.where import InCluster
from sympozium_controller.render.notenforced import NotEnforced

OURS: Final = "sympozium.ai/"
"""Labels and annotations that begin so are ours alone."""
GRACE: Final = 30
"""Seconds from SIGTERM to SIGKILL, for the agent (12 s at most) and then the sidecars one after the other (2 s each,
the bridge 5 s); cancelling does not take this way."""
SANDBOX: Final = "gvisor"
"""The runtime class where a policy demands a sandbox and names none."""


@dataclass(frozen=True, slots=True)
class Manifests:
    """What is to be created, the ConfigMap before the Job."""

    job: dict[str, Any]
    config: dict[str, Any] | None = None
    not_enforced: tuple[NotEnforced, ...] = ()

    @property
    def documents(self) -> tuple[dict[str, Any], ...]:
        return (self.config, self.job) if self.config else (self.job,)


def render(pod: Pod, where: InCluster, images: Images) -> Manifests:
    """Raises TooLarge; ValueError for a secret that only a developer's environment has."""
    found = seeds(pod, where.job)
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": _metadata(where), "immutable": True}
    return Manifests(
        job={
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": _metadata(where),
            "spec": {
                # a run that failed is not made again behind its back: a further attempt is a further Job
                "backoffLimit": 0,
                "podReplacementPolicy": "Failed",
                **({"activeDeadlineSeconds": where.deadline} if where.deadline else {}),
                "template": {"metadata": _pod_metadata(pod, where, found), "spec": _pod(pod, where, images, found)},
            },
        },
        config={**config, "data": dict(found.config)} if found.config else None,
        not_enforced=tuple(_not_enforced(pod)),
    )


def _metadata(where: InCluster) -> dict[str, Any]:
    found: dict[str, Any] = {"name": where.job, "namespace": where.namespace, "labels": _labels(where)}
    if where.annotations:
        found["annotations"] = dict(where.annotations)
    if where.owner:
        found["ownerReferences"] = [
            {
                "apiVersion": where.owner.api_version,
                "kind": where.owner.kind,
                "name": where.owner.name,
                "uid": where.owner.uid,
                "controller": True,
                "blockOwnerDeletion": True,
            }
        ]
    return found


def _labels(where: InCluster) -> dict[str, str]:
    return {**where.labels, LABEL_ATTEMPT: str(where.attempt), LABEL_MANAGED_BY: MANAGED_BY}


def _pod_metadata(pod: Pod, where: InCluster, found: Seeds) -> dict[str, Any]:
    reach = egress.egress_class(egress.destinations(pod))
    annotations = {**where.annotations, **credentials.of_pod(where), **found.annotations}
    return {
        "labels": {**_foreign(pod.placing.labels), **_labels(where), LABEL_EGRESS: reach},
        "annotations": {**_foreign(pod.placing.annotations), **annotations},
    }


def _foreign(marks: Mapping[str, str]) -> dict[str, str]:
    """An instance marks its pods as it likes, but not as ours: what selects them decides what they may do."""
    return {key: value for key, value in marks.items() if not key.startswith(OURS)}


def _pod(pod: Pod, where: InCluster, images: Images, found: Seeds) -> dict[str, Any]:
    return {
        "restartPolicy": "Never",
        "serviceAccountName": where.account,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": GRACE,
        **_network(pod, where),
        **_placing(pod, where),
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": UID,
            "runAsGroup": UID,
            # tokens and secrets are readable to the group, a claim is writable to it
            "fsGroup": UID,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "initContainers": containers.sidecars(pod, where, images),
        "containers": [containers.agent(pod, where, images)],
        "volumes": [*volumes.volumes(pod), found.volume, *credentials.volumes(pod, where)],
    }


def _network(pod: Pod, where: InCluster) -> dict[str, Any]:
    """Who reaches nothing but the bus and the API server, by addresses that are known, asks no name server: names are
    a way out too."""
    bus, reach = where.bus, egress.destinations(pod)
    host = urlsplit(bus.url).hostname if bus else None
    found: dict[str, Any] = {}
    if bus and bus.address and host and host != bus.address:
        found["hostAliases"] = [{"ip": bus.address, "hostnames": [host]}]
    if set(reach) <= {egress.KUBERNETES} and (bus is None or bus.address):
        found |= {"dnsPolicy": "None", "dnsConfig": {"nameservers": ["127.0.0.1"]}}
    return found


def _placing(pod: Pod, where: InCluster) -> dict[str, Any]:
    placing = pod.placing
    pull = dict.fromkeys((*where.pull_secrets, *placing.pull_secrets))
    found: dict[str, Any] = {
        "runtimeClassName": (pod.runtime_class or SANDBOX) if pod.sandbox else "",
        "nodeSelector": dict(placing.nodes),
        "tolerations": [dict(one) for one in placing.tolerations],
        "priorityClassName": placing.priority,
        "imagePullSecrets": [{"name": name} for name in pull],
    }
    return {key: value for key, value in found.items() if value}


def _not_enforced(pod: Pod) -> Iterator[NotEnforced]:
    reach = egress.egress_class(egress.destinations(pod))
    told = f"The containers share one network, and only a NetworkPolicy for the label {LABEL_EGRESS}={reach} bounds it."
    yield NotEnforced("egress", told)
    yield NotEnforced("processes", "How many a container may start is a setting of the node.")
    sharing = [one.name for one in pod.participants if one.identity]
    if len(sharing) > 1:
        yield NotEnforced("identity", f"{', '.join(sharing)}: share one account, with the rights of all of them.")
