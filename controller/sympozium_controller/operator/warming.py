"""One plan that nobody runs, made before there is work: models are built at their first use, which takes a while."""

from __future__ import annotations

from typing import Any

from sympozium_controller.lifecycle.gather import gather
from sympozium_controller.lifecycle.plan import Place, plan
from sympozium_controller.objects import AgentRun, Object
from sympozium_controller.operator.reading import read


def _object(kind: str, spec: dict[str, Any]) -> dict[str, Any]:
    metadata = {"name": "warm", "namespace": "warm", "uid": "warm"}
    return {"apiVersion": "sympozium.ai/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec}


def warm(place: Place) -> None:
    """Pure but for the models' own."""
    instance = read(_object("SympoziumInstance", {"provider": {"name": "scripted"}, "skills": []}))
    run = _object("AgentRun", {"instanceRef": "warm", "input": "x"})
    asked = read(run)
    assert isinstance(asked, AgentRun)

    def find(kind: str, _namespace: str, _name: str) -> Object | None:
        return instance if kind == "SympoziumInstance" else None

    plan(run, asked, gather(asked, find, lambda _: (), "warm", {}), place, 0.0)
