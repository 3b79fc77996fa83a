"""Names and labels of what a cluster holds for runs and instances. Pure: the same objects give the same names, always.

A name that may be used again carries a hash of its object's UID, so what is left of the one before is never taken for
the one of now.
"""

from __future__ import annotations

import hashlib
from typing import Final

from sympozium_protocol.kube.labels import (
    ANNOTATION_CANCELLER as ANNOTATION_CANCELLER,
    ANNOTATION_REQUESTER as ANNOTATION_REQUESTER,
    CONTROLLER_ACCOUNT as CONTROLLER_ACCOUNT,
    LABEL_ATTEMPT as LABEL_ATTEMPT,
    LABEL_COMPONENT as LABEL_COMPONENT,
    LABEL_EGRESS as LABEL_EGRESS,
    LABEL_INSTANCE as LABEL_INSTANCE,
    LABEL_MANAGED_BY as LABEL_MANAGED_BY,
    LABEL_PARTICIPANT as LABEL_PARTICIPANT,
    LABEL_RUN as LABEL_RUN,
    LABEL_RUN_NAME as LABEL_RUN_NAME,
    LABEL_RUN_UID as LABEL_RUN_UID,
    LABEL_SERVICE as LABEL_SERVICE,
    MANAGED_BY as MANAGED_BY,
    PREFIX as PREFIX,
    RUN_ACCOUNT as RUN_ACCOUNT,
    SYSTEM_NAMESPACE as SYSTEM_NAMESPACE,
    deployment_name as deployment_name,
)

_LONGEST: Final = 63
SERVICE_DIGITS: Final = 20
"""Of a service's hash. On the bus a service hears the calls of its name from every namespace, and who writes an
instance chooses what is hashed: nobody may find another's name by trying."""


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
    return f"model-{hashed(namespace, provider, base_url, secret, length=SERVICE_DIGITS)}"


def memory_service(namespace: str, instance: str) -> str:
    """The service of an instance's memory."""
    return f"memory-{hashed(namespace, instance, length=SERVICE_DIGITS)}"


def memory_claim(instance: str) -> str:
    """The PersistentVolumeClaim of an instance's memory: users see it, and may make it before."""
    return f"{instance}-memory"
