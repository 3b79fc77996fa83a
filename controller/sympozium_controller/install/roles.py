"""The ClusterRoles of an installation: what the controller may do, what it may give to runs, what the keeper may ask.

The controller has neither ``escalate`` nor ``bind`` nor ``impersonate``: it can create a Role only with rights that it
has itself, and has those of ``sympozium-grantable`` for that alone (``fence`` keeps it from using them). Who wants to
let runs have more labels a ClusterRole ``rbac.sympozium.ai/aggregate-to-grantable: "true"``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from sympozium_controller.names import PREFIX, SYSTEM_NAMESPACE
from sympozium_protocol.kube.api import KubeObject
from sympozium_protocol.kube.labels import CONTROLLER_ACCOUNT
from sympozium_protocol.kube.resources import (
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    GROUP,
    OURS,
    ROLE_BINDINGS,
    ROLES,
    Resource,
)

GRANTABLE: Final = f"{PREFIX}-grantable"
AGGREGATE: Final = "rbac.sympozium.ai/aggregate-to-grantable"
"""A ClusterRole with this label, ``"true"``, is part of what runs may be given."""
CONTROLLER: Final = CONTROLLER_ACCOUNT
KEEPER: Final = f"{PREFIX}-bus-auth"
"""ServiceAccount and roles of the keeper of the bus."""
PART_OF: Final = {"app.kubernetes.io/part-of": PREFIX}

Rule = dict[str, list[str]]

_RBAC: Final = CLUSTER_ROLES.group
_READ: Final = ("get", "list", "watch")
_KEPT: Final = (*_READ, "create", "delete")
_CHANGED: Final = (*_KEPT, "patch", "update")


def rule(
    groups: str | Sequence[str], resources: Iterable[str], verbs: Iterable[str], names: Sequence[str] = ()
) -> Rule:
    found = {
        "apiGroups": [groups] if isinstance(groups, str) else list(groups),
        "resources": list(resources),
        "verbs": list(verbs),
    }
    return found | ({"resourceNames": list(names)} if names else {})


READS: Final[tuple[Rule, ...]] = (
    rule(
        "",
        (
            "pods",
            "pods/log",
            "pods/status",
            "services",
            "endpoints",
            "events",
            "configmaps",
            "namespaces",
            "nodes",
            "persistentvolumes",
            "persistentvolumeclaims",
            "replicationcontrollers",
            "resourcequotas",
            "limitranges",
            "serviceaccounts",
        ),
        _READ,
    ),
    rule(
        "apps",
        (
            "deployments",
            "deployments/scale",
            "statefulsets",
            "statefulsets/scale",
            "daemonsets",
            "replicasets",
            "replicasets/scale",
            "controllerrevisions",
        ),
        _READ,
    ),
    rule("batch", ("jobs", "cronjobs"), _READ),
    rule("storage.k8s.io", ("storageclasses", "volumeattachments"), _READ),
    rule("events.k8s.io", ("events",), _READ),
    # crosswise, as packs name them in one rule: RBAC looks at every pair
    rule(
        ("autoscaling", "policy", "networking.k8s.io", "discovery.k8s.io", "metrics.k8s.io"),
        (
            "horizontalpodautoscalers",
            "poddisruptionbudgets",
            "ingresses",
            "networkpolicies",
            "endpointslices",
            "pods",
            "nodes",
        ),
        _READ,
    ),
)
"""What shows how a cluster does, and no secret."""

WRITES: Final[tuple[Rule, ...]] = (
    rule("", ("pods",), ("delete",)),
    rule("", ("services", "configmaps"), ("patch",)),
    rule("apps", ("deployments", "statefulsets", "daemonsets", "deployments/scale", "statefulsets/scale"), ("patch",)),
)
"""What the pack k8s-ops changes: restarts, scales, rolls back."""


def grantable() -> tuple[KubeObject, ...]:
    """What runs may be given: the aggregated role, and the parts of it that are there from the start."""
    whole = _object(CLUSTER_ROLES, GRANTABLE)
    # without rules: those are the server's own doing, and who applies this must not take them back
    whole["aggregationRule"] = {"clusterRoleSelectors": [{"matchLabels": {AGGREGATE: "true"}}]}
    return (whole, grantable_part("read", READS), grantable_part("operate", WRITES))


def grantable_part(name: str, rules: Iterable[Rule]) -> KubeObject:
    """A further part, to be applied with the rest."""
    found = _object(CLUSTER_ROLES, f"{GRANTABLE}-{name}") | {"rules": list(rules)}
    found["metadata"]["labels"] = {**PART_OF, AGGREGATE: "true"}
    return found


def controller(system: str = SYSTEM_NAMESPACE) -> tuple[KubeObject, ...]:
    """The controller's own roles, and their bindings to its account in the system namespace."""
    subject = {"kind": "ServiceAccount", "name": CONTROLLER, "namespace": system}
    return (
        _object(CLUSTER_ROLES, CONTROLLER) | {"rules": list(_controller())},
        _bound(CLUSTER_ROLE_BINDINGS, CONTROLLER, CLUSTER_ROLES, CONTROLLER, subject),
        _bound(CLUSTER_ROLE_BINDINGS, f"{CONTROLLER}-grantable", CLUSTER_ROLES, GRANTABLE, subject),
        _object(ROLES, CONTROLLER, system) | {"rules": list(_controller_at_home())},
        _bound(ROLE_BINDINGS, CONTROLLER, ROLES, CONTROLLER, subject, system),
    )


