"""ValidatingAdmissionPolicies around what is made for runs: who makes and changes it, who gets its token. Pure.

Who may create pods in a namespace can give one any account, label or owner, and the network and the bus tell pods
apart by just these. So what bears our labels is made by the controller, and by Kubernetes' own controllers from what
it made; nobody puts another image into it; a token for the bus is had by kubelets alone; and nobody starts a program
beside it, where the gate of a run or a service holds it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sympozium_controller.crds.doors import doors
from sympozium_controller.crds.policies import Validation, bound
from sympozium_controller.names import (
    LABEL_EGRESS,
    LABEL_MANAGED_BY,
    LABEL_PARTICIPANT,
    LABEL_RUN,
    LABEL_RUN_UID,
    LABEL_SERVICE,
    PREFIX,
    SYSTEM_NAMESPACE,
)
from sympozium_protocol.kube.labels import CONTROLLER_ACCOUNT

AUDIENCE: Final = "sympozium-bus"
"""Of tokens that the bus takes."""
MARKS: Final = (LABEL_RUN, LABEL_RUN_UID, LABEL_SERVICE, LABEL_PARTICIPANT, LABEL_EGRESS)
"""The labels that network and bus go by."""
_WHOLE: Final = "system:kube-controller-manager"
"""As whom all of Kubernetes' controllers come, where they have no accounts of their own."""


def _account(name: str) -> str:
    return f"system:serviceaccount:kube-system:{name}"


MAKERS: Final[Mapping[str, tuple[str, ...]]] = {
    "pods": (_account("job-controller"), _account("replicaset-controller"), _WHOLE),
    "replicasets": (_account("deployment-controller"), _WHOLE),
}
"""Who makes such objects from what the controller made, which made nothing else that does."""
_COLLECTORS: Final = (_account("generic-garbage-collector"), _WHOLE)
"""Who takes an owner off an object when that owner is gone."""
_OURS: Final = "sympozium.ai/"
_WORKLOADS: Final = {
    "": ["pods", "pods/ephemeralcontainers", "replicationcontrollers", "serviceaccounts", "configmaps"],
    "apps": ["deployments", "replicasets", "statefulsets", "daemonsets"],
    "batch": ["jobs"],
}


def guards(system_namespace: str = SYSTEM_NAMESPACE) -> tuple[dict[str, Any], ...]:
    """The policies and their bindings. ``system_namespace``: where the controller's account is."""
    controller = f"system:serviceaccount:{system_namespace}:{CONTROLLER_ACCOUNT}"
    return (*_made(controller), *_tokens(), *doors())


# -- workloads ----------------------------------------------------------------------------------------------


def _made(controller: str) -> tuple[dict[str, Any], ...]:
    rules = [
        {"apiGroups": [group], "apiVersions": ["*"], "resources": resources, "operations": ["CREATE", "UPDATE"]}
        for group, resources in _WORKLOADS.items()
    ]
    conditions = {
        "ours": " || ".join(map(_marked, ("object", "dyn(object).?spec.?template.orValue({})", "oldObject"))),
        "not-the-controller": f"request.userInfo.username != '{controller}'",
    }
    spec = {
        "matchConstraints": {"resourceRules": rules},
        "matchConditions": [{"name": name, "expression": text} for name, text in conditions.items()],
        "variables": [
            {"name": "maker", "expression": _is_maker()},
            {"name": "same", "expression": " && ".join((_same_spec(), _same_marks(), _same_owners(), _as_free()))},
        ],
    }
    return bound(
        f"{PREFIX}-made",
        spec,
        Validation(
            "request.operation != 'CREATE' || variables.maker",
            f"labels of a run or service ({', '.join(MARKS)}): only the control plane makes what bears them",
        ),
        Validation(
            "request.operation != 'UPDATE' || variables.maker || variables.same",
            "made for a run or service: only the control plane changes it",
        ),
    )


def _labels(part: str) -> str:
    """Of an object, a template, or what is null where nothing was before."""
    return f"optional.ofNonZeroValue(dyn({part})).?metadata.labels.orValue({{}})"


def _marked(part: str) -> str:
    return f"{list(MARKS)}.exists(mark, mark in {_labels(part)})"


def _same_spec() -> str:
    return "dyn(object).?spec == dyn(oldObject).?spec"


def _same_marks() -> str:
    """Labels and annotations of ours: by them the controller knows of whom an object is, and what was frozen in it."""
    return " && ".join(_same_keys(kind) for kind in ("labels", "annotations"))


def _same_keys(kind: str) -> str:
    after, before = (f"dyn({part}).metadata.?{kind}.orValue({{}})" for part in ("object", "oldObject"))
    others = f"(!key.startsWith('{_OURS}') && key != '{LABEL_MANAGED_BY}')"
    kept = f"{before}.all(key, {others} || key in {after})"
    return f"{after}.all(key, {others} || {before}[?key] == optional.of({after}[key])) && {kept}"


def _same_owners() -> str:
    after, before = (f"dyn({part}).metadata.?ownerReferences" for part in ("object", "oldObject"))
    return f"({after} == {before} || request.userInfo.username in {list(_COLLECTORS)})"


def _as_free() -> str:
    """No finalizer more, which would keep it there when it is to go. The server itself adds those of a deletion."""
    after, before = (f"dyn({part}).metadata.?finalizers.orValue([])" for part in ("object", "oldObject"))
    return f"{after}.all(one, one in {before})"


def _is_maker() -> str:
    makers = {name: list(accounts) for name, accounts in MAKERS.items()}
    return f"request.userInfo.username in {makers}[?request.resource.resource].orValue([])"


# -- tokens -------------------------------------------------------------------------------------------------


def _tokens() -> tuple[dict[str, Any], ...]:
    rule = {
        "apiGroups": [""],
        "apiVersions": ["*"],
        "resources": ["serviceaccounts/token"],
        "operations": ["CREATE"],
    }
    return bound(
        f"{PREFIX}-tokens",
        {"matchConstraints": {"resourceRules": [rule]}},
        Validation(
            f"!('{AUDIENCE}' in object.spec.?audiences.orValue([])) || 'system:nodes' in request.userInfo.groups",
            f"spec.audiences: a token for {AUDIENCE} is given to kubelets alone, for the pods of their node",
        ),
    )
