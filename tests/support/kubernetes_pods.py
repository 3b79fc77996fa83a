"""Pods of runs, and what Kubernetes is given for them: of examples, or of flags."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sympozium_controller.assemble import assemble
from sympozium_controller.documents import Objects, parse
from sympozium_controller.flags import Flags
from sympozium_controller.objects import SkillPack
from sympozium_controller.outfit import outfit
from sympozium_controller.pod import Pod
from sympozium_controller.render.kubernetes import Images, InCluster, Manifests, render
from sympozium_controller.resolve import resolve

ROOT = Path(__file__).parents[2]
OTHERS = ("09-served", "10-served-in-a-container", "11-on-the-bus", "12-in-a-cluster")
"""Examples that are no run of their own documents alone."""
EXAMPLES = sorted(path.name for path in (ROOT / "examples").glob("[0-9]*") if path.name not in OTHERS)
IMAGES = Images("registry.example/sympozium", "v1")
NOW = "2026-01-02T03:04:05.000Z"


def pod_of(packs: Mapping[str, SkillPack], flags: Flags, objects: Objects | None = None, run: str = "run-1") -> Pod:
    objects = objects or Objects()
    return assemble(resolve(objects, packs, flags, run_id=run, now=NOW), outfit(objects, packs, flags))


def pod_of_example(name: str, packs: Mapping[str, SkillPack]) -> Pod:
    directory = ROOT / "examples" / name
    script = directory / "script.yaml"
    sources = [(file.name, file.read_text()) for file in sorted(directory.glob("*.yaml")) if file != script]
    flags = Flags(script=(script.name, script.read_text()) if script.exists() else None)
    return pod_of(packs, flags, parse(sources))


def manifests(pod: Pod, **more: Any) -> Manifests:
    return render(pod, InCluster("default", pod.name, **more), IMAGES)


def spec_of(found: Manifests) -> dict[str, Any]:
    """The spec of the pod."""
    spec: dict[str, Any] = found.job["spec"]["template"]["spec"]
    return spec


def containers(found: Manifests) -> dict[str, dict[str, Any]]:
    """By name, in the order of their start."""
    spec = spec_of(found)
    return {one["name"]: one for one in (*spec["initContainers"], *spec["containers"])}


def mounted(container: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What is mounted where."""
    return {one["mountPath"]: one for one in container["volumeMounts"]}
