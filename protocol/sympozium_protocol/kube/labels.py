"""Names and labels by which objects of ours are known in a cluster: what whoever makes them and whoever checks them
must agree on."""

from __future__ import annotations

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
LABEL_SHARED: Final = "sympozium.ai/shared"
"""On what all runs or services of a namespace have in common."""
LABEL_EGRESS: Final = "sympozium.ai/egress"
"""The egress class of a pod: NetworkPolicies select by it."""
LABEL_MANAGED_BY: Final = "app.kubernetes.io/managed-by"
LABEL_COMPONENT: Final = "app.kubernetes.io/component"
MANAGED_BY: Final = "sympozium"
ANNOTATION_REQUESTER: Final = "sympozium.ai/requester"
"""Who made the AgentRun: stamped at admission, never changed."""
ANNOTATION_CANCELLER: Final = "sympozium.ai/canceller"
"""Who set ``cancel`` in the AgentRun: stamped by the API server, never changed."""
RUN_ACCOUNT: Final = "sympozium-run"
"""The ServiceAccount of runs without rights."""
CONTROLLER_ACCOUNT: Final = "sympozium-controller"
"""The controller's ServiceAccount, in the system namespace."""


def deployment_name(service: str) -> str:
    """Of the Deployment that serves a service of the bus."""
    return f"{PREFIX}-{service}"
