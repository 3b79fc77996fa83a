"""The floor of a run on a node: a bare pod with the containers, images and volumes of its Job, each of which writes one
file and does nothing more.
"""

from __future__ import annotations

import time
from pathlib import Path

from bench.cluster_api import seen
from sympozium_protocol.kube.api import KubeObject
from sympozium_protocol.kube.client import Client
from sympozium_protocol.kube.errors import NotFound
from sympozium_protocol.kube.resources import PODS

WRITE = "open('/tmp/written', 'w'); import time; time.sleep(600)"
OURS = ("command", "args", "startupProbe", "livenessProbe", "readinessProbe", "lifecycle")


class Floor:
    """``kubelet``: its folder, which has the files of pods. ``native``: sidecars as the Job has them, or as ordinary
    containers beside the agent.
    """

    def __init__(self, api: Client, namespace: str, kubelet: Path, job: KubeObject, *, native: bool = True) -> None:
        self._api = api
        self._namespace = namespace
        self._kubelet = kubelet
        template = job["spec"]["template"]
        self._annotations = template["metadata"]["annotations"]
        spec = template["spec"] | {"serviceAccountName": "default"}  # a run's own goes with the run
        self._spec = spec if native else _ordinary(spec)

    async def take(self, name: str) -> float:
        """Seconds from the pod's create having returned until every container had written. The pod is gone then."""
        made = await self._api.create(PODS, self._document(name), self._namespace)
        created = time.time()
        place = self._kubelet / "pods" / made["metadata"]["uid"] / "volumes" / "kubernetes.io~empty-dir"
        files = [place / self._volume(one) / "written" for one in self._containers()]
        await seen(lambda: all(file.exists() for file in files), f"the files of {name}")
        written: float = max(file.stat().st_mtime for file in files)
        await self._gone(name)
        return written - created

    def _containers(self) -> list[KubeObject]:
        return [*self._spec.get("initContainers", ()), *self._spec["containers"]]

    def _volume(self, container: KubeObject) -> str:
        return next(str(mount["name"]) for mount in container["volumeMounts"] if mount["mountPath"] == "/tmp")

    def _document(self, name: str) -> KubeObject:
        """Without our labels: it is no run's pod."""
        spec = self._spec
        metadata = {"name": name, "namespace": self._namespace, "annotations": self._annotations}
        parts = {
            part: [_writer(one) for one in spec[part]] for part in ("initContainers", "containers") if part in spec
        }
        return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec | parts}

    async def _gone(self, name: str) -> None:
        await self._api.delete(PODS, name, self._namespace, grace=1)
        while True:
            try:
                await self._api.get(PODS, name, self._namespace)
            except NotFound:
                return


def _ordinary(spec: KubeObject) -> KubeObject:
    """All containers in one list: the kubelet starts them in its order too, but none is there before the others."""
    sidecars = [{key: value for key, value in one.items() if key != "restartPolicy"} for one in spec["initContainers"]]
    kept = {key: value for key, value in spec.items() if key != "initContainers"}
    return kept | {"containers": [*sidecars, *spec["containers"]]}


def _writer(container: KubeObject) -> KubeObject:
    kept = {key: value for key, value in container.items() if key not in OURS}
    return kept | {"command": ["python3", "-c", WRITE]}
