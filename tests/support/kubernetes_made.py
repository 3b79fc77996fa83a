"""The manifests of a usual pod in a cluster: one skill with rights, one without, and a bus."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from sympozium_controller.flags import Flags
from sympozium_controller.objects import SkillPack
from sympozium_controller.packs import parse_pack
from sympozium_controller.pod import Pod
from sympozium_controller.render.kubernetes import Bus, Manifests
from tests.support.kubernetes_pods import (
    manifests,
    pod_of,
)

BUS = Bus("tls://sympozium-bus.sympozium-system.svc:4222", ca="-----BEGIN CERTIFICATE-----\n", address="10.0.0.7")

RIGHTS = parse_pack(
    "rights",
    "sidecar: {image: skill-k8s-ops, commands: [kubectl], egress: [kubernetes], "
    "rbac: [{apiGroups: [''], resources: [pods], verbs: [get]}]}",
    "Look.\n",
)


@pytest.fixture
def pod(packs: Mapping[str, SkillPack]) -> Pod:
    return pod_of({**packs, "rights": RIGHTS}, Flags(input="x", skills=("rights", "shell"), policy="default"))


@pytest.fixture
def made(pod: Pod) -> Manifests:
    return manifests(pod, bus=BUS)
