"""The controller as a process over some namespaces of a test cluster, and a kubelet that a test plays."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from sympozium_protocol.messages.result import RunUsage
from sympozium_protocol.messages.termination import Termination
from tests.support.cluster import Cluster

T = TypeVar("T")
WITHIN = 30.0
"""Seconds in which something is to happen; only a failure takes so long."""
RUN = "sympozium.ai/run-uid"


def until(what: str, look: Callable[[], T | None], within: float = WITHIN) -> T:
    """What ``look`` finds as soon as it finds something."""
    ends = time.monotonic() + within
    while True:
        if found := look():
            return found
        assert time.monotonic() < ends, f"not within {within} s: {what}"
        time.sleep(0.05)


class Operator:
    """One controller process."""

    def __init__(self, cluster: Cluster, namespace: str, folder: Path, **settings: str) -> None:
        self._log = folder / f"controller-{time.monotonic_ns()}.log"
        usual = {
            "KUBECONFIG": str(cluster.kubeconfig),
            "SYMPOZIUM_SYSTEM_NAMESPACE": namespace,
            "SYMPOZIUM_WATCH_NAMESPACES": namespace,
            "SYMPOZIUM_HEALTH_HOST": "127.0.0.1",
            "SYMPOZIUM_HEALTH_PORT": "0",
            "SYMPOZIUM_LEASE_SECONDS": "3",
        }
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "sympozium_controller.operator"],
                env=os.environ | usual | settings,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def told(self, event: str) -> dict[str, Any] | None:
        """The last line of its log of this event."""
        lines = (json.loads(line) for line in self.log().splitlines() if line.startswith("{"))
        return next((one for one in reversed(list(lines)) if one["event"] == event), None)

    def acts(self) -> None:
        """Until it holds the Lease and knows what there is."""
        until("the controller acts", lambda: self.told("acts") or self._ended())

    def _ended(self) -> None:
        assert self.process.poll() is None, self.log()

    def get(self, path: str) -> str:
        port = until("it listens", lambda: self.told("listens"))["port"]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            return str(answer.read().decode())

    def writes(self) -> dict[tuple[str, str], int]:
        """How often it wrote, by verb and kind."""
        found: dict[tuple[str, str], int] = {}
        for line in self.get("/metrics").splitlines():
            if line.startswith("sympozium_api_writes_total{"):
                labels, _, count = line.rpartition(" ")
                words = dict(pair.split("=") for pair in labels.partition("{")[2].rstrip("}").split(","))
                key = words["verb"].strip('"'), words["kind"].strip('"')
                found[key] = found.get(key, 0) + int(float(count))
        return found

    def died(self) -> None:
        """Until it is gone."""
        assert self.process.wait(WITHIN) == -signal.SIGKILL, self.log()

    def stop(self, number: int = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(WITHIN)


@contextmanager
def operating(cluster: Cluster, namespace: str, folder: Path, **settings: str) -> Iterator[Operator]:
    """A controller that acts."""
    found = Operator(cluster, namespace, folder, **settings)
    try:
        found.acts()
        yield found
    finally:
        found.stop()


class Place:
    """A namespace with runs in it, whose pods' kubelet the test plays."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self.cluster = cluster
        self.namespace = namespace

    def apply(self, kind: str, name: str, spec: dict[str, Any], **metadata: Any) -> None:
        self.cluster.apply(
            {
                "apiVersion": "sympozium.ai/v1alpha1",
                "kind": kind,
                "metadata": {"name": name, "namespace": self.namespace, **metadata},
                "spec": spec,
            }
        )

    def instance(self, name: str = "one", **spec: Any) -> None:
        self.apply("SympoziumInstance", name, {"provider": {"name": "scripted"}, "skills": [], **spec})

    def run(self, name: str, instance: str = "one", **spec: Any) -> None:
        self.apply("AgentRun", name, {"instanceRef": instance, "input": "look around", **spec})

    def get(self, *words: str) -> dict[str, Any]:
        return self.cluster.get(*words, "-n", self.namespace)

    def items(self, kind: str, *words: str) -> list[dict[str, Any]]:
        return list(self.get(kind, *words)["items"])

    def status(self, name: str) -> dict[str, Any]:
        return dict(self.get("ar", name).get("status", {}))

    def becomes(self, name: str, phase: str, reason: str | None = None, within: float = WITHIN) -> dict[str, Any]:
        """The run's status, once it has this phase (and reason)."""

        def look() -> dict[str, Any] | None:
            found = self.status(name)
            if found.get("phase") in ("Succeeded", "Failed", "Cancelled") and found["phase"] != phase:
                raise AssertionError(f"{name}: {found}")
            return found if found.get("phase") == phase and reason in (None, found.get("reason")) else None

        return until(f"{name} is {phase} {reason or ''}", look, within)

    def events(self, name: str) -> list[tuple[str, str, str]]:
        """What was told about a run: type, reason and message of each."""
        found = self.items("events", "--field-selector", f"involvedObject.kind=AgentRun,involvedObject.name={name}")
        return [(one["type"], one["reason"], one["message"]) for one in found]

    def is_told(self, name: str, reason: str) -> tuple[str, str, str]:
        """The one event of this reason about a run, once it is there."""

        def look() -> tuple[str, str, str] | None:
            return next((one for one in self.events(name) if one[1] == reason), None)

        found = until(f"an event says {reason} of {name}", look)
        assert [one[1] for one in self.events(name)].count(reason) == 1
        return found

    def jobs(self, name: str) -> list[dict[str, Any]]:
        uid = self.get("ar", name)["metadata"]["uid"]
        return self.items("jobs", "-l", f"{RUN}={uid}")

    def pod(self, name: str, attempt: int = 1) -> str:
        """The name of the pod of a run's attempt, once there is one."""

        def look() -> str | None:
            uid = self.get("ar", name)["metadata"]["uid"]
            found = self.items("pods", "-l", f"{RUN}={uid},sympozium.ai/attempt={attempt}")
            return str(found[0]["metadata"]["name"]) if found else None

        return until(f"{name} has a pod", look)

    def pod_status(self, pod: str, phase: str, state: dict[str, Any], **status: Any) -> None:
        """Be the kubelet: say this of the pod, with this state of the agent's container."""
        agent = {"name": "agent", "image": "a", "imageID": "", "ready": False, "restartCount": 0, "state": state}
        body = {"status": {"phase": phase, "containerStatuses": [agent], **status}}
        self.cluster.kubectl(
            "patch", "pod", pod, "-n", self.namespace, "--subresource=status", "--type=merge", "-p", json.dumps(body)
        )

    def begins(self, pod: str) -> None:
        self.pod_status(pod, "Running", {"running": {"startedAt": "2026-11-21T10:00:00Z"}})

    def ends(self, pod: str, told: Termination | str, code: int = 0, **status: Any) -> None:
        message = told if isinstance(told, str) else told.within(4096).decode()
        state = {"terminated": {"exitCode": code, "message": message, "startedAt": "2026-11-21T10:00:00Z"}}
        self.pod_status(pod, "Failed" if code else "Succeeded", state, **status)


def completed(output: str = "all is well") -> Termination:
    """What an agent tells that did what it was asked."""
    usage = RunUsage(input_tokens=12, output_tokens=3, model_calls=2, tool_calls=1, usd=0.0123)
    return Termination(
        reason="Completed",
        start_time="2026-11-21T10:00:00.000Z",
        completion_time="2026-11-21T10:00:03.000Z",
        usage=usage,
        output=output,
        output_size=len(output.encode()),
    )


class Supervised:
    """A controller that is started again whenever it ends, as a Deployment does it."""

    def __init__(self, cluster: Cluster, namespace: str, folder: Path, **settings: str) -> None:
        self._start = lambda: Operator(cluster, namespace, folder, **settings)
        self._now = self._start()
        self._over = threading.Event()
        self.lives = 1
        self._thread = threading.Thread(target=self._keep, daemon=True)
        self._thread.start()

    def _keep(self) -> None:
        while not self._over.wait(0.05):
            if self._now.process.poll() is not None and not self._over.is_set():
                self._now = self._start()
                self.lives += 1

    def __enter__(self) -> Supervised:
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self._now.stop()

    def log(self) -> str:
        return self._now.log()
