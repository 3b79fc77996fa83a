"""Where the bus keeps what it has: what is there, what is asked for, and what cannot be or would be lost."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Final

from sympozium_cli.cluster.applying import found
from sympozium_cli.cluster.waiting import LOOK_EVERY, WAY_OUT
from sympozium_controller.install.bus import SERVICE
from sympozium_controller.install.pods import MANAGER
from sympozium_controller.install.settings import NO_STORAGE, USUAL, Settings, size_text
from sympozium_controller.objects.units import parse_quantity
from sympozium_protocol.exits import Ended, Reason
from sympozium_protocol.kube.api import KubeObject
from sympozium_protocol.kube.client import Client, whole
from sympozium_protocol.kube.errors import Forbidden, NotFound
from sympozium_protocol.kube.labels import LABEL_MANAGED_BY
from sympozium_protocol.kube.resources import PODS, STATEFUL_SETS, VOLUME_CLAIMS, Resource

CLASSES: Final = Resource("storage.k8s.io", "v1", "storageclasses", "StorageClass", namespaced=False)
VOLUMES: Final = Resource("", "v1", "persistentvolumes", "PersistentVolume", namespaced=False)
DEFAULT: Final = "storageclass.kubernetes.io/is-default-class"


@dataclass(frozen=True, slots=True)
class Stored:
    """What an installation has. ``size``: bytes of its volume; None: it has none (``--bus-storage none``)."""

    size: int | None
    storage_class: str = ""
    """Of its claim; empty: none is named."""
    held: bool = False
    """May anything be in it? No claim that was never bound has anything, and no pod that never ran."""
    claim: str = ""
    """The uid of a claim that is there, whether the bus uses it or not; empty: there is none."""
    pending: bool = False
    """Was that claim never bound?"""

    @property
    def told(self) -> str:
        """As the option says it."""
        return NO_STORAGE if self.size is None else size_text(self.size)


async def stored(api: Client, namespace: str) -> Stored | None:
    """None where there is neither a bus nor a claim that a former one left. Raises KubeError."""
    server, claim = [await _ours(api, kind, namespace) for kind in (STATEFUL_SETS, VOLUME_CLAIMS)]
    if server is None and claim is None:
        return None
    labels = server["spec"]["selector"]["matchLabels"] if server else {}
    selected = ",".join(f"{name}={value}" for name, value in labels.items())
    pods = (await api.list(PODS, namespace, labels=selected)).items if selected else []
    return read(server, claim, pods)


async def _ours(api: Client, resource: Resource, namespace: str) -> KubeObject | None:
    one = await found(api, resource, SERVICE, namespace)
    labels = one["metadata"].get("labels") or {} if one else {}
    return one if labels.get(LABEL_MANAGED_BY) == MANAGER else None


def read(server: KubeObject | None, claim: KubeObject | None, pods: Iterable[KubeObject]) -> Stored:
    """What the bus's StatefulSet, its claim and its pods say together. Pure."""
    own = {"claim": claim["metadata"]["uid"], "pending": _phase(claim) == "Pending"} if claim else {}
    if server and not any("persistentVolumeClaim" in one for one in server["spec"]["template"]["spec"]["volumes"]):
        return Stored(None, held=any(_phase(pod) in ("Running", "Unknown") for pod in pods), **own)
    spec: dict[str, Any] = claim["spec"] if claim else {"resources": {"requests": {"storage": "0"}}}
    size = int(parse_quantity(spec["resources"]["requests"]["storage"]))
    return Stored(size or USUAL, spec.get("storageClassName") or "", _phase(claim) == "Bound", **own)


def _phase(one: KubeObject | None) -> str:
    return str(((one or {}).get("status") or {}).get("phase") or "")


def fitting(settings: Settings, there: Stored | None, *, said: bool) -> Settings:
    """What is not ``said`` stays as it is there. Pure."""
    size = settings.bus_storage if said or there is None else there.size
    kept = there.storage_class if there and size is not None else ""
    return replace(settings, bus_storage=size, bus_storage_class=settings.bus_storage_class or kept)


