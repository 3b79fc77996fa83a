"""The documents of an installation: what is in them, whatever was chosen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from sympozium_cli.packs import shipped
from sympozium_controller.errors import Refused
from sympozium_controller.install.pods import LABELS
from sympozium_controller.install.settings import Settings, size_text
from sympozium_controller.install.stages import stages


def settings(**said: Any) -> Settings:
    usual: dict[str, Any] = {
        "registry": "registry.example/sympozium",
        "tag": "1.0",
        "pull_secrets": ("pull",),
        "pull_policy": "IfNotPresent",
        "bus_storage": "10Gi",
        "bus_storage_class": "",
    }
    return Settings.of(**{**usual, **said})


def documents(found: Settings) -> list[dict[str, Any]]:
    return [one for stage in stages(found, shipped().values()) for one in stage.documents]


def pods(found: Settings) -> Iterator[dict[str, Any]]:
    for one in documents(found):
        if template := one.get("spec", {}).get("template"):
            yield template["spec"]


def kinds(found: list[dict[str, Any]]) -> list[str]:
    return [one["kind"] for one in found]


def test_every_object_stands_there_once_and_is_known_as_part_of_an_installation() -> None:
    found = documents(settings())
    names = [(one["kind"], one["metadata"].get("namespace"), one["metadata"]["name"]) for one in found]

    assert len(set(names)) == len(names)
    assert all(LABELS.items() <= one["metadata"]["labels"].items() for one in found)


def test_the_same_settings_give_the_same_documents() -> None:
    assert documents(settings()) == documents(settings())


def test_what_refuses_objects_comes_after_who_judges_them() -> None:
    order = kinds(documents(settings()))

    assert order.index("ValidatingWebhookConfiguration") > max(
        n for n, kind in enumerate(order) if kind == "Deployment"
    )


def test_every_pod_is_one_that_pod_security_calls_restricted_and_has_bounds() -> None:
    found = list(pods(settings()))

    assert len(found) == 4
    for pod in found:
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert {"memory", "ephemeral-storage"} <= container["resources"]["limits"].keys()
            assert {"cpu", "memory"} <= container["resources"]["requests"].keys()


def test_only_who_speaks_to_the_cluster_has_a_token_of_it() -> None:
    held = {pod["containers"][0]["name"]: pod["automountServiceAccountToken"] for pod in pods(settings())}

    assert held == {"bus": False, "bus-auth": True, "bus-keys": True, "controller": True}


def test_the_keeper_does_not_hold_the_key_of_its_authority() -> None:
    keeper = next(pod for pod in pods(settings()) if pod["containers"][0]["name"] == "bus-auth")
    files = [item["key"] for volume in keeper["volumes"] for item in volume.get("secret", {}).get("items", ())]

    assert files
    assert "ca.key" not in files


def test_images_come_from_the_registry_with_the_secret_and_the_policy_that_were_named() -> None:
    for pod in pods(settings(pull_policy="Always")):
        assert pod["imagePullSecrets"] == [{"name": "pull"}]
        assert pod["containers"][0]["image"].startswith("registry.example/sympozium/")
        assert pod["containers"][0]["image"].endswith(":1.0")
        assert pod["containers"][0]["imagePullPolicy"] == "Always"


def test_the_bus_has_a_volume_of_the_size_that_was_asked_for_and_leaves_some_of_it() -> None:
    found = documents(settings(bus_storage="20Gi", bus_storage_class="fast"))
    claim = next(one for one in found if one["kind"] == "PersistentVolumeClaim")
    server = next(one for one in found if one["kind"] == "StatefulSet")["spec"]["template"]["spec"]["containers"][0]

    assert claim["spec"]["resources"]["requests"]["storage"] == str(20 << 30)
    assert claim["spec"]["storageClassName"] == "fast"
    store = next(int(one["value"]) for one in server["env"] if one["name"] == "NATS_STORE")
    assert (20 << 30) * 0.8 < store < 20 << 30


@pytest.mark.parametrize("text", ["256Mi", "10Gi", "1536Mi", "2Ti"])
def test_a_size_is_told_as_the_option_takes_it(text: str) -> None:
    size = settings(bus_storage=text).bus_storage
    assert size
    assert size_text(size) == text


def test_a_volume_of_which_nobody_says_how_large_it_is_has_the_usual_size() -> None:
    assert settings(bus_storage="") == settings(bus_storage="10Gi")


def test_a_bus_without_storage_has_no_claim() -> None:
    assert "PersistentVolumeClaim" not in kinds(documents(settings(bus_storage="none")))


def test_a_job_of_other_images_has_another_name() -> None:
    def job(found: Settings) -> str:
        return next(str(one["metadata"]["name"]) for one in documents(found) if one["kind"] == "Job")

    assert job(settings()) == job(settings(bus_storage="none"))
    assert job(settings()) != job(settings(tag="1.1"))


@pytest.mark.parametrize(
    ("said", "option"),
    [
        ({"bus_storage": "10"}, "--bus-storage"),
        ({"bus_storage": "10Mi"}, "--bus-storage"),
        ({"pull_policy": "Sometimes"}, "--image-pull-policy"),
        ({"registry": "a b"}, "--image-registry"),
        ({"tag": ""}, "--image-tag"),
    ],
)
def test_what_cannot_be_is_refused_by_the_option_s_name(said: dict[str, str], option: str) -> None:
    with pytest.raises(Refused, match=option):
        settings(**said)


def test_the_shipped_packs_are_objects_of_the_system_namespace() -> None:
    found = [one for one in documents(settings()) if one["kind"] == "SkillPack"]

    assert {one["metadata"]["name"] for one in found} == set(shipped())
    assert {one["metadata"]["namespace"] for one in found} == {"sympozium-system"}
