"""The admission of an installation as a real process beside a real API server, which asks it on loopback.

Its configurations hold for namespaces with one label alone, so that other tests of the same cluster see nothing of it.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sympozium_controller.admission.configuration import Where, documents
from sympozium_controller.install.roles import controller
from tests.support.cluster import Cluster, Refused, text
from tests.support.cluster_accounts import kubeconfig_of
from tests.support.ports import lasting_port

LABEL = "admission"
ACCOUNT = "controller"
WITHIN = 120.0
HEAD = {"apiVersion": "sympozium.ai/v1alpha1"}


def until(done: Callable[[], bool], what: str) -> None:
    """Poll; fail when it does not come."""
    ends = time.monotonic() + WITHIN
    while not done():
        assert time.monotonic() < ends, f"did not come: {what}"
        time.sleep(0.05)


def thing(kind: str, name: str, spec: Mapping[str, Any], **metadata: Any) -> dict[str, Any]:
    """An object of ours."""
    return {**HEAD, "kind": kind, "metadata": {"name": name, **metadata}, "spec": dict(spec)}


def refusal(act: Callable[[], object]) -> str:
    """What kubectl says of what must be refused."""
    try:
        act()
    except Refused as refused:
        return str(refused)
    raise AssertionError("it was let in")


@dataclass
class Admission:
    """One installation's: its system namespace, its name, its processes."""

    cluster: Cluster
    token: str
    system: str
    port: int
    kubeconfig: Path
    policies: bool = True
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def name(self) -> str:
        return f"sympozium-{self.token}"

    @property
    def selector(self) -> dict[str, Any]:
        return {"matchLabels": {LABEL: self.token}}

    def documents(self) -> tuple[dict[str, Any], ...]:
        where = Where(url=f"https://127.0.0.1:{self.port}")
        return documents(
            where, system=self.system, selector=self.selector, name=self.name, policies=self.policies, account=ACCOUNT
        )

    @contextmanager
    def namespace(self) -> Iterator[str]:
        """A new one that it holds for."""
        with self.cluster.namespace(**{LABEL: self.token}) as name:
            yield name

    def start(self, log: Path) -> subprocess.Popen[bytes]:
        """One more replica: all listen on the same port, and the kernel deals connections out."""
        environment = os.environ | {
            "KUBECONFIG": str(self.kubeconfig),
            "SYMPOZIUM_SYSTEM_NAMESPACE": self.system,
            "SYMPOZIUM_ADMISSION_HOST": "127.0.0.1",
            "SYMPOZIUM_ADMISSION_PORT": str(self.port),
            "SYMPOZIUM_ADMISSION_NAMES": "127.0.0.1",
            "SYMPOZIUM_ADMISSION_NAME": self.name,
        }
        with log.open("ab") as file:
            command = [sys.executable, "-m", "sympozium_controller.admission"]
            started = subprocess.Popen(command, env=environment, stderr=file)
        self.processes.append(started)
        until(lambda: b'"listening"' in log.read_bytes() or started.poll() is not None, "a server that listens")
        assert started.poll() is None, log.read_text()
        return started

    def stop(self) -> None:
        """End all replicas."""
        for one in self.processes:
            one.send_signal(signal.SIGTERM)
        for one in self.processes:
            one.wait()
        self.processes.clear()

    def install(self) -> None:
        """Make the API server ask, and wait until it does: it hears of configurations a moment later."""
        self.cluster.apply(self.documents(), "--server-side")
        until(self._asked, "an API server that asks")

    def _asked(self) -> bool:
        bad = thing("SympoziumPolicy", "bad", {"template": "Default", "requireApproval": ["read_file"]})
        run = thing("AgentRun", "asks", {"instanceRef": "nothing", "input": "x"})
        tried = ("create", "--dry-run=server", "-n", self.system, "-f", "-")
        try:
            self.cluster.kubectl(*tried, stdin=text(bad))
        except Refused as refused:
            if "nobody can be asked" in str(refused):
                return "created" in self.cluster.kubectl(*tried, stdin=text(run), check=False)
        return False

    def uninstall(self) -> None:
        names = [f"{one['kind']}/{one['metadata']['name']}" for one in reversed(self.documents())]
        self.cluster.kubectl("delete", *names, "--ignore-not-found", check=False)

    def user(self, namespace: str, *rules: Mapping[str, Sequence[str]], name: str = "alice") -> str:
        """A user who may write objects of ours in this namespace, and whatever these rules say."""
        ours = {"apiGroups": ["sympozium.ai"], "resources": ["*"], "verbs": ["*"]}
        self.grant(namespace, name, ours, *rules)
        return name

    def grant(self, namespace: str, user: str, *rules: Mapping[str, Sequence[str]]) -> None:
        role = f"{user}-{secrets.token_hex(3)}"
        head = {"metadata": {"name": role, "namespace": namespace}, "apiVersion": "rbac.authorization.k8s.io/v1"}
        reference = {"kind": "Role", "name": role, "apiGroup": "rbac.authorization.k8s.io"}
        subject = {"kind": "User", "name": user, "apiGroup": "rbac.authorization.k8s.io"}
        self.cluster.apply(
            [
                {**head, "kind": "Role", "rules": list(rules)},
                {**head, "kind": "RoleBinding", "roleRef": reference, "subjects": [subject]},
            ]
        )

    def write(self, namespace: str, *objects: Mapping[str, Any], user: str = "", how: str = "create") -> str:
        """kubectl create (or apply) of these, as this user."""
        words = ("--as", user) if user else ()
        document = text(objects[0] if len(objects) == 1 else list(objects))
        return self.cluster.kubectl(how, "-n", namespace, *words, "-f", "-", stdin=document)


@contextmanager
def installed(cluster: Cluster, folder: Path, *, policies: bool = True, replicas: int = 1) -> Iterator[Admission]:
    """A whole one, with the rights that the controller has in a cluster."""
    token = secrets.token_hex(4)
    with ExitStack() as stack:
        system = stack.enter_context(cluster.namespace(**{LABEL: token}))
        kubeconfig = _account(cluster, system, token, folder)
        found = Admission(cluster, token, system, lasting_port(), kubeconfig, policies)
        stack.callback(cluster.kubectl, "delete", "clusterrole,clusterrolebinding", f"sympozium-{token}", check=False)
        stack.callback(found.stop)
        stack.callback(found.uninstall)
        for number in range(replicas):
            found.start(folder / f"admission-{number}.log")
        found.install()
        yield found


def _account(cluster: Cluster, system: str, token: str, folder: Path) -> Path:
    """An account with the rules of the controller's roles, for objects of this name."""
    name = f"sympozium-{token}"
    subject = {"kind": "ServiceAccount", "name": ACCOUNT, "namespace": system}
    documents: list[dict[str, Any]] = [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": ACCOUNT, "namespace": system}}
    ]
    for one in controller(system):
        if one["kind"] not in ("ClusterRole", "Role"):
            continue
        rules = json.loads(json.dumps(one["rules"]).replace("sympozium-admission", name))
        metadata = {**one["metadata"], "name": name}
        reference = {"kind": one["kind"], "name": name, "apiGroup": "rbac.authorization.k8s.io"}
        binding = {"apiVersion": one["apiVersion"], "kind": f"{one['kind']}Binding", "metadata": metadata}
        documents += [{**one, "metadata": metadata, "rules": rules}]
        documents += [{**binding, "roleRef": reference, "subjects": [subject]}]
    cluster.apply(documents)
    return kubeconfig_of(cluster, system, ACCOUNT, folder)
