"""Gateways and memories in a cluster: which there are, what their pods may do, when a memory runs."""

from __future__ import annotations

import re
from typing import Any

import pytest

from sympozium_controller.documents import parse
from sympozium_controller.lifecycle import gateways, remembering, services
from sympozium_controller.lifecycle.plan import Place, elsewhere
from sympozium_controller.names import gateway_service, memory_service
from sympozium_controller.objects import SympoziumInstance
from sympozium_controller.render.kubernetes import Bus, Images

PLACE = Place(Images("registry.example/s", "1"), Bus("tls://sympozium-bus.sympozium-system.svc:4222", ca="PEM"))
NEAR = Place(Images("s", "1"), Bus("nats://sympozium-bus.sympozium-system.svc:4222", address="10.96.0.7"))
HEAD = "apiVersion: sympozium.ai/v1alpha1\nkind: SympoziumInstance\n"


def instance(name: str = "watch", provider: str = "name: openai, apiKeySecret: keys, model: m", **more: str) -> Any:
    rest = "".join(f", {key}: {value}" for key, value in more.items())
    text = f"{HEAD}metadata: {{name: {name}, namespace: ops, uid: u-{name}}}\nspec: {{provider: {{{provider}}}{rest}}}"
    return parse([("i.yaml", text)]).all(SympoziumInstance)[0]


def deployed(one: SympoziumInstance, place: Place = PLACE, version: str = "") -> dict[str, Any]:
    found = gateways.gateway_of(one, "ops")
    assert found is not None
    return gateways.gateway(found, [services.owner(one)], place, version)


def container(document: dict[str, Any]) -> dict[str, Any]:
    return dict(document["spec"]["template"]["spec"]["containers"][0])


def test_instances_with_the_same_provider_address_and_key_share_a_gateway() -> None:
    other = instance("other", "name: openai, apiKeySecret: keys, model: another")
    third = instance("third", "name: openai, apiKeySecret: more, model: m")
    found = gateways.wanted([third, other, instance()], "ops")
    assert [[one.name for one in wanting] for _, wanting in found.values()] == [["other", "watch"], ["third"]]


@pytest.mark.parametrize(
    "provider",
    [
        "name: openai, apiKeySecret: keys, model: m",
        "name: ollama, baseURL: 'http://ollama.ml.svc:11434/v1', model: m",
        "name: anthropic, apiKeySecret: keys, model: m",
    ],
)
def test_a_run_calls_the_very_service_that_the_gateway_serves(provider: str) -> None:
    one = instance(provider=provider, memory="{enabled: true}")
    arguments = container(deployed(one))["args"]
    service = arguments[arguments.index("--service") + 1]
    memory = remembering.memory(one, "ops", 1, PLACE)
    assert elsewhere(one, "ops") == (
        f"model={service}",
        f"memory={memory['metadata']['labels']['sympozium.ai/service']}",
    )


def test_nobody_finds_the_name_of_anothers_service_by_trying() -> None:
    names = {gateway_service(of, "openai", "", "key") for of in "ab"} | {memory_service(of, "watch") for of in "ab"}
    assert len(names) == 4
    for name in names:
        kind, _, digits = name.partition("-")
        assert kind in ("model", "memory")
        assert re.fullmatch("[0-9a-f]{20}", digits), "80 bits"


def test_the_gateway_is_told_whom_it_serves_and_where_its_provider_is() -> None:
    one = instance(provider="name: ollama, baseURL: 'http://ollama.ml.svc:11434/v1', model: m")
    name = gateway_service("ops", "ollama", "http://ollama.ml.svc:11434/v1", "")
    assert container(deployed(one))["args"] == [
        *("sympozium-model", "--bus", "--service", name, "--provider", "openai"),
        *("--base-url", "http://ollama.ml.svc:11434/v1", "--namespace", "ops", "--grace", "20"),
    ]


def test_the_key_is_a_file_of_the_gateway_and_stands_in_no_variable() -> None:
    document = deployed(instance())
    volumes = {one["name"]: one for one in document["spec"]["template"]["spec"]["volumes"]}
    assert volumes["secrets"]["projected"]["sources"] == [
        {"secret": {"name": "keys", "items": [{"key": "apiKey", "path": "OPENAI_API_KEY"}]}}
    ]
    names = {one["name"] for one in container(document)["env"]}
    assert "SYMPOZIUM_SECRETS" in names
    assert "OPENAI_API_KEY" not in names


