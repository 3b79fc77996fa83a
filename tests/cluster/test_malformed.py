"""Objects that are written wrong, and came before admission was there: each is told of, and none stops another."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.cluster import Cluster
from tests.support.cluster_definitions import define_kinds
from tests.support.controlling import Operator, Place, completed, operating, until

HTTP = {"transport": "http", "url": "https://mcp.example/x"}
SCRIPTED = {"name": "scripted"}
OPENAI = {"name": "openai", "model": "m", "apiKeySecret": "key"}
INSTANCES: dict[str, tuple[dict[str, Any], str]] = {
    "options": (
        {"provider": SCRIPTED | {"options": {"maxOutputTokens": {"a": 1}}}},
        "provider.options.maxOutputTokens",
    ),
    "skill-params": ({"skills": [{"skillPackRef": "shell", "params": {"a": [1]}}]}, "spec.skills.0"),
    "provider": ({"provider": {"name": "nobody-knows"}}, "spec.provider.name"),
    "no-address": ({"provider": OPENAI | {"baseURL": "https://[::1"}}, "spec.provider.baseURL"),
    "no-port": ({"provider": OPENAI | {"baseURL": "https://models.example:99999"}}, "spec.provider.baseURL"),
}
"""By name: what else than a right instance's spec, and the field that is to be told."""
OTHERS: dict[tuple[str, str], tuple[dict[str, Any], str]] = {
    ("SkillPack", "parameters"): (
        {"sidecar": {"tools": [{"name": "t", "argv": ["ls"], "parameters": {"type": "object", "properties": 7}}]}},
        "spec.sidecar.tools.0.parameters",
    ),
    ("SkillPack", "reach"): ({"sidecar": {"commands": ["ls"], "egress": ["anywhere"]}}, "spec.sidecar.egress.0"),
    ("SympoziumPolicy", "native"): ({"template": "Default", "requireApproval": ["read_file"]}, "spec.requireApproval"),
    ("SympoziumPolicy", "registry"): (
        {"template": "Default", "images": {"registries": ["https://registry.example"]}},
        "spec.images.registries.0",
    ),
    ("MCPServer", "address"): (HTTP | {"url": "ftp://mcp.example"}, "spec.url"),
    ("MCPServer", "header"): (HTTP | {"headers": {"Authorization": "Bearer x"}}, "spec.headers.Authorization"),
}


@pytest.fixture(scope="module")
def place(cluster: Cluster) -> Iterator[Place]:
    define_kinds(cluster)
    with cluster.namespace() as name:
        found = Place(cluster, name)
        found.apply("SkillPack", "shell", {"sidecar": {"commands": ["ls"]}})
        cluster.kubectl("create", "secret", "generic", "key", "--from-literal=apiKey=x", "-n", name)
        for named, (spec, _) in INSTANCES.items():
            found.instance(named, **spec)
            found.run(f"of-{named}", instance=named)
        for (kind, named), (spec, _) in OTHERS.items():
            found.apply(kind, named, spec)
        yield found


@pytest.fixture(scope="module")
def controller(place: Place, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    """It finds them all when it starts."""
    deep(place, "deep", 3000)
    deep(place, "less-deep", 300)
    place.instance("sound")
    with operating(place.cluster, place.namespace, tmp_path_factory.mktemp("controller")) as found:
        yield found


def deep(place: Place, name: str, levels: int) -> None:
    """An instance that kubectl does not write so, and the API server takes."""
    nested = '{"a":' * levels + "1" + "}" * levels
    head = f'"apiVersion":"sympozium.ai/v1alpha1","kind":"SympoziumInstance","metadata":{{"name":"{name}"}}'
    text = f'{{{head},"spec":{{"provider":{{"name":"scripted","options":{{"x":{nested}}}}},"skills":[]}}}}'
    path = f"/apis/sympozium.ai/v1alpha1/namespaces/{place.namespace}/sympoziuminstances"
    place.cluster.kubectl("create", "--raw", path, "-f", "-", stdin=text)


def not_ready(place: Place, kind: str, name: str) -> tuple[str, str]:
    """Reason and message of the condition Ready, once it is False; an event says the same."""
    words = '{range .status.conditions[?(@.type=="Ready")]}{.status}{"\\t"}{.reason}{"\\t"}{.message}{end}'

    def look() -> tuple[str, str] | None:
        told = place.cluster.kubectl("get", kind, name, "-n", place.namespace, "-o", f"jsonpath={words}").split("\t")
        return (told[1], told[2]) if told[0] == "False" else None

    reason, message = until(f"{kind} {name} is told of", look)
    about = f"involvedObject.kind={kind},involvedObject.name={name}"

    def event() -> bool:
        return any(one["message"] == message for one in place.items("events", "--field-selector", about))

    until(f"an event says what is wrong with {kind} {name}", event)
    return reason, message


@pytest.mark.parametrize("name", INSTANCES)
def test_a_malformed_instance_is_told_of_and_so_are_its_runs(place: Place, controller: Operator, name: str) -> None:
    field = INSTANCES[name][1]
    reason, message = not_ready(place, "SympoziumInstance", name)
    assert reason == "InvalidDocument"
    assert field in message
    status = place.becomes(f"of-{name}", "Failed", "InvalidDocument")
    assert field in status["message"]
    assert place.is_told(f"of-{name}", "InvalidDocument")[2] == status["message"]
    assert not place.jobs(f"of-{name}")


@pytest.mark.parametrize("name", ["deep", "less-deep"])
def test_an_instance_that_is_nested_deeper_than_programs_read_is_told_of(
    place: Place, controller: Operator, name: str
) -> None:
    reason, message = not_ready(place, "SympoziumInstance", name)
    assert reason == "InvalidDocument"
    assert "spec.provider.options.x.a" in message
    assert "nested too deeply" in message
    place.run(f"of-{name}", instance=name)
    assert "nested too deeply" in place.becomes(f"of-{name}", "Failed", "InvalidDocument")["message"]


@pytest.mark.parametrize(("kind", "name"), OTHERS)
def test_a_malformed_pack_policy_or_server_is_told_of(place: Place, controller: Operator, kind: str, name: str) -> None:
    reason, message = not_ready(place, kind, name)
    assert reason in ("InvalidDocument", "InvalidPack", "PolicyUnsatisfiable")
    assert OTHERS[kind, name][1] in message


def test_what_only_the_cluster_can_judge_ends_the_run_in_its_words(place: Place, controller: Operator) -> None:
    place.instance("tolerant", podTemplate={"tolerations": [{"key": "a", "operator": "Sometimes"}]})
    place.run("of-tolerant", instance="tolerant")
    message = place.becomes("of-tolerant", "Failed", "InvalidDocument")["message"]
    assert "tolerations[0].operator" in message
    assert '"Sometimes"' in message


def test_what_is_mended_is_ready(place: Place, controller: Operator) -> None:
    place.apply("SympoziumPolicy", "mended", {"template": "Default", "egress": {"allow": ["nowhere"]}})
    assert "spec.egress.allow.0" in not_ready(place, "SympoziumPolicy", "mended")[1]
    place.apply("SympoziumPolicy", "mended", {"template": "Default", "egress": {"allow": ["10.0.0.0/8:443"]}})

    def ready() -> bool:
        conditions = place.get("SympoziumPolicy", "mended").get("status", {}).get("conditions", ())
        return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)

    until("it is ready", ready)


def test_none_of_them_stops_what_is_right(place: Place, controller: Operator) -> None:
    place.run("of-sound", instance="sound")
    place.ends(place.pod("of-sound"), completed())
    place.becomes("of-sound", "Succeeded")
    assert controller.process.poll() is None
