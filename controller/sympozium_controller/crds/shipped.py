"""The SkillPacks that come with us, as objects of the system namespace: made from the same packs. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sympozium_controller.names import SYSTEM_NAMESPACE
from sympozium_controller.objects import API_VERSION, SkillPack
from sympozium_controller.objects.units import duration_text


def builtin_packs(packs: Iterable[SkillPack], namespace: str = SYSTEM_NAMESPACE) -> tuple[dict[str, Any], ...]:
    """A document for each, saying what its files say and nothing besides."""
    return tuple(pack_document(pack, namespace) for pack in packs)


def pack_document(pack: SkillPack, namespace: str) -> dict[str, Any]:
    """The object of one pack. Reading it gives the same spec again."""
    spec = pack.spec.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude_none=True)
    for tool in spec.get("sidecar", {}).get("tools", ()):
        if "timeout" in tool:
            tool["timeout"] = duration_text(tool["timeout"])
    for amounts in spec.get("sidecar", {}).get("resources", {}).values():
        if "cpu" in amounts:
            amounts["cpu"] = f"{amounts['cpu'] * 1000:.0f}m"
    return {
        "apiVersion": API_VERSION,
        "kind": "SkillPack",
        "metadata": {"name": pack.name, "namespace": namespace, "labels": {"app.kubernetes.io/part-of": "sympozium"}},
        "spec": spec,
    }
