"""A run whose Job a test made on a cluster's node: its pod from inside and from outside."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sympozium_controller.pod import Pod
from sympozium_controller.render.kubernetes import Images, InCluster, render
from sympozium_protocol.messages.termination import Termination
from tests.support.cluster_node import NodeCluster
from tests.support.engine import TAG

PATIENCE = 90.0
"""Seconds after which a wait fails."""


@dataclass(frozen=True)
class RunOnNode:
    """``job`` is its name."""

    cluster: NodeCluster
    namespace: str
    job: str

    @property
    def pod(self) -> dict[str, Any]:
        """The pod as it is now; empty before there is one."""
        items = self.cluster.get("pods", "-n", self.namespace, "-l", f"job-name={self.job}")["items"]
        return dict(items[0]) if items else {}

    @property
    def states(self) -> dict[str, dict[str, Any]]:
        """The status of each container, by its name."""
        status = self.pod.get("status", {})
        return {
            one["name"]: one for one in (*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ()))
        }

    def until_running(self) -> None:
        self._until(lambda: "running" in self.states.get("agent", {}).get("state", {}), "the agent runs")

    def ended(self) -> tuple[int, Termination]:
        """The agent's exit code and what it told, once it has ended."""
        self._until(lambda: "terminated" in self.states.get("agent", {}).get("state", {}), "the agent ends")
        state = self.states["agent"]["state"]["terminated"]
        return int(state["exitCode"]), Termination.decode(state.get("message", "").encode())

    def until(self, container: str, code: str) -> None:
        """Until this Python, run in the container, finds something true."""
        self._until(lambda: bool(self.python(container, code)), code)

    def _until(self, condition: Any, what: str) -> None:
        ends = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < ends, f"never: {what}\n{json.dumps(self.pod.get('status'), indent=1)}"
            time.sleep(0.1)

    def answer(self) -> str:
        """What the agent's container printed on standard output, as ``kubectl logs`` shows it without the events."""
        lines = self.logs("agent").splitlines(keepends=True)
        return "".join(line for line in lines if not line.startswith('{"time"'))

    def logs(self, container: str) -> str:
        return self.cluster.kubectl("logs", f"job/{self.job}", "-n", self.namespace, "-c", container)

    def python(self, container: str, code: str, *words: str) -> Any:
        """What ``found`` is after this code ran in the container, as its user: whoever has taken it over."""
        told = f"import json, os, sys\nfound = None\n{code}\nprint(json.dumps(found))"
        command = ["exec", "-n", self.namespace, self.pod["metadata"]["name"], "-c", container, "--", "python3", "-c"]
        return json.loads(self.cluster.kubectl(*command, told, *words))


def start(cluster: NodeCluster, namespace: str, pod: Pod, **more: Any) -> RunOnNode:
    """Create the run's documents; ``more``: fields of InCluster."""
    where: Mapping[str, Any] = {"account": "default", "pull_policy": "Never", **more}
    if not cluster.own:
        where = {**where, "pull_policy": "IfNotPresent"}
    found = render(pod, InCluster(namespace, pod.name, **where), Images("sympozium", TAG))
    cluster.create(found.documents)
    return RunOnNode(cluster, namespace, pod.name)