@pytest.mark.parametrize("kind", ["gateway", "memory"])
def test_services_have_the_walls_of_a_run_and_no_token_of_the_api_server(kind: str) -> None:
    one = instance(memory="{enabled: true}")
    document = deployed(one) if kind == "gateway" else remembering.memory(one, "ops", 1, PLACE)
    pod = document["spec"]["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["serviceAccountName"] == "sympozium-service"
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container(document)["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }
    tokens = [
        source["serviceAccountToken"]["audience"]
        for volume in pod["volumes"]
        for source in volume.get("projected", {}).get("sources", ())
        if "serviceAccountToken" in source
    ]
    assert tokens == ["sympozium-bus"]


def test_what_reaches_the_bus_alone_asks_no_name_server_and_a_gateway_does() -> None:
    one = instance(memory="{enabled: true}")
    memory, gateway = remembering.memory(one, "ops", 1, NEAR), deployed(one, NEAR)
    assert memory["spec"]["template"]["spec"]["dnsPolicy"] == "None"
    assert "dnsPolicy" not in gateway["spec"]["template"]["spec"]
    for document in (memory, gateway):
        assert document["spec"]["template"]["spec"]["hostAliases"] == [
            {"ip": "10.96.0.7", "hostnames": ["sympozium-bus.sympozium-system.svc"]}
        ]


def test_another_version_of_the_key_is_another_pod() -> None:
    one = instance()
    first, second = deployed(one, version="7"), deployed(one, version="8")
    assert first["spec"]["template"] != second["spec"]["template"]
    assert first["metadata"]["annotations"] != second["metadata"]["annotations"]
    assert deployed(one, version="7") == first


def test_no_text_of_an_instance_is_a_variable_to_the_kubelet() -> None:
    one = instance(provider="name: openai, apiKeySecret: keys, model: m, baseURL: 'https://x.example/$(HOME)'")
    assert "https://x.example/$$(HOME)" in container(deployed(one))["args"]


@pytest.mark.parametrize("provider", ["name: scripted", "name: replay", "name: nobody"])
def test_what_needs_no_gateway_gets_none(provider: str) -> None:
    assert gateways.gateway_of(instance(provider=provider), "ops") is None


@pytest.mark.parametrize(
    ("provider", "field"),
    [
        ("name: nobody", "spec.provider.name"),
        ("name: azure, apiKeySecret: keys", "spec.provider.baseURL"),
        ("name: ollama", "spec.provider.baseURL"),
        ("name: openai", "spec.provider.apiKeySecret"),
    ],
)
def test_a_provider_that_no_gateway_can_serve_is_named_by_its_field(provider: str, field: str) -> None:
    one = instance(provider=provider)
    fault = gateways.fault_of(one.spec.provider)
    assert fault is not None
    assert fault[0] == field
    assert gateways.wanted([one], "ops") == {}


def test_a_server_of_ones_own_needs_no_key() -> None:
    one = instance(provider="name: openai, baseURL: 'http://10.1.2.3:8000/v1', model: m")
    assert gateways.fault_of(one.spec.provider) is None
    assert "SYMPOZIUM_SECRETS" not in {env["name"] for env in container(deployed(one))["env"]}


def test_a_memory_in_the_pod_goes_with_one_run_at_a_time() -> None:
    assert remembering.fault_of(instance(memory="{enabled: true, placement: sidecar}")) is not None
    single = instance(memory="{enabled: true, placement: sidecar}", maxConcurrentRuns="1")
    assert remembering.fault_of(single) is None


def test_a_memory_to_be_retained_is_nobodys_and_another_goes_with_its_instance() -> None:
    kept = remembering.claim(instance(memory="{enabled: true, retain: Retain}"), "ops")
    gone = remembering.claim(instance(memory="{enabled: true}"), "ops")
    assert kept["metadata"]["ownerReferences"] == []
    assert [owner["uid"] for owner in gone["metadata"]["ownerReferences"]] == ["u-watch"]
    assert kept["metadata"]["name"] == "watch-memory"
    assert kept["spec"]["accessModes"] == ["ReadWriteOncePod"]


def test_a_claim_follows_a_change_of_retain_and_a_users_own_is_left_alone() -> None:
    retained, deleted = instance(memory="{enabled: true, retain: Retain}"), instance(memory="{enabled: true}")
    existing = remembering.claim(deleted, "ops")
    assert remembering.claim_owners(existing, deleted) is None
    assert remembering.claim_owners(existing, retained) == []
    existing["metadata"]["labels"] = {}
    assert remembering.claim_owners(existing, retained) is None


def test_a_volume_has_one_process_at_a_time() -> None:
    document = remembering.memory(instance(memory="{enabled: true}"), "ops", 1, PLACE)
    assert document["spec"]["strategy"] == {"type": "Recreate"}
    assert document["spec"]["replicas"] == 1
    assert document["metadata"]["name"] == f"sympozium-{memory_service('ops', 'watch')}"


def run(phase: str, ended: str = "", reason: str = "") -> dict[str, Any]:
    return {"status": {"phase": phase, "reason": reason, "completionTime": ended or None}}


AT = 1_767_225_600.0  # 2026-01-01T00:00:00Z


@pytest.mark.parametrize(
    ("runs", "since", "wanted"),
    [
        ([], 0.0, (0, 0.0)),
        ([run("")], 0.0, (1, 0.0)),
        ([run("Running")], AT - 9000, (1, 0.0)),
        ([run("Waiting")], 0.0, (1, 0.0)),
        ([run("Waiting", reason="Suspended")], 0.0, (0, 0.0)),
        ([run("Succeeded", "2025-12-31T23:55:00Z")], AT - 9000, (1, 300.0)),
        ([run("Succeeded", "2025-12-31T23:50:00Z")], AT - 9000, (0, 0.0)),
        ([run("Succeeded", "2025-12-31T23:55:00Z")], 0.0, (0, 0.0)),
        ([], AT - 100, (1, 500.0)),
    ],
)
def test_a_memory_runs_while_it_is_wanted_and_ten_minutes_more(
    runs: list[dict[str, Any]], since: float, wanted: tuple[int, float]
) -> None:
    assert remembering.replicas(runs, since, AT, 600.0) == wanted
