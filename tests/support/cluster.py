"""A Kubernetes for tests, as a test uses it: kubectl, namespaces of its own, the programs behind it."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SCRIPTS = Path(__file__).parents[1] / "cluster" / "kubernetes"
Documents = str | Mapping[str, Any] | Iterable[Mapping[str, Any]]
"""YAML or JSON text, an object, or objects."""
WITHIN = 120.0
"""Seconds; only a kubectl that hangs takes so long."""


class Refused(Exception):
    """kubectl ended with an error: what it said."""


class CannotStart(Exception):
    """The cluster did not start; with the end of what its script said."""


@dataclass(frozen=True)
class Cluster:
    """A cluster that answers. Other tests may use it at the same time: stay in namespaces of your own.

    ``state`` is the folder of the scripts' state, and None for a cluster that is not ours (TEST_KUBECONFIG).
    """

    kubeconfig: Path
    client: str
    """Path of a kubectl."""
    state: Path | None = None

    @property
    def own(self) -> bool:
        """Did the tests start it? False for the cluster of TEST_KUBECONFIG, of which nobody may kill anything."""
        return self.state is not None

    def kubectl(self, *words: str, stdin: str | None = None, check: bool = True) -> str:
        """What kubectl prints on standard output, with standard error after it unless ``check``: then Refused."""
        cache = {"KUBECACHEDIR": str(self.state / "cache")} if self.state else {}  # by address: another cluster's later
        done = subprocess.run(
            [self.client, "--kubeconfig", str(self.kubeconfig), *words],
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            timeout=WITHIN,
            check=False,
            env=os.environ | cache,
        )
        if check and done.returncode:
            raise Refused(done.stderr.strip())
        return done.stdout if check else done.stdout + done.stderr

    def get(self, *words: str) -> dict[str, Any]:
        """An object, or a list of them, as ``kubectl get`` finds it."""
        return dict(json.loads(self.kubectl("get", *words, "-o", "json")))

    def apply(self, documents: Documents, *words: str) -> str:
        """``kubectl apply`` of these documents."""
        return self.kubectl("apply", "-f", "-", *words, stdin=text(documents))

    def create(self, documents: Documents, *words: str) -> str:
        """``kubectl create`` of these documents: what must be new, and what has only a generateName."""
        return self.kubectl("create", "-f", "-", *words, stdin=text(documents))

    def wait(self, what: str, *words: str, seconds: int = 60) -> None:
        """Until ``kubectl wait --for=WHAT`` is content."""
        self.kubectl("wait", f"--for={what}", f"--timeout={seconds}s", *words)

    @contextmanager
    def namespace(self, **labels: str) -> Iterator[str]:
        """A new one whose default service account is there, so that pods can be made in it; then deleted, unawaited."""
        name = f"test-{secrets.token_hex(5)}"
        self.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
        try:
            self.wait("create", "serviceaccount/default", "-n", name)
            yield name
        finally:
            self.kubectl("delete", "namespace", name, "--wait=false", "--ignore-not-found", check=False)

    def start(self, node: bool = False, **flags: str) -> None:
        """Start what does not run: ``flags`` are up.sh's settings, such as APISERVER_FLAGS. CannotStart."""
        environment = os.environ | {f"SYMPOZIUM_CLUSTER_{name}": value for name, value in flags.items()}
        words = [str(SCRIPTS / "up.sh"), *(["--node"] if node else []), str(self._state())]
        done = subprocess.run(words, capture_output=True, text=True, check=False, env=environment)
        if done.returncode:
            raise CannotStart(done.stderr[-3000:])

    def stop(self) -> None:
        """End everything of it and remove its folder."""
        subprocess.run([str(SCRIPTS / "down.sh"), str(self._state())], check=True)

    def pid(self, program: str) -> int:
        """Of etcd, kube-apiserver, kube-controller-manager, kube-scheduler; of node (its first process), kubelet,
        containerd, kube-proxy, netpol."""
        return int((self._state() / "run" / f"{program}.pid").read_text().split()[0])

    def kill(self, program: str) -> None:
        """End this one at once; ``start`` brings it back. Only of a cluster that no other test uses."""
        os.kill(self.pid(program), signal.SIGKILL)

    def log(self, program: str) -> str:
        """What it has logged."""
        return (self._state() / "log" / f"{program}.log").read_text(errors="replace")

    def _state(self) -> Path:
        assert self.state, "this cluster is not ours"
        return self.state


def text(documents: Documents) -> str:
    """Documents as kubectl reads them from its standard input."""
    if isinstance(documents, str):
        return documents
    if isinstance(documents, Mapping):
        return json.dumps(documents)
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": list(documents)})