def check(settings: Settings, there: Stored | None) -> None:
    """What no volume can become. Pure. Raises Ended (Usage)."""
    wanted, size = settings.bus_storage_class, settings.bus_storage
    if size is None and wanted:
        raise _refused("--bus-storage-class", f"the bus has no volume; give it one with --bus-storage {size_text()}")
    if there is None or size is None or there.size is None or not there.held:
        return
    if wanted != there.storage_class:
        why = f"the bus has a volume of the class {there.storage_class or '(none)'}, which stays what it is"
        raise _refused("--bus-storage-class", f"{wanted}: {why}; leave the option out")
    if size < there.size:
        raise _refused("--bus-storage", f"the bus has a volume of {there.told}, which cannot become smaller")


def lost(settings: Settings, there: Stored | None) -> str:
    """What it would cost to have the bus keep what it has elsewhere, for a person; empty: nothing. Pure."""
    if there is None or not there.held or (there.size is None) == (settings.bus_storage is None):
        return ""
    if there.size is None:
        return "the bus has no volume (--bus-storage none), and what it has goes with its pod: the records of all runs"
    return f"the bus has a volume of {there.told}, and without it does not have what is in it: the records of all runs"


def left_over(settings: Settings, there: Stored | None) -> bool:
    """Is there a claim that nothing was ever kept in, and that the bus has no use for as it is? Pure."""
    if there is None or not there.pending:
        return False
    return settings.bus_storage is None or there.storage_class != settings.bus_storage_class


async def give_back(api: Client, there: Stored, namespace: str, seconds: float) -> None:
    """A claim that was never bound goes; until it is gone. Raises Ended (EngineLost), KubeError."""
    try:
        await api.delete(VOLUME_CLAIMS, SERVICE, namespace, uid=there.claim)
        async with asyncio.timeout(seconds):
            while await found(api, VOLUME_CLAIMS, SERVICE, namespace):
                await asyncio.sleep(LOOK_EVERY)
    except NotFound:
        return
    except TimeoutError:
        why = f"is still there, {seconds:.0f} s after it was deleted (--timeout)"
        raise Ended(Reason.EngineLost, f"PersistentVolumeClaim {namespace}/{SERVICE}: {why}") from None


async def check_class(api: Client, settings: Settings, there: Stored | None) -> None:
    """Somebody can make the volume that is wanted, or has made it. Raises Ended (Usage), KubeError."""
    if settings.bus_storage is None or (there and there.held):
        return
    try:
        classes = [one async for one in whole(api, CLASSES)]
        if why := without_class(settings.bus_storage_class, classes):
            made = [one async for one in whole(api, VOLUMES)]
            if not any(_free(one, settings.bus_storage_class) for one in made):
                raise why
    except Forbidden:  # what cannot be looked at is tried
        return


def _free(volume: KubeObject, wanted: str) -> bool:
    return (volume["spec"].get("storageClassName") or "") == wanted and _phase(volume) == "Available"


def without_class(wanted: str, classes: Iterable[KubeObject]) -> Ended | None:
    """Why no volume of this class will be made; empty ``wanted``: of the cluster's default. Pure."""
    names = {one["metadata"]["name"]: one["metadata"].get("annotations") or {} for one in classes}
    there = f"it has {', '.join(sorted(names))}" if names else "it has none at all"
    if wanted:
        absent = f"{wanted}: the cluster has no StorageClass of this name; {there}; {WAY_OUT}"
        return None if wanted in names else _refused("--bus-storage-class", absent)
    if any(notes.get(DEFAULT) == "true" for notes in names.values()):
        return None
    why = f"the cluster has no default StorageClass to make the bus's volume ({there})"
    return _refused("--bus-storage-class", f"{why}; {WAY_OUT}")


def _refused(option: str, why: str) -> Ended:
    return Ended(Reason.Usage, f"command line: {option}: {why}")
