"""What users may do, as ClusterRoles that add to Kubernetes' own view, edit and admin. Pure.

Nobody but the control plane writes a status. ``approve`` and ``send`` are verbs of agentruns that no request of
the API server has: the bus asks whether a person holds them. Policies bind whoever edits, so they are admin's.
"""

from __future__ import annotations

from typing import Any, Final

from sympozium_controller.crds.kinds import GROUP, KINDS

_READ: Final = ("get", "list", "watch")
_WRITE: Final = ("create", "update", "patch", "delete", "deletecollection")
_ALL: Final = tuple(kind.plural for kind in KINDS)
_RUNS: Final = "agentruns"
_POLICIES: Final = "sympoziumpolicies"


def roles() -> tuple[dict[str, Any], ...]:
    """sympozium-view, sympozium-edit and sympozium-admin."""
    edited = tuple(plural for plural in _ALL if plural != _POLICIES)
    return (
        _role("view", _rule(_ALL, _READ)),
        _role("edit", _rule(edited, _WRITE), _rule((_RUNS,), ("cancel",))),
        _role("admin", _rule((_POLICIES,), _WRITE), _rule((_RUNS,), ("approve", "send"))),
    )


def _role(name: str, *rules: dict[str, list[str]]) -> dict[str, Any]:
    """Kubernetes' edit has what is added to view, and its admin what is added to edit: each states the rest."""
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {
            "name": f"sympozium-{name}",
            "labels": {
                "app.kubernetes.io/part-of": "sympozium",
                f"rbac.authorization.k8s.io/aggregate-to-{name}": "true",
            },
        },
        "rules": list(rules),
    }


def _rule(resources: tuple[str, ...], verbs: tuple[str, ...]) -> dict[str, list[str]]:
    return {"apiGroups": [GROUP], "resources": list(resources), "verbs": list(verbs)}
