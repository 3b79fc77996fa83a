"""What makes the API server ask: the webhook configurations. Pure.

They fail closed, and keep away what needs no judgement, so that nothing of it waits for us: deletions, status,
finalizers, specs that do not change, the cancelling of a run (whose spec changes in nothing else). The CEL here is
that of Kubernetes 1.30.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sympozium_controller.admission.authors import ANNOTATION_AUTHOR, STAMP as AUTHOR
from sympozium_controller.names import (
    ANNOTATION_CANCELLER,
    ANNOTATION_REQUESTER,
    LABEL_COMPONENT,
    LABEL_MANAGED_BY,
    MANAGED_BY,
)
from sympozium_protocol.kube.api import KubeObject
from sympozium_protocol.kube.resources import (
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    GROUP,
    INSTANCES,
    MCP_SERVERS,
    MUTATING_BINDINGS,
    MUTATING_POLICIES,
    MUTATING_WEBHOOKS,
    POLICIES,
    RUNS,
    SKILL_PACKS,
    VERSION,
    WEBHOOKS,
    Resource,
)

NAME: Final = "sympozium-admission"
"""Of both configurations, of the Service, and of the Secret with the certificates."""
ACCOUNT: Final = "sympozium-controller"
"""Of the program that serves it."""
JUDGE: Final = "/judge"
STAMP: Final = "/stamp"
TIMEOUT: Final = 10
"""Seconds that the API server waits; the server answers before."""
PORT: Final = 8443
SERVICE_PORT: Final = 443


@dataclass(frozen=True, slots=True)
class Where:
    """The server: a Service of that namespace, or (for tests and servers outside) a URL without a path."""

    namespace: str = ""
    service: str = NAME
    url: str = ""

    def client(self, path: str, bundle: str) -> dict[str, Any]:
        if self.url:
            found: dict[str, Any] = {"url": f"{self.url}{path}"}
        else:
            place = {"namespace": self.namespace, "name": self.service, "path": path, "port": SERVICE_PORT}
            found = {"service": place}
        return found | ({"caBundle": bundle} if bundle else {})


_CREATED: Final = "request.operation == 'CREATE'"
_SPEC_CHANGED: Final = "has(object.spec) != has(oldObject.spec) || (has(object.spec) && object.spec != oldObject.spec)"


def _condition(name: str, *expressions: str) -> dict[str, str]:
    return {"name": name, "expression": " || ".join(f"({one})" for one in expressions)}


_REQUESTER: Final = "request.userInfo.username"
_WRITTEN: Final = ("CREATE", "UPDATE")


def _held(of: str) -> str:
    there = f"has({of}.metadata.annotations) && '{ANNOTATION_AUTHOR}' in {of}.metadata.annotations"
    return f"({there} ? {of}.metadata.annotations['{ANNOTATION_AUTHOR}'] : '')"


_AUTHOR: Final = f"({_CREATED} || {_SPEC_CHANGED}) ? ({AUTHOR}) : {_held('oldObject')}"
_RESTAMPED: Final = _condition("restamped", _CREATED, _SPEC_CHANGED, f"{_held('object')} != {_held('oldObject')}")
_CANCELS: Final = _condition("cancels", "object.spec.?cancel.orValue(false) && !oldObject.spec.?cancel.orValue(false)")
CHANGED: Final = _condition("changed", _CREATED, _SPEC_CHANGED)


def _bootstrap(system: str) -> dict[str, str]:
    """Who may do everything installs the packs of the system namespace, also while nobody answers here."""
    everything = "authorizer.group('*').resource('*').check('*').allowed()"
    return _condition("not-installed", f"request.namespace != '{system}'", f"!{everything}")


def documents(
    where: Where,
    *,
    system: str,
    bundle: str = "",
    selector: Mapping[str, Any] | None = None,
    name: str = NAME,
    policies: bool = True,
    account: str = ACCOUNT,
) -> tuple[KubeObject, ...]:
    """All of it, to be applied once a server answers at ``where``.

    ``bundle``: base64 of the authorities in PEM; left out, whoever leads the controllers fills it in. ``selector``: a
    label selector for namespaces, for an installation that shares its cluster with another; absent: all of them.
    ``policies``: does the cluster have MutatingAdmissionPolicy (v1, from 1.36 on)? Else a second webhook takes its
    place, and ``account`` of the system namespace gets the right to keep that one's authorities.
    """
    scope = {"namespaceSelector": dict(selector)} if selector else {}

    def complete(path: str, *webhooks: Mapping[str, Any]) -> list[dict[str, Any]]:
        return [{**one, "clientConfig": where.client(path, bundle), **scope} for one in webhooks]

    judging = complete(
        JUDGE,
        _webhook("runs", (RUNS,), ("CREATE",)),
        _webhook("objects", (INSTANCES, POLICIES, MCP_SERVERS), _WRITTEN, CHANGED),
        _webhook("packs", (SKILL_PACKS,), _WRITTEN, CHANGED, _bootstrap(system)),
    )
    validating = _document(WEBHOOKS, name, webhooks=judging)
    if policies:
        return (
            validating,
            *_stamping_policy(
                f"{name}-requester", _rule((RUNS,), ("CREATE",)), ANNOTATION_REQUESTER, _REQUESTER, scope
            ),
            *_stamping_policy(f"{name}-author", _rule((INSTANCES,), _WRITTEN), ANNOTATION_AUTHOR, _AUTHOR, scope),
            *_stamping_policy(
                f"{name}-canceller", _rule((RUNS,), ("UPDATE",)), ANNOTATION_CANCELLER, _REQUESTER, scope, _CANCELS
            ),
        )
    again = {"reinvocationPolicy": "IfNeeded"}
    stamping = complete(
        STAMP,
        _webhook("requester", (RUNS,), ("CREATE",)) | again,
        _webhook("author", (INSTANCES,), _WRITTEN, _RESTAMPED) | again,
    )
    mutating = _document(MUTATING_WEBHOOKS, name, webhooks=stamping)
    return (validating, mutating, *_right_to_keep(name, system, account))


def _stamping_policy(
    name: str,
    rule: Mapping[str, Any],
    annotation: str,
    value: str,
    scope: Mapping[str, Any],
    *conditions: Mapping[str, str],
) -> tuple[KubeObject, KubeObject]:
    """An annotation that is written by the API server itself."""
    held: dict[str, Any] = {"matchConditions": [dict(one) for one in conditions]} if conditions else {}
    spec = held | {
        "matchConstraints": {"resourceRules": [dict(rule)], **scope},
        "failurePolicy": "Fail",
        "reinvocationPolicy": "IfNeeded",
        "mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression": _annotated(annotation, value)}}],
    }
    return (
        _document(MUTATING_POLICIES, name, spec=spec),
        _document(MUTATING_BINDINGS, name, spec={"policyName": name}),
    )


def _annotated(annotation: str, value: str) -> str:
    """As a JSON patch: an ApplyConfiguration is tried on the object's type, before the schema says what is wrong."""
    path = "/metadata/annotations"
    key = annotation.replace("~", "~0").replace("/", "~1")
    one = f"JSONPatch{{op: 'add', path: '{path}/{key}', value: {value}}}"
    whole = f"JSONPatch{{op: 'add', path: '{path}', value: {{'{annotation}': {value}}}}}"
    return f"[has(object.metadata.annotations) ? {one} : {whole}]"


