"""The Deployments of services as they are to be: applied when they differ, deleted, and how they are doing."""

from __future__ import annotations

from sympozium_controller.lifecycle import readiness, services
from sympozium_controller.lifecycle.readiness import State
from sympozium_controller.lifecycle.view import condition
from sympozium_controller.names import LABEL_SERVICE, deployment_name
from sympozium_controller.operator.cache import Cache
from sympozium_controller.operator.holdings import BY_OBJECT
from sympozium_controller.operator.kept import BY_SERVICE, Kept
from sympozium_protocol.exits import Ended, Reason
from sympozium_protocol.kube.api import KubeApi, KubeObject
from sympozium_protocol.kube.errors import AlreadyExists, Conflict, NotFound
from sympozium_protocol.kube.labels import CONTROLLER_ACCOUNT
from sympozium_protocol.kube.resources import DEPLOYMENTS, SERVICE_ACCOUNTS


class Deploying:
    """``unmounted``: what was told of pods whose volumes are not there."""

    def __init__(self, api: KubeApi, kept: Kept, unmounted: Cache) -> None:
        self._api = api
        self._kept = kept
        self._unmounted = unmounted
        self._with_account: set[str] = set()

    async def apply(self, document: KubeObject) -> None:
        """Nothing is written when the same was applied before. Raises Ended (NameTaken), KubeError."""
        metadata = document["metadata"]
        namespace, name = metadata["namespace"], metadata["name"]
        existing = self._kept.deployments.get(namespace, name)
        if existing is not None and condition(existing, "ReplicaFailure"):
            self._with_account.discard(namespace)  # it may be gone: with its namespace, which was made anew, or alone
        await self._account(namespace)
        if existing is not None:
            has = existing["metadata"].get("annotations", {})
            same = all(has.get(key) == value for key, value in metadata["annotations"].items())
            if same and existing["spec"]["replicas"] == document["spec"]["replicas"]:  # others may scale what they see
                return
        else:
            await self._free(namespace, name)
        made = await self._api.patch(
            DEPLOYMENTS, name, document, namespace, type="apply", manager=CONTROLLER_ACCOUNT, force=True
        )
        self._kept.deployments.put(made)

    async def _free(self, namespace: str, name: str) -> None:
        """What is applied to a stranger's object would be mixed with what he wrote. Raises Ended (NameTaken)."""
        try:
            there = await self._api.get(DEPLOYMENTS, name, namespace)
        except NotFound:
            return
        if not service_of(there):
            raise Ended(Reason.NameTaken, f"there is a Deployment {name} already that was not made for instances")

    async def _account(self, namespace: str) -> None:
        """The one that all services of a namespace share."""
        if namespace in self._with_account:
            return
        try:
            await self._api.create(SERVICE_ACCOUNTS, services.account(namespace), namespace)
        except AlreadyExists:
            pass
        self._with_account.add(namespace)

    async def delete(self, one: KubeObject) -> None:
        """That very object. Raises KubeError."""
        metadata = one["metadata"]
        try:
            await self._api.delete(DEPLOYMENTS, metadata["name"], metadata["namespace"], uid=metadata["uid"])
        except (NotFound, Conflict):
            pass

    def state(self, what: str, namespace: str, service: str) -> State:
        deployment = self._kept.deployments.get(namespace, deployment_name(service))
        pods = self._kept.pods.by(BY_SERVICE, f"{namespace}/{service}")
        return readiness.state_of(what, deployment, [(pod, self._told_of(pod)) for pod in pods])

    def _told_of(self, pod: KubeObject) -> str:
        told = self._unmounted.by(BY_OBJECT, pod["metadata"]["uid"])
        return str(told[-1].get("message", "")) if told else ""


def service_of(one: KubeObject) -> str:
    return str(one["metadata"].get("labels", {}).get(LABEL_SERVICE, ""))
