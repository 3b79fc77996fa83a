"""The fence around the controller: a ValidatingAdmissionPolicy over what its own account may write. Pure.

RBAC knows no prefixes and no labels, and what the controller may grant it could do itself. Here the server lets it
write only what is its own: the objects of our kinds, what is made for a run or an instance, and never the namespaces
of the cluster.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from sympozium_controller.install.roles import CONTROLLER, GRANTABLE, PART_OF
from sympozium_controller.names import (
    LABEL_INSTANCE,
    LABEL_MANAGED_BY,
    LABEL_RUN_UID,
    LABEL_SERVICE,
    MANAGED_BY,
    PREFIX,
    SYSTEM_NAMESPACE,
)
from sympozium_protocol.kube.api import KubeObject
from sympozium_protocol.kube.resources import ADMISSION_BINDINGS, ADMISSION_POLICIES, GROUP

FENCE: Final = f"{PREFIX}-fence"
FORBIDDEN: Final = ("kube-system", "kube-public", "kube-node-lease")
"""Namespaces of the cluster itself."""
LABEL_SHARED: Final = "sympozium.ai/shared"
"""What all runs or services of a namespace have in common."""
OWN_LABELS: Final = (LABEL_RUN_UID, LABEL_INSTANCE, LABEL_SERVICE, LABEL_SHARED)
"""One of these is on everything that the controller makes; nothing that is installed with it has any."""


def fence(system: str = SYSTEM_NAMESPACE) -> tuple[KubeObject, ...]:
    """The policy, and the binding that makes it hold."""
    everything = {"apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*/*"], "operations": ["*"]}
    account = f"system:serviceaccount:{system}:{CONTROLLER}"
    spec = {
        "failurePolicy": "Fail",
        "matchConstraints": {"resourceRules": [everything]},
        "matchConditions": [{"name": "the-controller", "expression": f"request.userInfo.username == '{account}'"}],
        "variables": [{"name": name, "expression": text} for name, text in _variables(system)],
        "validations": [_validation(text, why) for text, why in _validations(system)],
    }
    return _bound(FENCE, spec)


def _validation(expression: str, why: str) -> KubeObject:
    return {"expression": expression, "message": why, "reason": "Forbidden"}


def _bound(name: str, spec: KubeObject) -> tuple[KubeObject, ...]:
    """The policy, and the binding that makes it hold everywhere."""
    metadata = {"name": name, "labels": dict(PART_OF)}
    head = {"apiVersion": ADMISSION_POLICIES.api_version, "metadata": metadata}
    binding = {"policyName": name, "validationActions": ["Deny", "Audit"]}
    return (
        {**head, "kind": ADMISSION_POLICIES.kind, "spec": spec},
        {**head, "kind": ADMISSION_BINDINGS.kind, "metadata": dict(metadata), "spec": binding},
    )


def _own(what: str) -> str:
    """Is it an object that the controller made (or no object at all: nothing is there before, or after)?"""
    labels = f"{what}.metadata.labels"
    any_of = " || ".join(f"'{label}' in {labels}" for label in OWN_LABELS)
    marked = f"'{LABEL_MANAGED_BY}' in {labels} && {labels}['{LABEL_MANAGED_BY}'] == '{MANAGED_BY}' && ({any_of})"
    return f"{what} == null || (has({labels}) && {marked})"


def _variables(system: str) -> list[tuple[str, str]]:
    at_home = f"variables.place == '{system}'"
    return [
        ("place", "has(request.namespace) ? request.namespace : ''"),
        ("group", "request.resource.group"),
        ("resource", "request.resource.resource"),
        ("prefixed", f"request.name.startsWith('{PREFIX}-')"),
        ("own", f"({_own('object')}) && ({_own('oldObject')})"),
        (
            "free",
            f"variables.group in ['{GROUP}', 'authorization.k8s.io', 'authentication.k8s.io'] "
            "|| variables.resource == 'events'",
        ),
        (
            "tools",
            "variables.prefixed && (variables.resource in ['validatingwebhookconfigurations', "
            f"'mutatingwebhookconfigurations'] || ({at_home} && "
            "variables.resource in ['leases', 'secrets']))",
        ),
        ("account", "variables.resource == 'serviceaccounts' && variables.prefixed && request.operation == 'CREATE'"),
        ("pod", _pod_of()),
    ]


def _pod_of() -> str:
    return (
        "variables.resource in ['jobs', 'deployments'] && object != null && has(object.spec) && "
        "has(object.spec.template) ? dyn(object.spec.template.spec) : dyn({})"
    )


def _validations(system: str) -> Iterator[tuple[str, str]]:
    """Each expression that must hold, and what is said where it does not."""
    rbac = "variables.group == 'rbac.authorization.k8s.io'"
    forbidden = ", ".join(f"'{name}'" for name in FORBIDDEN)
    yield (
        f"!(variables.place in [{forbidden}])",
        "the controller writes nothing into the namespaces of the cluster",
    )
    yield (
        "request.operation != 'CONNECT' && (!has(request.subResource) || request.subResource == '' || "
        f"variables.group == '{GROUP}')",
        "the controller neither connects to anything nor uses subresources",
    )
    yield (
        "variables.free || variables.tools || variables.account || variables.own",
        "the controller writes only what it made itself: its labels are not on this object",
    )
    yield f"!({rbac}) || variables.place != '{system}'", "no run has rights in the system namespace"
    yield (
        f"!({rbac}) || [object, oldObject].all(o, o == null || '{LABEL_RUN_UID}' in o.metadata.labels)",
        "the controller gives rights to runs alone",
    )
    yield (
        f"!({rbac}) || object == null || !has(object.subjects) || "
        "object.subjects.all(s, s.kind == 'ServiceAccount' && s.name == object.metadata.name)",
        "a run's rights are bound to its own account alone",
    )
    yield (
        f"!({rbac}) || object == null || !has(object.rules) || !object.rules.exists(r, has(r.resources) && "
        "r.resources.exists(one, one == '*' || one.split('/')[0] == 'secrets')) || "
        "authorizer.group('').resource('secrets').namespace(variables.place).check('list').allowed()",
        f"secrets are granted only where {GRANTABLE} has them: the controller itself looks at single ones",
    )
    yield (
        "!has(variables.pod.hostNetwork) && !has(variables.pod.hostPID) && !has(variables.pod.hostIPC) && "
        "(!has(variables.pod.volumes) || variables.pod.volumes.all(v, !has(v.hostPath)))",
        "nothing that the controller starts reaches into its node",
    )
