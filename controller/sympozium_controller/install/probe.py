"""Does this cluster enforce network policies? Two pods ask: one that may reach the API server and one that may not.

Pure: the documents to create, and what follows from what the pods told. Whoever installs creates them, waits for both
pods to end, reads their termination messages, and deletes everything again.
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

from sympozium_controller.install.pods import CONTAINER_WALLS, POD_WALLS, Bounds, named
from sympozium_controller.install.settings import Settings
from sympozium_protocol.kube.api import KubeObject

NAME: Final = "sympozium-probe"
LABEL: Final = "sympozium.ai/probe"
OPEN: Final = f"{NAME}-open"
CLOSED: Final = f"{NAME}-closed"
PODS: Final = (OPEN, CLOSED)
WITHIN: Final = 60
"""Seconds after which the cluster ends the pods."""

Verdict: TypeAlias = Literal["enforced", "ignored", "unknown"]

_BOUNDS: Final = Bounds("10m", "32Mi", "64Mi")
_ASK: Final = """\
import os, socket, sys, time
wanted, told = sys.argv[1], "unreached"
for _ in range(10):
    try:
        socket.create_connection((os.environ["KUBERNETES_SERVICE_HOST"], 443), 2).close()
        told = "reached"
    except OSError:
        told = "unreached"
    if told == wanted:
        break
    time.sleep(1)
open("/dev/termination-log", "w").write(told)
"""
"""Asks until it is as it should be: some networks take a moment to know a new pod."""


def documents(settings: Settings) -> tuple[KubeObject, ...]:
    """The policy before the pods."""
    selector = {"matchLabels": {LABEL: CLOSED}}
    policy = named(
        "NetworkPolicy",
        NAME,
        settings,
        api="networking.k8s.io/v1",
        spec={"podSelector": selector, "policyTypes": ["Ingress", "Egress"]},
    )
    return policy, _pod(OPEN, "reached", settings), _pod(CLOSED, "unreached", settings)


def _pod(name: str, wanted: str, settings: Settings) -> KubeObject:
    container = {
        "name": "probe",
        "image": settings.images.reference("bus-auth"),  # it has a Python, and is on the nodes soon anyway
        "imagePullPolicy": settings.pull_policy,
        "args": ["python3", "-c", _ASK, wanted],
        "resources": _BOUNDS.document(),
        "securityContext": dict(CONTAINER_WALLS),
    }
    found = named(
        "Pod",
        name,
        settings,
        spec={
            "restartPolicy": "Never",
            "activeDeadlineSeconds": WITHIN,
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "securityContext": dict(POD_WALLS),
            "containers": [container],
            **({"imagePullSecrets": [{"name": one} for one in settings.pull_secrets]} if settings.pull_secrets else {}),
        },
    )
    found["metadata"]["labels"] |= {LABEL: name}
    return found


def told(pod: KubeObject) -> str | None:
    """What a pod found: ``reached``, ``unreached``, or "" when it ended without a word; None while it has not ended."""
    status = pod.get("status") or {}
    for one in status.get("containerStatuses") or ():
        if over := (one.get("state") or {}).get("terminated"):
            return str(over.get("message") or "").strip()
    return "" if status.get("phase") in ("Failed", "Succeeded") else None


def verdict(opened: str, closed: str) -> tuple[Verdict, str]:
    """From what the two pods told: the verdict, and a sentence for a person."""
    if opened == "reached" and closed == "unreached":
        return "enforced", "network policies are enforced"
    if opened == "reached" and closed == "reached":
        why = "a pod reached what a policy denies it: agents can reach whatever this cluster's pods can"
        return "ignored", f"network policies are NOT enforced by this cluster's network: {why}"
    return "unknown", "whether network policies are enforced could not be found out: no pod reached the API server"
