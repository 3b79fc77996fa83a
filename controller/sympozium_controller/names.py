"""Names and labels of what a cluster holds for runs and instances. Pure: the same objects give the same names, always.

A name that may be used again carries a hash of its object's UID, so what is left of the one before is never taken for
the one of now.
"""

from __future__ import annotations

import hashlib
from typing import Final

PREFIX: Final = "sympozium"
"""Everything of ours that no run or instance names begins so."""
SYSTEM_NAMESPACE: Final = "sympozium-system"

LABEL_RUN: Final = "sympozium.ai/run"
"""The id of a run, as the stream has it."""
LABEL_RUN_UID: Final = "sympozium.ai/run-uid"
"""UID of the AgentRun: what bears it was made for that very object."""
LABEL_RUN_NAME: Final = "sympozium.ai/run-name"
"""An annotation: the AgentRun's name, which may be longer than a label."""
LABEL_ATTEMPT: Final = "sympozium.ai/attempt"
LABEL_INSTANCE: Final = "sympozium.ai/instance"
"""An annotation as well, for the same reason; as a label it is cut and has a hash."""
LABEL_SERVICE: Final = "sympozium.ai/service"
"""A service of the bus that a Deployment serves."""
LABEL_PARTICIPANT: Final = "sympozium.ai/participant"
LABEL_EGRESS: Final = "sympozium.ai/egress"
"""The egress class of a pod: NetworkPolicies select by it."""
LABEL_MANAGED_BY: Final = "app.kubernetes.io/managed-by"
LABEL_COMPONENT: Final = "app.kubernetes.io/component"
MANAGED_BY: Final = "sympozium"
ANNOTATION_REQUESTER: Final = "sympozium.ai/requester"
"""Who made the AgentRun: stamped at admission, never changed."""
RUN_ACCOUNT: Final = "sympozium-run"
"""The ServiceAccount of runs without rights."""

_LONGEST: Final = 63


def hashed(*words: str, length: int = 10) -> str:
    """Hexadecimal digits that stand for these words together."""
    return hashlib.sha256("\0".join(words).encode()).hexdigest()[:length]


def _readable(name: str, longest: int) -> str:
    """As much of a name as fits, as an id has it."""
    return name.replace(".", "-")[:longest].rstrip("-")


def run_id(name: str, uid: str) -> str:
    """The run's id in its documents and in the stream: of this AgentRun, and of no other of the same name."""
    found = hashed(uid)
    return f"{_readable(name, 48)}-{found}"


def job_name(run: str, attempt: int) -> str:
    """``attempt`` from 1. A Job's name becomes its pods' and a label: at most 63 characters."""
    return run if attempt == 1 else f"{run}-{attempt}"


def account_name(run: str) -> str:
    """ServiceAccount, Roles and bindings of a run that has rights of its own."""
    return run


def label(name: str) -> str:
    """A name as a label's value: itself, or cut with a hash."""
    return name if len(name) <= _LONGEST else f"{name[:52].rstrip('.-')}-{hashed(name)}"


def gateway_service(namespace: str, provider: str, base_url: str, secret: str) -> str:
    """The service that model calls of such instances go to, and the name of its Deployment without the prefix."""
    return f"model-{hashed(namespace, provider, base_url, secret)}"


def memory_service(namespace: str, instance: str) -> str:
    """The service of an instance's memory."""
    return f"memory-{hashed(namespace, instance)}"


def deployment_name(service: str) -> str:
    return f"{PREFIX}-{service}"


def memory_claim(instance: str) -> str:
    """The PersistentVolumeClaim of an instance's memory: users see it, and may make it before."""
    return f"{instance}-memory"
