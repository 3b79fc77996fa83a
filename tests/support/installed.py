"""A cluster in which Sympozium is installed as people install it, and the command as they use it there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from tests.support.cluster_node import NodeCluster
from tests.support.cluster_start import given, start_cluster

T = TypeVar("T")
SYMPOZIUM = Path(sys.executable).with_name("sympozium")
SYSTEM = "sympozium-system"
IMAGES = (
    "agent", "bus-auth", "controller", "ipc-bridge", "memory", "model", "nats", "skill-shell", "skill-k8s-ops",
)  # fmt: skip
WITHIN = 180.0
"""Seconds; only what hangs takes so long."""
FINAL = ("Succeeded", "Failed", "Cancelled")
GROUP = "sympozium.ai/v1alpha1"


@dataclass(frozen=True)
class Installed:
    """``cluster`` with everything of an installation in it."""

    cluster: NodeCluster

    def command(self, *words: str, within: float = WITHIN, **env: str) -> subprocess.CompletedProcess[str]:
        """``sympozium`` to its end, as the cluster's administrator."""
        return subprocess.run(
            [str(SYMPOZIUM), *words],
            env=self.environment(**env),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=within,
            check=False,
        )

    def environment(self, **more: str) -> dict[str, str]:
        return {**os.environ, "KUBECONFIG": str(self.cluster.kubeconfig), **more}

    def token(self, namespace: str, account: str, role: str = "admin") -> str:
        """A bearer token of a new ServiceAccount that has ``role`` in its namespace: a person to the cluster."""
        kubectl = self.cluster.kubectl
        kubectl("create", "serviceaccount", account, "-n", namespace)
        kubectl("create", "rolebinding", account, f"--clusterrole={role}", f"--serviceaccount={namespace}:{account}",
                "-n", namespace)  # fmt: skip
        return kubectl("create", "token", account, "-n", namespace).strip()

    def instance(self, namespace: str, name: str, **spec: Any) -> None:
        self.cluster.apply(
            {
                "apiVersion": GROUP,
                "kind": "SympoziumInstance",
                "metadata": {"name": name, "namespace": namespace},
                "spec": spec,
            }
        )

    def start(self, namespace: str, instance: str, name: str, text: str = "do it", **spec: Any) -> Run:
        """A new AgentRun."""
        metadata = {"name": name, "namespace": namespace}
        body = {"instanceRef": instance, "input": text, **spec}
        self.cluster.create({"apiVersion": GROUP, "kind": "AgentRun", "metadata": metadata, "spec": body})
        return Run(self, namespace, name)


@dataclass(frozen=True)
class Run:
    """An AgentRun as its status tells it."""

    installed: Installed
    namespace: str
    name: str

    @property
    def status(self) -> dict[str, Any]:
        return dict(self.installed.cluster.get("agentrun", self.name, "-n", self.namespace).get("status", {}))

    def until(self, condition: Callable[[Mapping[str, Any]], T], what: str) -> T:
        """What ``condition`` finds in the status, as soon as it is true."""
        return until(lambda: condition(self.status), f"{what}: {self.name}", lambda: json.dumps(self.status, indent=1))

    def ended(self) -> dict[str, Any]:
        """The status once the run is over."""
        self.until(lambda status: status.get("phase") in FINAL, "the run ends")
        return self.status

    def pod(self) -> str:
        """The name of its pod, once the agent runs."""
        return self.until(lambda status: str(status["podName"]) if status.get("phase") == "Running" else "", "runs")


def until(condition: Callable[[], T], what: str, told: Callable[[], str] = str) -> T:
    """What ``condition`` is, as soon as it is true."""
    ends = time.monotonic() + WITHIN
    while not (found := condition()):
        assert time.monotonic() < ends, f"never: {what}\n{told()}"
        time.sleep(0.1)
    return found


def scripted(*steps: Mapping[str, Any]) -> dict[str, Any]:
    """A provider that follows a script."""
    return {"name": "scripted", "options": {"script": {"steps": list(steps)}}}


@contextmanager
def installation() -> Iterator[Installed]:
    """On a cluster of its own (admission and fences are everybody's), or on that of TEST_KUBECONFIG."""
    if cluster := given():
        yield from _installed(cluster)
        return
    with start_cluster(node=True) as cluster:
        yield from _installed(cluster)


def _installed(cluster: NodeCluster) -> Iterator[Installed]:
    cluster.load(*IMAGES)
    found = Installed(cluster)
    policy = "Never" if cluster.own else "IfNotPresent"
    done = found.command("install", "--image-pull-policy", policy, "--bus-storage", "none", within=600)
    assert done.returncode == 0, done.stderr
    try:
        yield found
    finally:
        if not cluster.own:
            found.command("uninstall", "--yes", within=600)
