"""The pod of a further attempt: what of the run is on the bus comes back into its volumes before anything starts. Pure.

The container is made of the bridge's: the same image and walls, the same credential of the bus, which the agent never
has. Alone of all it may write every volume of /ipc, and it has ended when the first of the others starts.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any, Final

from sympozium_controller.objects.units import parse_quantity
from sympozium_controller.render.kubernetes.containers import TERMINATION_BYTES, message_size
from sympozium_controller.render.kubernetes.volumes import POINTS
from sympozium_protocol import layout

NAME: Final = "sympozium-restore"
"""Of the container, and of the program in it."""
_IPC: Final = "/ipc/"
_RUN: Final = "/ipc/run"


def restoring(pod: dict[str, Any]) -> dict[str, Any]:
    """The spec of a pod, of the first attempt or of a further one, as the next has it: with the container that
    restores, first of all. Without a bus there is nothing to restore from, and it stays as it is."""
    found = deepcopy(pod)
    others = [one for one in found["initContainers"] if one["name"] != NAME]
    bridge = next(one for one in others if one["name"] == layout.BRIDGE)
    if not any(one["name"] == "SYMPOZIUM_BUS" for one in bridge["env"]):
        return found
    restore = _container(bridge, [*others, *found["containers"]])
    found["initContainers"] = [restore, *others]
    _share_messages(found)
    return found


def _container(bridge: dict[str, Any], all_others: list[dict[str, Any]]) -> dict[str, Any]:
    """Not a sidecar: the next starts when it has ended well."""
    own = {key: deepcopy(value) for key, value in bridge.items() if key != "restartPolicy"}
    own["resources"]["limits"]["memory"] = max(map(_memory, all_others), key=parse_quantity)
    told = {"terminationMessagePolicy": "FallbackToLogsOnError"}  # its last words are why a run ends here
    return {**own, **told, "name": NAME, "args": [NAME], "volumeMounts": _mounts(bridge, all_others)}


def _memory(container: dict[str, Any]) -> str:
    """A body is in memory whole while it comes, and nobody else of the pod runs meanwhile."""
    return str(container["resources"]["limits"]["memory"])


def _mounts(bridge: dict[str, Any], all_others: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The bridge's, with the points that the kubelet makes in the volumes, as it is the first now; and below /ipc what
    any container has, writable, outer ones first."""
    volumes = {one["mountPath"]: one for container in all_others for one in container["volumeMounts"] if _is_ipc(one)}
    writable = [{"name": one["name"], "mountPath": path} for path, one in volumes.items()]
    kept = [deepcopy(one) for one in bridge["volumeMounts"] if not _is_ipc(one)]
    aside = [one for one in kept if one["mountPath"].startswith(f"{POINTS}/")]
    rest = [one for one in kept if one not in aside]
    return [*sorted([*writable, *rest], key=lambda one: str(one["mountPath"]).split("/")), *aside]


def _is_ipc(mount: dict[str, Any]) -> bool:
    path = mount["mountPath"]
    return bool(path.startswith(_IPC)) and path != _RUN


def _share_messages(pod: dict[str, Any]) -> None:
    """One more container, so less room for the agent's account of its end."""
    size = message_size(len(pod["initContainers"]) + len(pod["containers"]))
    for container in pod["containers"]:
        for one in container["env"]:
            if one["name"] == TERMINATION_BYTES:
                one["value"] = str(size)
