"""Volumes of a pod, and what of them is mounted where. Pure.

Every volume of /ipc is an emptyDir of its own, mounted whole: nobody can put a link in the place of one.

Where one volume is mounted into another (``agent/calls/ops`` into ``agent/calls``) the runtime needs a directory as
the point for it, and cannot make one in a volume that is read-only; and programs look for the directories that others
write in. The kubelet makes a directory that is mounted by subPath: the bridge, which starts before all others, is also
given every such directory, aside and read-only. Each costs the kubelet a mount, so nothing else is a subPath but what
must be: RunSpec and packs (seeds.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from sympozium_controller.pod import Mount, Pod, Program
from sympozium_controller.render.bounds import TMP_SIZE
from sympozium_controller.render.kubernetes import seeds
from sympozium_controller.render.kubernetes.limited import label
from sympozium_protocol import layout

TMP: Final = "/tmp"  # noqa: S108  a private volume of each container
WORKSPACE_SIZE: Final = 1 << 30
"""Bytes of /workspace, where the instance states none."""
POINTS: Final = "/layout"
"""Where the bridge has the points mounted: nothing reads them there."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A directory of a volume of the pod: ``path`` below it, empty: all of it. ``size``: its emptyDir's, 0: none."""

    volume: str
    path: str = ""
    size: int = 0
    claim: str = ""

    def mounted(self, at: str, *, writable: bool) -> dict[str, Any]:
        found: dict[str, Any] = {"name": self.volume, "mountPath": at}
        if self.path:
            found["subPath"] = self.path
        if not writable:
            found["readOnly"] = True
        return found

    def volume_document(self) -> dict[str, Any]:
        if self.claim:
            return {"name": self.volume, "persistentVolumeClaim": {"claimName": self.claim}}
        return {"name": self.volume, "emptyDir": {"sizeLimit": amount(self.size)}}


def amount(size: int) -> str:
    """Bytes as a quantity."""
    return str(size) if size % (1 << 20) else f"{size >> 20}Mi"


def mounts(program: Program, pod: Pod) -> list[dict[str, Any]]:
    """The mounts of a container, outer ones first."""
    found = [_placed(mount, program, pod).mounted(mount.path, writable=mount.writable) for mount in program.mounts]
    points = _points(pod) if program is pod.bridge else ()
    aside = (one.mounted(f"{POINTS}/{number}", writable=False) for number, one in enumerate(points))
    return [*sorted(found, key=lambda one: one["mountPath"].split("/")), *aside]


def volumes(pod: Pod) -> list[dict[str, Any]]:
    """Every volume that ``mounts`` names but that of the seeds, each once."""
    programs = (pod.agent, pod.bridge, *pod.participants)
    placed = (_placed(mount, program, pod) for program in programs for mount in program.mounts)
    by_name = {one.volume: one for one in placed if one.volume != seeds.VOLUME}
    return [by_name[name].volume_document() for name in sorted(by_name)]


def workspace_size(pod: Pod) -> int:
    return pod.agent.resources.disk or WORKSPACE_SIZE


def tmp_size(program: Program, pod: Pod) -> int:
    """What a skill states for the disk is for its /tmp; what the agent states is for the workspace."""
    return TMP_SIZE if program is pod.agent else program.resources.disk or TMP_SIZE


def _placed(mount: Mount, program: Program, pod: Pod) -> Placed:
    _, first, *rest = mount.path.split("/")
    if mount.path == TMP:
        return Placed(label(f"tmp-{program.name}"), size=tmp_size(program, pod))
    if mount.path == "/ipc/run":
        return Placed(seeds.VOLUME, "run")
    if first == "packs":
        return Placed(seeds.VOLUME, "/".join(("packs", *rest)))
    if first == "ipc":
        return Placed(label(mount.volume), size=pod.disk)
    if first == "workspace":
        return Placed("workspace", size=workspace_size(pod))
    return Placed(label(mount.volume), claim=mount.volume)


def _points(pod: Pod) -> tuple[Placed, ...]:
    """Every directory of the run that is no volume of its own, and every point that a volume is mounted at."""
    found = (_inside(place, pod) for place in _places(pod))
    return tuple(sorted({one for one in found if one is not None}, key=lambda one: (one.volume, one.path)))


def _places(pod: Pod) -> Iterator[layout.Place]:
    """The bridge sees all participants, those elsewhere too."""
    mounted = [tuple(mount.path.split("/")[2:]) for mount in pod.bridge.mounts if mount.path.startswith("/ipc/")]
    names = tuple(sorted({place[0] for place in mounted} - layout.RESERVED))
    yield from layout.places(names)
    yield from (place for place in mounted if place)


def _inside(place: layout.Place, pod: Pod) -> Placed | None:
    """Where it is in the volume around it; None where there is none, or the bridge's own runtime makes it."""
    path = "/".join(("/ipc", *place))  # as text: a pod has hundreds of pairs of paths
    around = [one for one in pod.bridge.mounts if path.startswith(f"{one.path}/")]
    outer = max(around, key=lambda one: len(one.path), default=None)
    if outer is None or (outer.writable and any(one.path == path for one in pod.bridge.mounts)):
        return None
    placed = _placed(outer, pod.bridge, pod)
    return Placed(placed.volume, path.removeprefix(f"{outer.path}/"), placed.size)
