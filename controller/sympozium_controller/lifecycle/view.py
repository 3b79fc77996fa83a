"""What a decision about a run looks at: the run, its last Job, that Job's pod, what the line says. Pure readings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sympozium_controller.names import ANNOTATION_CANCELLER, LABEL_ATTEMPT, LABEL_RUN_UID, job_name, run_id
from sympozium_controller.objects.status import FINAL
from sympozium_protocol.exits import Reason
from sympozium_protocol.kube.api import KubeObject

AGENT: Final = "agent"
"""The container of the agent."""
ANSWERED: Final = "sympozium.ai/answered"
"""Annotation of an AgentRun: a suspended attempt of this number was answered, so the next may begin."""
EXPIRY: Final = "sympozium.ai/approval-expiry"
"""Annotation of a Job: the seconds for which a person's answer is waited for; then its gate says no."""
LONGEST_NAME: Final = 253
"""Characters of a person's name, as they are told."""
DIGEST: Final = "sympozium.ai/run-digest"
"""Annotation of a Job: SHA-256 of the RunSpec that is frozen in it."""


@dataclass(frozen=True, slots=True)
class View:
    """``pod`` is the one that was last seen, when it is gone. ``refused``: why the cluster makes no pod of the Job;
    ``unmounted``: what of its volumes a node cannot prepare. ``ahead``: how many must go before this one, at least;
    None while it has its turn. ``rights``: there is something that gives the run rights. ``job_gone``: the server was
    asked, and has no Job of this run. ``bus``: runs can be read and spoken to. ``output``: the whole answer as the
    stream has it, empty where it cannot be had, None: not looked for. ``answered``: the suspended attempt whose
    question was answered. ``asks``: the calls that its gate waits for a person with; None: nothing was heard of it.
    ``questions``: calls of which a person was asked and that have no answer, with their tools (empty where only the
    id is known), as the stream has them; None: not looked for. ``idle``: its pod has ended, and its stream has no call
    that waits for a person. ``unready``: what its instance lacks, in words.
    """

    run: KubeObject
    job: KubeObject | None = None
    pod: KubeObject | None = None
    refused: str = ""
    unmounted: str = ""
    ahead: int | None = None
    rights: bool = False
    job_gone: bool = False
    bus: bool = False
    output: str | None = None
    answered: int = 0
    asks: tuple[str, ...] | None = None
    questions: Mapping[str, str] | None = None
    idle: bool = False
    unready: str = ""

    @property
    def uid(self) -> str:
        found: str = self.run["metadata"]["uid"]
        return found

    @property
    def status(self) -> Mapping[str, Any]:
        return self.run.get("status") or {}

    @property
    def id(self) -> str:
        return run_id(self.run["metadata"]["name"], self.uid)

    @property
    def cancel(self) -> bool:
        return wants_cancel(self.run)

    @property
    def by(self) -> str:
        """Who cancelled it, as the end of a sentence; empty where nobody wrote that down."""
        name = self.run["metadata"].get("annotations", {}).get(ANNOTATION_CANCELLER, "")
        return f"by {name[:LONGEST_NAME]}" if name else ""

    @property
    def final(self) -> bool:
        return is_final(self.run)

    @property
    def suspended(self) -> bool:
        """Its last attempt ended to wait for a person, and no further one is known."""
        told = self.status.get("phase") == "Waiting" and self.status.get("reason") == Reason.Suspended.name
        return told and (self.job is None or attempt_of(self.job) <= self.attempt)

    @property
    def attempt(self) -> int:
        """The last one that the status tells of; 0 before the first."""
        return int(self.status.get("attempt") or 0)

    @property
    def expected_job(self) -> str:
        return str(self.status.get("jobName") or job_name(self.id, max(1, self.attempt)))


def wants_cancel(run: KubeObject) -> bool:
    spec = run.get("spec")
    return isinstance(spec, dict) and spec.get("cancel") is True


def is_final(run: KubeObject) -> bool:
    return (run.get("status") or {}).get("phase") in FINAL


def instance_of(run: KubeObject) -> str:
    spec = run.get("spec")
    found = spec.get("instanceRef") if isinstance(spec, dict) else ""
    return found if isinstance(found, str) else ""


def is_of(one: KubeObject, uid: str) -> bool:
    """Was this object made for the run with that UID: does it say so, and does the run own it?"""
    metadata = one["metadata"]
    labelled = metadata.get("labels", {}).get(LABEL_RUN_UID) == uid
    return labelled and any(owner.get("uid") == uid for owner in metadata.get("ownerReferences") or ())


def owner_of(one: KubeObject) -> str:
    """The name of the object that controls it."""
    for owner in one["metadata"].get("ownerReferences") or ():
        if owner.get("controller"):
            return str(owner["name"])
    return ""


def attempt_of(job: KubeObject) -> int:
    found = job["metadata"].get("labels", {}).get(LABEL_ATTEMPT, "1")
    return int(found) if found.isdecimal() else 1


def condition(one: KubeObject | None, type: str) -> Mapping[str, Any] | None:
    """The condition of this type, if it holds."""
    found = (one or {}).get("status", {}).get("conditions") or ()
    return next((c for c in found if c.get("type") == type and c.get("status") == "True"), None)


def containers(pod: KubeObject | None) -> Iterator[Mapping[str, Any]]:
    status = (pod or {}).get("status", {})
    yield from status.get("initContainerStatuses") or ()
    yield from status.get("containerStatuses") or ()


def agent_state(pod: KubeObject | None, state: str) -> Mapping[str, Any] | None:
    """What the kubelet says of the agent's container when it is in this state: running, waiting, terminated."""
    for one in (pod or {}).get("status", {}).get("containerStatuses") or ():
        if one.get("name") == AGENT:
            found: Mapping[str, Any] | None = (one.get("state") or {}).get(state)
            return found
    return None