def _controller() -> Iterable[Rule]:
    kinds = [one.plural for one in OURS]
    yield rule(GROUP, kinds, _READ)
    yield rule(GROUP, ["agentruns"], ("create", "delete", "patch", "update"))
    yield rule(GROUP, [f"{kind}/status" for kind in kinds], ("patch", "update"))
    yield rule(GROUP, [f"{kind}/finalizers" for kind in kinds], ("update",))  # where owners may only be set with it
    yield rule(GROUP, ["sympoziuminstances"], ("patch", "update"))  # finalizers
    yield rule("batch", ("jobs",), _CHANGED)
    yield rule("", ("pods",), (*_READ, "delete", "patch"))
    yield rule("", ("configmaps", "serviceaccounts"), _KEPT)
    yield rule("", ("persistentvolumeclaims",), _CHANGED)
    yield rule("apps", ("deployments",), _CHANGED)
    yield rule("networking.k8s.io", ("networkpolicies",), _CHANGED)
    yield rule(_RBAC, ("roles", "rolebindings", "clusterroles", "clusterrolebindings"), _KEPT)
    yield rule(("", "events.k8s.io"), ("events",), (*_READ, "create", "patch"))
    yield rule("", ("namespaces", "services"), _READ)
    # is the Secret there, and which keys has it? Whoever makes Jobs could mount it anyway; ``fence`` keeps this from
    # being given to runs
    yield rule("", ("secrets",), ("get",))
    yield rule("discovery.k8s.io", ("endpointslices",), _READ)
    yield rule("node.k8s.io", ("runtimeclasses",), _READ)
    yield rule("authorization.k8s.io", ("subjectaccessreviews",), ("create",))
    yield rule(
        "admissionregistration.k8s.io",
        ("validatingwebhookconfigurations", "mutatingwebhookconfigurations"),
        ("get", "patch", "update"),
        (f"{PREFIX}-admission",),
    )
    yield rule("admissionregistration.k8s.io", ("validatingwebhookconfigurations",), ("list", "watch"))


def _controller_at_home() -> Iterable[Rule]:
    """In the system namespace: who leads, and the certificates of admission."""
    yield rule("coordination.k8s.io", ("leases",), ("get", "create", "update", "patch"))
    yield rule("", ("secrets",), ("create",))
    yield rule("", ("secrets",), ("get", "update", "patch", "delete"), (f"{PREFIX}-admission",))


def keeper(system: str = SYSTEM_NAMESPACE) -> tuple[KubeObject, ...]:
    """What the keeper of the bus asks to know who somebody is: tokens and requests, rights, and whose a pod is."""
    subject = {"kind": "ServiceAccount", "name": KEEPER, "namespace": system}
    rules = [
        rule("authentication.k8s.io", ("tokenreviews",), ("create",)),
        rule("certificates.k8s.io", ("certificatesigningrequests",), ("get",)),
        rule("authorization.k8s.io", ("subjectaccessreviews",), ("create",)),
        rule("", ("pods",), ("get",)),
        rule("batch", ("jobs",), ("get",)),
        rule("apps", ("replicasets", "deployments"), ("get",)),
        rule(GROUP, ("agentruns",), ("get",)),
    ]
    return (
        _object(CLUSTER_ROLES, KEEPER) | {"rules": rules},
        _bound(CLUSTER_ROLE_BINDINGS, KEEPER, CLUSTER_ROLES, KEEPER, subject),
    )


def catalogue(system: str = SYSTEM_NAMESPACE) -> tuple[KubeObject, ...]:
    """Everybody whom the cluster knows may see which packs there are for all: instances everywhere name them."""
    name = f"{PREFIX}-packs"
    everybody = {"apiGroup": _RBAC, "kind": "Group", "name": "system:authenticated"}
    return (
        _object(ROLES, name, system) | {"rules": [rule(GROUP, ("skillpacks",), ("get", "list", "watch"))]},
        _bound(ROLE_BINDINGS, name, ROLES, name, everybody, system),
    )


def _object(resource: Resource, name: str, namespace: str = "") -> KubeObject:
    metadata: dict[str, Any] = {"name": name, "labels": dict(PART_OF)}
    if namespace:
        metadata["namespace"] = namespace
    return {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata}


def _bound(
    resource: Resource, name: str, role: Resource, of: str, subject: Mapping[str, str], namespace: str = ""
) -> KubeObject:
    reference = {"apiGroup": _RBAC, "kind": role.kind, "name": of}
    return _object(resource, name, namespace) | {"roleRef": reference, "subjects": [dict(subject)]}
