"""What a cluster says of one run, in the fewest words that a decision about it reads."""

from __future__ import annotations

from typing import Any

from sympozium_controller.lifecycle.actions import Action, PatchStatus
from sympozium_controller.lifecycle.decide import Times
from sympozium_controller.lifecycle.view import DIGEST
from sympozium_controller.names import LABEL_ATTEMPT, LABEL_RUN_UID, run_id
from sympozium_controller.objects.status import RunStatus
from sympozium_protocol.clock import utc
from sympozium_protocol.messages.termination import Termination

NOW = 1_800_000_000.0
UID = "11111111-2222"
ID = run_id("r", UID)
PINNED = "d" * 64
SOON = Times(start_within=60, keep_job=5, stop_within=30)


def run(*, cancel: bool = False, annotations: dict[str, str] | None = None, **status: Any) -> dict[str, Any]:
    return {
        "apiVersion": "sympozium.ai/v1alpha1",
        "kind": "AgentRun",
        "metadata": {
            "name": "r",
            "namespace": "a",
            "uid": UID,
            "generation": 1,
            "resourceVersion": "1",
            "creationTimestamp": utc(NOW),
            "annotations": annotations or {},
        },
        "spec": {"instanceRef": "one", "input": "x", "cancel": cancel},
        "status": status,
    }


def job(
    *conditions: dict[str, Any], attempt: int = 1, age: float = 0.0, deadline: int = 700, **spec: Any
) -> dict[str, Any]:
    return {
        "metadata": {
            "name": ID if attempt == 1 else f"{ID}-{attempt}",
            "namespace": "a",
            "uid": f"job-{attempt}",
            "creationTimestamp": utc(NOW - age),
            "labels": {LABEL_RUN_UID: UID, LABEL_ATTEMPT: str(attempt)},
            "annotations": {DIGEST: PINNED},
        },
        "spec": {"activeDeadlineSeconds": deadline, **spec},
        "status": {"conditions": list(conditions)},
    }


def holds(type: str, reason: str = "", since: float = 0.0) -> dict[str, Any]:
    return {"type": type, "status": "True", "reason": reason, "lastTransitionTime": utc(NOW - since)}


def pod(state: dict[str, Any] | None = None, phase: str = "Pending", **status: Any) -> dict[str, Any]:
    agents = [{"name": "agent", "image": "reg/agent:1", "state": state}] if state else []
    return {
        "metadata": {"name": "p", "namespace": "a", "uid": "pod"},
        "spec": {"nodeName": "n1"},
        "status": {"phase": phase, "conditions": [], "containerStatuses": agents, **status},
    }


def ended(told: Termination | str = "", code: int = 0, reason: str = "") -> dict[str, Any]:
    message = told if isinstance(told, str) else told.within(4096).decode()
    return {"terminated": {"exitCode": code, "reason": reason, "message": message}}


PULL = {"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling"}}
SUSPENDED = ended(Termination(reason="Suspended", message="nobody answered"), 51)
HAS_JOB = {"phase": "Pending", "jobName": ID, "jobUID": "job-1", "attempt": 1}


def status_of(actions: tuple[Action, ...]) -> dict[str, Any]:
    """What is to be written, which the schema takes."""
    (patch,) = (one for one in actions if isinstance(one, PatchStatus))
    RunStatus.model_validate({**patch.status, "conditions": tuple(patch.status.get("conditions", ()))})
    return dict(patch.status)


def kinds(actions: tuple[Action, ...]) -> list[type[Action]]:
    return [type(one) for one in actions]