def _right_to_keep(name: str, system: str, account: str) -> tuple[KubeObject, KubeObject]:
    rule = {
        "apiGroups": [MUTATING_WEBHOOKS.group],
        "resources": [MUTATING_WEBHOOKS.plural],
        "resourceNames": [name],
        "verbs": ["get", "patch"],
    }
    subject = {"kind": "ServiceAccount", "name": account, "namespace": system}
    role = {"apiGroup": CLUSTER_ROLES.group, "kind": CLUSTER_ROLES.kind, "name": f"{name}-requester"}
    return (
        _document(CLUSTER_ROLES, role["name"], rules=[rule]),
        _document(CLUSTER_ROLE_BINDINGS, role["name"], roleRef=role, subjects=[subject]),
    )


def _webhook(
    name: str, kinds: Iterable[Resource], operations: Iterable[str], *conditions: Mapping[str, str]
) -> dict[str, Any]:
    found = {
        "name": f"{name}.admission.{GROUP}",
        "rules": [_rule(kinds, operations)],
        "admissionReviewVersions": ["v1"],
        "failurePolicy": "Fail",
        "matchPolicy": "Equivalent",
        "sideEffects": "None",
        "timeoutSeconds": TIMEOUT,
    }
    return found | ({"matchConditions": [dict(one) for one in conditions]} if conditions else {})


def _rule(kinds: Iterable[Resource], operations: Iterable[str]) -> dict[str, Any]:
    return {
        "apiGroups": [GROUP],
        "apiVersions": [VERSION],
        "operations": list(operations),
        "resources": [kind.plural for kind in kinds],
        "scope": "Namespaced",
    }


def _document(resource: Resource, name: str, **parts: Any) -> KubeObject:
    labels = {LABEL_MANAGED_BY: MANAGED_BY, LABEL_COMPONENT: "admission"}
    return {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": {"name": name, "labels": labels},
        **parts,
    }


def bundle_patch(found: KubeObject, bundle: str) -> KubeObject | None:
    """What to apply to a configuration so that it trusts ``bundle``; None when it does already."""
    webhooks = found.get("webhooks") or []
    if all((one.get("clientConfig") or {}).get("caBundle") == bundle for one in webhooks):
        return None
    return {
        "apiVersion": found["apiVersion"],
        "kind": found["kind"],
        "metadata": {"name": found["metadata"]["name"]},
        "webhooks": [{"name": one["name"], "clientConfig": {"caBundle": bundle}} for one in webhooks],
    }
