"""What the containers of a pod hold, by the control groups that the kubelet made for them."""

from __future__ import annotations

from pathlib import Path

from bench.cluster_api import seen
from sympozium_protocol.kube.api import KubeObject

GROUPS = Path("/sys/fs/cgroup")
COMMAND = "sleep"
"""The program that the skill runs meanwhile."""


async def working_sets(pod: KubeObject) -> dict[str, float]:
    """MiB by container, once its command runs: used, without the page cache that could be given back at once."""
    group = await seen(lambda: _group(pod["metadata"]["uid"]), "the control group of the pod")
    await seen(lambda: any(_runs(one) for one in group.iterdir() if one.is_dir()), "the command in the pod")
    names = _names(pod)
    found = {one: _working_set(one) for one in group.iterdir() if one.is_dir()}
    return {names.get(one.name, "the pod itself"): size for one, size in sorted(found.items())}


def _group(uid: str) -> Path | None:
    """Version 1 has a hierarchy for memory; version 2 has one for everything."""
    root = GROUPS / "memory" if (GROUPS / "memory").is_dir() else GROUPS
    return next(root.glob(f"**/pod{uid}"), None)


def _names(pod: KubeObject) -> dict[str, str]:
    status = pod["status"]
    statuses = (*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ()))
    return {one.get("containerID", "").rpartition("/")[2]: one["name"] for one in statuses}


def _runs(group: Path) -> bool:
    return any(_program(int(pid)) == COMMAND for pid in (group / "cgroup.procs").read_text().split())


def _program(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def _working_set(group: Path) -> float:
    """As the kubelet counts it, in MiB."""
    used, cache = ("memory.usage_in_bytes", "total_inactive_file")
    if not (group / used).exists():
        used, cache = ("memory.current", "inactive_file")
    stat = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
    return (int((group / used).read_text()) - int(stat[cache])) / (1 << 20)
