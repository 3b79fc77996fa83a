"""docs/cluster.md says which rights of the shipped packs Kubernetes' `edit` lacks, and how somebody gives one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.cluster import Cluster
from tests.support.controlling import until

ROOT = Path(__file__).resolve().parents[2]
SECTION = (ROOT / "docs/cluster.md").read_text().partition("### Packs with rights\n")[2].partition("\n## ")[0]
EDITOR = "documented-editor"

pytestmark = pytest.mark.xdist_group("edit")  # one of them changes what `edit` holds in the whole cluster


@pytest.fixture
def place(cluster: Cluster) -> Iterator[str]:
    """A namespace that somebody may edit."""
    with cluster.namespace() as name:
        cluster.kubectl("create", "rolebinding", EDITOR, "--clusterrole=edit", f"--user={EDITOR}", "-n", name)
        yield name


def sidecars() -> Iterator[tuple[str, dict[str, Any]]]:
    for file in sorted((ROOT / "sidecars/packs/sympozium_packs").glob("*/pack.yaml")):
        yield file.parent.name, yaml.safe_load(file.read_text()).get("sidecar") or {}


def rights(rules: list[dict[str, Any]]) -> Iterator[tuple[str, str, str]]:
    for rule in rules:
        yield from ((g, r, v) for g in rule["apiGroups"] for r in rule["resources"] for v in rule["verbs"])


def lacked(cluster: Cluster, namespace: str, wanted: list[tuple[str, str, str]]) -> set[tuple[str, str, str]]:
    """Group, resource and verb of what the editor may not do there; no ``namespace``: everywhere."""
    if not wanted:
        return set()
    asked = [json.dumps(review(namespace, *right)) for right in wanted]
    told = cluster.kubectl("create", "-f", "-", "-o", "json", stdin="\n".join(asked))
    found = re.findall(r'"allowed": (true|false)', told)
    assert len(found) == len(wanted)
    return {right for right, allowed in zip(wanted, found, strict=True) if allowed == "false"}


def review(namespace: str, group: str, resource: str, verb: str) -> dict[str, Any]:
    name, _, part = resource.partition("/")
    what = {"namespace": namespace, "group": group, "resource": name, "subresource": part, "verb": verb}
    spec = {"user": EDITOR, "groups": ["system:authenticated"], "resourceAttributes": what}
    return {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}


def test_what_edit_lacks_of_the_shipped_packs_is_what_the_page_says(cluster: Cluster, place: str) -> None:
    found = {name: lacked(cluster, place, list(rights(one.get("rbac", [])))) for name, one in sidecars()}
    assert {name for name, lacks in found.items() if lacks} == {"k8s-ops", "sre-observability"}
    assert {(group, resource) for lacks in found.values() for group, resource, _ in lacks} == {
        ("metrics.k8s.io", "pods")
    }
    everywhere = {name for name, one in sidecars() if lacked(cluster, "", list(rights(one.get("clusterRBAC", []))))}
    assert everywhere == {"llmfit"}
    assert all(f"`{name}`" in SECTION for name in ("k8s-ops", "sre-observability", "llmfit", "metrics.k8s.io"))


def test_the_role_of_the_page_gives_it_to_all_who_may_edit(cluster: Cluster, place: str) -> None:
    (text,) = re.findall(r"```yaml\n(.*?)```", SECTION, re.DOTALL)
    role = yaml.safe_load(text)
    cluster.apply(role)
    wanted = [right for _, one in sidecars() for right in rights(one.get("rbac", []))]
    try:
        until("edit holds all that packs name", lambda: not lacked(cluster, place, wanted))
    finally:
        cluster.kubectl("delete", "clusterrole", role["metadata"]["name"])
