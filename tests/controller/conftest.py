"""What the controller's tests share: small documents and a shell pack."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from sympozium_controller.documents import Objects, parse
from sympozium_controller.flags import Flags
from sympozium_controller.objects import SkillPack
from sympozium_controller.packs import parse_pack
from sympozium_controller.resolve import resolve
from sympozium_protocol.messages.spec import RunSpec

HEAD = "apiVersion: sympozium.ai/v1alpha1\n"
NOW = "2026-01-02T03:04:05.000Z"


@pytest.fixture(scope="session")
def packs() -> Mapping[str, SkillPack]:
    """The packs that the tests and examples name."""
    return {
        "shell": parse_pack("shell", "sidecar: {commands: []}", "Run commands.\n"),
        "k8s-ops": parse_pack(
            "k8s-ops", "sidecar: {commands: [kubectl, jq]}\nparams: {cluster: main}", "Use kubectl.\n"
        ),
        "llmfit": parse_pack("llmfit", "sidecar: {commands: [llmfit]}", "Fit models.\n"),
        "sre-observability": parse_pack("sre-observability", "sidecar: {commands: [curl]}", "Look at metrics.\n"),
        "code-review": parse_pack("code-review", "category: Code", "Read the diff twice.\n"),
    }


@pytest.fixture
def resolved(packs: Mapping[str, SkillPack]) -> Callable[..., RunSpec]:
    """resolve(), from YAML texts and flags."""

    def run(*texts: str, **flags: object) -> RunSpec:
        sources = [(f"{n}.yaml", text) for n, text in enumerate(texts, start=1)]
        objects: Objects = parse(sources)
        return resolve(objects, packs, Flags(**flags), run_id="run-1", now=NOW)  # type: ignore[arg-type]

    return run
