"""Network policies: what each egress class opens, and that they follow the API server."""

from __future__ import annotations

from typing import Any

import pytest

from sympozium_controller.lifecycle.network import BASE, Around, again, around, base, of_class
from sympozium_controller.render.egress import egress_class

WHERE = Around(api=(("10.96.0.1", 443), ("192.0.2.9", 6443)))


def rules(*destinations: str) -> list[dict[str, Any]]:
    found = of_class("ops", destinations, WHERE)
    assert found is not None
    egress: list[dict[str, Any]] = found["spec"]["egress"]
    return egress


def cidrs(rule: dict[str, Any]) -> list[str]:
    return [to["ipBlock"]["cidr"] for to in rule["to"]]


def asks_names(found: list[dict[str, Any]]) -> bool:
    return any(port.get("port") == 53 for rule in found for port in rule.get("ports", ()))


def test_every_pod_of_ours_reaches_the_bus_and_nothing_reaches_it() -> None:
    spec = base("ops", WHERE)["spec"]
    assert spec["podSelector"] == {"matchExpressions": [{"key": "sympozium.ai/egress", "operator": "Exists"}]}
    assert spec["policyTypes"] == ["Ingress", "Egress"]
    assert spec["ingress"] == []
    (rule,) = spec["egress"]
    assert rule["to"][0]["namespaceSelector"] == {"matchLabels": {"kubernetes.io/metadata.name": "sympozium-system"}}
    assert rule["ports"] == [{"protocol": "TCP", "port": 4222}]


def test_the_class_without_destinations_opens_nothing_more() -> None:
    assert of_class("ops", (), WHERE) is None


def test_kubernetes_is_the_api_server_and_no_name_server() -> None:
    found = rules("kubernetes")
    assert [(cidrs(rule), rule["ports"][0]["port"]) for rule in found] == [
        (["10.96.0.1/32"], 443),
        (["192.0.2.9/32"], 6443),
    ]
    assert not asks_names(found)


@pytest.mark.parametrize(
    ("destination", "cidr", "ports"),
    [
        ("10.0.0.0/8:443", "10.0.0.0/8", [443]),
        ("192.0.2.7:9090", "192.0.2.7/32", [9090]),
        ("[2001:db8::/32]:443", "2001:db8::/32", [443]),
        ("198.51.100.0/24", "198.51.100.0/24", None),
        ("http://192.0.2.7:8000/v1", "192.0.2.7/32", [8000]),
        ("https://[2001:db8::1]/v1", "2001:db8::1/128", [443]),
    ],
)
def test_addresses_are_opened_as_they_stand(destination: str, cidr: str, ports: list[int] | None) -> None:
    (rule,) = rules(destination)
    assert cidrs(rule) == [cidr]
    assert [port["port"] for port in rule["ports"]] == ports if ports else "ports" not in rule


def test_a_name_opens_its_port_and_the_name_servers_but_never_the_clouds_own_address() -> None:
    found = rules("http://ollama.ml.svc:11434/v1")
    assert [port["port"] for port in found[0]["ports"]] == [11434]
    assert "169.254.0.0/16" in found[0]["to"][0]["ipBlock"]["except"]
    assert asks_names(found)


@pytest.mark.parametrize("destination", ["*", "openai"])
def test_everything_outside_is_nothing_inside(destination: str) -> None:
    found = rules(destination)
    assert {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16"} <= set(
        found[0]["to"][0]["ipBlock"]["except"]
    )
    assert asks_names(found)


def test_a_class_is_named_as_its_pods_are_labelled() -> None:
    wanted = ("kubernetes", "10.0.0.0/8:443")
    found = of_class("ops", wanted, WHERE)
    assert found is not None
    name = egress_class(wanted)
    assert found["metadata"]["name"] == f"sympozium-egress-{name}"
    assert found["spec"]["podSelector"] == {"matchLabels": {"sympozium.ai/egress": name}}


def test_a_policy_made_again_is_the_same_and_follows_the_api_server() -> None:
    before = of_class("ops", ("kubernetes", "10.0.0.0/8:443"), WHERE)
    assert before is not None
    assert again(before, WHERE) == before
    moved = again(before, Around(api=(("192.0.2.10", 6443),)))
    assert moved is not None
    assert moved["metadata"] == before["metadata"]
    assert "192.0.2.10/32" in str(moved["spec"])
    assert "192.0.2.9/32" not in str(moved["spec"])
    assert again(base("ops", WHERE), WHERE) == base("ops", WHERE)


@pytest.mark.parametrize("annotation", [None, "no json", "3", '["http://[bad"]'])
def test_a_policy_of_somebody_else_is_not_made_again(annotation: str | None) -> None:
    metadata: dict[str, Any] = {"name": "sympozium-egress-x", "namespace": "ops"}
    if annotation:
        metadata["annotations"] = {"sympozium.ai/destinations": annotation}
    assert again({"metadata": metadata}, WHERE) is None
    assert base("ops", WHERE)["metadata"]["name"] == BASE


def test_the_api_server_is_at_its_endpoints_and_at_its_services_addresses() -> None:
    slices = [{"endpoints": [{"addresses": ["192.0.2.9"]}, {"addresses": ["192.0.2.10"]}], "ports": [{"port": 6443}]}]
    service = {"spec": {"clusterIPs": ["10.96.0.1"], "ports": [{"port": 443}]}}
    assert around(slices, service).api == (("10.96.0.1", 443), ("192.0.2.10", 6443), ("192.0.2.9", 6443))
    assert around([], None).api == ()
