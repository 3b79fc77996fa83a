"""The CustomResourceDefinitions, as documents. Pure: the same models give the same definitions."""

from __future__ import annotations

from typing import Any

from sympozium_controller.crds.kinds import CATEGORY, GROUP, KINDS, VERSION, Kind
from sympozium_controller.crds.rules import FINAL_PHASE
from sympozium_controller.crds.schema import Schema, structural


def documents() -> tuple[dict[str, Any], ...]:
    """One CustomResourceDefinition per kind, to be applied before anything of them."""
    return tuple(definition(kind) for kind in KINDS)


def definition(kind: Kind) -> dict[str, Any]:
    """The definition of one kind."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{kind.plural}.{GROUP}",
            "labels": {"app.kubernetes.io/name": "sympozium", "app.kubernetes.io/part-of": "sympozium"},
        },
        "spec": {
            "group": GROUP,
            "names": {
                "kind": kind.name,
                "listKind": f"{kind.name}List",
                "plural": kind.plural,
                "singular": kind.name.lower(),
                "shortNames": [kind.short],
                "categories": [CATEGORY],
            },
            "scope": "Namespaced",
            "versions": [_version(kind)],
        },
    }


def _version(kind: Kind) -> dict[str, Any]:
    return {
        "name": VERSION,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema(kind)},
        "subresources": {"status": {}},
        "additionalPrinterColumns": [column.document() for column in kind.columns],
    }


def schema(kind: Kind) -> Schema:
    """Of a whole object."""
    spec = kind.model.model_fields["spec"]
    assert isinstance(spec.annotation, type)
    found: Schema = {
        "type": "object",
        "description": kind.model.__doc__,
        "required": ["spec"],
        "properties": {
            "metadata": {"type": "object", "properties": {"name": kind.name_schema()}},
            "spec": structural(spec.annotation) | {"description": spec.description},
            "status": structural(kind.status, defaults=False),
        },
    }
    if kind.name == "AgentRun":
        found["x-kubernetes-validations"] = [FINAL_PHASE.document()]
    return found
