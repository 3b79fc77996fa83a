"""The containers of a pod: the agent, and everything beside it as a native sidecar. Pure.

What holds for each: user 1000, a read-only root, no capabilities, no way to more privileges, the runtime's seccomp
filter, bounds. What Pod Security calls restricted admits them.
"""

from __future__ import annotations

from typing import Any, Final

from sympozium_controller.pod import Pod, Program, Resources
from sympozium_controller.render.bounds import BOUNDS, OTHERS
from sympozium_controller.render.images import Images
from sympozium_controller.render.kubernetes import credentials
from sympozium_controller.render.kubernetes.limited import label
from sympozium_controller.render.kubernetes.volumes import TMP, amount, mounts, tmp_size, workspace_size
from sympozium_controller.render.kubernetes.where import InCluster

LARGEST_MESSAGE: Final = 4096
ALL_MESSAGES: Final = 12288
"""Bytes of one container's termination message, and of all of a pod, which share them evenly."""
TERMINATION_LOG: Final = "/dev/termination-log"
TERMINATION_BYTES: Final = "SYMPOZIUM_TERMINATION_BYTES"
LOG_SIZE: Final = 64 << 20
"""Bytes of a container's log, which count as its storage."""

RESERVED: Final = Resources(reserved_cpu=0.02, reserved_memory=48 << 20, reserved_disk=16 << 20)
"""What is set aside for a container where the documents state nothing: what one of ours takes while it waits."""
RESERVED_AGENT: Final = Resources(reserved_cpu=0.05, reserved_memory=64 << 20, reserved_disk=16 << 20)


def agent(pod: Pod, where: InCluster, images: Images) -> dict[str, Any]:
    """The one container whose end is the pod's."""
    told = {
        "SYMPOZIUM_ANSWER": "stdout",
        "SYMPOZIUM_TERMINATION_MESSAGE": TERMINATION_LOG,
        TERMINATION_BYTES: str(message_size(2 + len(pod.participants))),
    }
    return {
        **_container(pod.agent, pod, where, images, told),
        "terminationMessagePath": TERMINATION_LOG,
        "terminationMessagePolicy": "File",
    }


def sidecars(pod: Pod, where: InCluster, images: Images) -> list[dict[str, Any]]:
    """The bridge first: it starts before the others, and stops after them. No probe holds up the next one: who is
    ready says so in its files."""
    told = credentials.of_bridge(where)
    programs = ((pod.bridge, told), *((one, {}) for one in pod.participants))
    return [{**_container(one, pod, where, images, told), "restartPolicy": "Always"} for one, told in programs]


def message_size(containers: int) -> int:
    """Bytes that the kubelet keeps of a container's termination message, in a pod of so many containers."""
    return min(LARGEST_MESSAGE, ALL_MESSAGES // containers)


def _container(program: Program, pod: Pod, where: InCluster, images: Images, told: dict[str, str]) -> dict[str, Any]:
    at_work = any(mount.path == "/workspace" for mount in program.mounts)
    env = {**dict(program.env), "HOME": TMP, "TMPDIR": TMP, **credentials.of_program(program), **told}
    found: dict[str, Any] = {
        "name": label(program.name),
        "image": images.reference(program.image),
        "args": list(program.command),  # the images' entry point reaps and forwards signals
        "workingDir": "/workspace" if at_work else TMP,
        "env": [{"name": name, "value": _literal(value)} for name, value in env.items()],
        "volumeMounts": [*mounts(program, pod), *credentials.mounts(program, pod, where)],
        "resources": _resources(program, pod),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
    }
    if where.pull_policy:
        found["imagePullPolicy"] = where.pull_policy
    return found


def _literal(value: str) -> str:
    """The kubelet puts variables in where it finds $(NAME); $$ is a dollar."""
    return value.replace("$", "$$")


def _resources(program: Program, pod: Pod) -> dict[str, dict[str, str]]:
    own, bound = program.resources, BOUNDS.get(program.name, OTHERS)
    least = RESERVED_AGENT if program is pod.agent else RESERVED
    cpu = own.cpu or max(bound.cpu, own.reserved_cpu)
    memory = own.memory or max(bound.memory, own.reserved_memory)
    disk = max(_disk(program, pod), own.reserved_disk)
    return {
        "requests": _amounts(
            min(cpu, own.reserved_cpu or least.reserved_cpu),
            min(memory, own.reserved_memory or least.reserved_memory),
            own.reserved_disk or least.reserved_disk,
        ),
        "limits": _amounts(cpu, memory, disk),
    }


def _amounts(cpu: float, memory: int, disk: int) -> dict[str, str]:
    return {"cpu": f"{round(cpu * 1000)}m", "memory": amount(memory), "ephemeral-storage": amount(disk)}


def _disk(program: Program, pod: Pod) -> int:
    """The kubelet holds what all volumes of a pod take against the sum of its containers' limits: each brings along
    what it may write, which below /ipc is ``disk`` in all its volumes together."""
    own = LOG_SIZE + tmp_size(program, pod) + pod.disk
    return own + workspace_size(pod) if program is pod.agent else own
