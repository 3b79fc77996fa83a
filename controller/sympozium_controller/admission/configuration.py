"""What makes the API server ask: the webhook configurations. Pure.

They fail closed, and keep away what needs no judgement, so that nothing of it waits for us: deletions, status,
finalizers, specs that do not change, the cancelling of a run (whose spec changes in nothing else). The CEL here is
that of Kubernetes 1.30.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sympozium_controller.names import LABEL_COMPONENT, LABEL_MANAGED_BY, MANAGED_BY
from sympozium_protocol.kube.api import KubeObject
from sympozium_protocol.kube.resources import (
    GROUP,
    INSTANCES,
    MCP_SERVERS,
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


CHANGED: Final = _condition("changed", _CREATED, _SPEC_CHANGED)


def _bootstrap(system: str) -> dict[str, str]:
    """Who may do everything installs the packs of the system namespace, also while nobody answers here."""
    everything = "authorizer.group('*').resource('*').check('*').allowed()"
    return _condition("not-installed", f"request.namespace != '{system}'", f"!{everything}")


def documents(
    where: Where, *, system: str, bundle: str = "", selector: Mapping[str, Any] | None = None, name: str = NAME
) -> tuple[KubeObject, KubeObject]:
    """The validating and the mutating configuration.

    ``bundle``: base64 of the authorities in PEM; left out, whoever leads the controllers fills it in. ``selector``: a
    label selector for namespaces, for an installation that shares its cluster with another; absent: all of them.
    """
    validating = (
        _webhook("runs", (RUNS,), ("CREATE",)),
        _webhook("objects", (INSTANCES, POLICIES, MCP_SERVERS), ("CREATE", "UPDATE"), CHANGED),
        _webhook("packs", (SKILL_PACKS,), ("CREATE", "UPDATE"), CHANGED, _bootstrap(system)),
    )
    mutating = (_webhook("requester", (RUNS,), ("CREATE",)),)

    def complete(webhooks: Iterable[Mapping[str, Any]], path: str) -> list[dict[str, Any]]:
        selected = {"namespaceSelector": dict(selector)} if selector else {}
        return [{**one, "clientConfig": where.client(path, bundle), **selected} for one in webhooks]

    return (
        _document(WEBHOOKS, name, complete(validating, JUDGE)),
        _document(
            MUTATING_WEBHOOKS, name, [one | {"reinvocationPolicy": "IfNeeded"} for one in complete(mutating, STAMP)]
        ),
    )


def _webhook(
    name: str, kinds: Iterable[Resource], operations: Iterable[str], *conditions: Mapping[str, str]
) -> dict[str, Any]:
    rule = {
        "apiGroups": [GROUP],
        "apiVersions": [VERSION],
        "operations": list(operations),
        "resources": [kind.plural for kind in kinds],
        "scope": "Namespaced",
    }
    found = {
        "name": f"{name}.admission.{GROUP}",
        "rules": [rule],
        "admissionReviewVersions": ["v1"],
        "failurePolicy": "Fail",
        "matchPolicy": "Equivalent",
        "sideEffects": "None",
        "timeoutSeconds": TIMEOUT,
    }
    return found | ({"matchConditions": [dict(one) for one in conditions]} if conditions else {})


def _document(resource: Resource, name: str, webhooks: list[dict[str, Any]]) -> KubeObject:
    labels = {LABEL_MANAGED_BY: MANAGED_BY, LABEL_COMPONENT: "admission"}
    return {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": {"name": name, "labels": labels},
        "webhooks": webhooks,
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
