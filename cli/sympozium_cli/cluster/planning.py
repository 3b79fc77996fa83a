"""What ``run --on cluster`` applies and creates: the documents as they are, and one new AgentRun. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sympozium_cli.cluster.applying import Document
from sympozium_controller.objects.units import parse_duration
from sympozium_protocol.exits import Ended, Reason
from sympozium_protocol.kube.api import KubeObject
from sympozium_protocol.kube.resources import RUNS

LONGEST_PREFIX: Final = 57
"""Characters of a generated name before its dash: the API server adds five, and a run's name should fit a label."""


@dataclass(frozen=True, slots=True)
class Said:
    """What the command line says of the run; empty or None: nothing. ``timeout`` is text."""

    text: str = ""
    instance: str = ""
    namespace: str = ""
    policy: str = ""
    timeout: str = ""
    steps: int | None = None
    tokens: int | None = None
    usd: float | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """``applied`` comes first. ``run`` has no name yet: each is a new one. ``namespace`` is empty where nobody names
    any."""

    applied: tuple[Document, ...]
    run: KubeObject
    namespace: str


def plan(documents: Sequence[Document], said: Said) -> Plan:
    """Raises Ended (Usage)."""
    runs = [one for one in documents if one.value["kind"] == RUNS.kind]
    asked = _asked(runs, said)
    instance, place = (asked["spec"]["instanceRef"], asked) if asked else _instance(documents, said)
    namespace = _namespace(place, said)
    spec = {**(asked["spec"] if asked else {}), "instanceRef": instance, **_input(asked, said), **_policy(asked, said)}
    if limits := _limits(spec.get("limits") or {}, said):
        spec["limits"] = limits
    base = asked["metadata"]["name"] if asked else instance
    metadata: dict[str, Any] = {"generateName": f"{base[:LONGEST_PREFIX].rstrip('.-')}-"}
    for name in ("labels", "annotations"):
        if asked and asked["metadata"].get(name):
            metadata[name] = asked["metadata"][name]
    run = {"apiVersion": RUNS.api_version, "kind": RUNS.kind, "metadata": metadata, "spec": spec}
    return Plan(tuple(one for one in documents if one not in runs), run, namespace)


def _wrong(option: str, why: str) -> Ended:
    return Ended(Reason.Usage, f"command line: {option}: {why}")


def _asked(runs: Sequence[Document], said: Said) -> KubeObject | None:
    """The AgentRun of the documents that is meant, if there is one."""
    meant = [one.value for one in runs if said.instance in ("", one.value["spec"]["instanceRef"])]
    if len(meant) > 1:
        names = ", ".join(one["metadata"]["name"] for one in meant)
        raise _wrong(
            "--file", f"there are several AgentRuns: {names}; pick one with --instance, or give its file alone"
        )
    if meant and meant[0]["spec"].get("cancel"):
        raise _wrong("--file", f"the AgentRun {meant[0]['metadata']['name']} is cancelled already")
    return meant[0] if meant else None


def _instance(documents: Sequence[Document], said: Said) -> tuple[str, KubeObject | None]:
    """The instance's name, and its document where it is among them."""
    found = [one for one in documents if one.value["kind"] == "SympoziumInstance"]
    if said.instance:
        return said.instance, next((one.value for one in found if one.name == said.instance), None)
    if len(found) == 1:
        return found[0].name, found[0].value
    if found:
        names = ", ".join(one.name for one in found)
        raise _wrong("--instance", f"there are several SympoziumInstances: {names}; name one")
    raise _wrong("--instance", "missing: name an instance of the cluster, or give one with -f")


def _namespace(place: KubeObject | None, said: Said) -> str:
    own = str(place["metadata"].get("namespace") or "") if place else ""
    if own and said.namespace and own != said.namespace:
        raise _wrong("--namespace", f"{said.namespace}: the document says {own}")
    return said.namespace or own


def _input(asked: KubeObject | None, said: Said) -> dict[str, str]:
    if not (asked or said.text):
        raise _wrong("INPUT", "missing: say what is to be done, or give an AgentRun with -f")
    return {"input": said.text} if said.text else {}


def _policy(asked: KubeObject | None, said: Said) -> dict[str, str]:
    own = str(asked["spec"].get("policy") or "") if asked else ""
    if own and said.policy and own != said.policy:
        raise _wrong("--policy", f"the AgentRun names {own} already; a run has one policy beside its instance's")
    return {"policy": said.policy} if said.policy else {}


def _limits(own: Mapping[str, Any], said: Said) -> dict[str, Any]:
    """The document's, tightened by what the command line says."""
    try:
        timeout = parse_duration(said.timeout) if said.timeout else 0.0
        before = parse_duration(str(own.get("timeout") or "0"))
    except ValueError as error:
        raise _wrong("--timeout", str(error)) from None
    found = dict(own)
    if timeout and not 0 < before <= timeout:
        found["timeout"] = said.timeout
    for name, value in (("steps", said.steps), ("tokens", said.tokens), ("usd", said.usd)):
        if value is not None and value < 0:
            raise _wrong(f"--max-{name}", "must be 0 or more")
        if value and not 0 < (own.get(name) or 0) <= value:
            found[name] = value
    return found
