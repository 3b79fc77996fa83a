"""RunSpec and packs on their way into the pod: annotations of the pod's template, or a ConfigMap beyond 200 KiB. Pure.

Annotations are part of the Job, whose template never changes: what was judged is what runs, one object is written and
not two, and there is nothing to be lost or swapped between them. The API server takes 256 KiB of annotations; what is
larger goes into a ConfigMap, which is immutable. Either way programs see regular files: a volume of this kind is full
of links, which readers refuse, but a subPath is resolved once, by the kubelet, to the directory behind the link. It
also stays as it was when the container started, whoever edits the pod's annotations.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sympozium_controller.pod import Pod

LARGEST_ANNOTATIONS: Final = 200 << 10
"""Bytes of them all: the API server takes 256 KiB, and others annotate too."""
LARGEST_CONFIG: Final = 1 << 20
"""Bytes of a ConfigMap, as the API server bounds it."""
RUN_ANNOTATION: Final = "sympozium.ai/run-spec"
PACK_ANNOTATION: Final = "sympozium.ai/pack-"
VOLUME: Final = "run"


class TooLarge(ValueError):
    """RunSpec and packs fit into no object of a cluster."""

    def __init__(self, size: int) -> None:
        super().__init__(f"RunSpec and packs have {size} bytes together; a cluster takes {LARGEST_CONFIG}")


@dataclass(frozen=True, slots=True)
class Seed:
    """One file: its key in annotations or ConfigMap, its path in the volume, its text."""

    annotation: str
    path: str
    text: str

    @property
    def key(self) -> str:
        """In a ConfigMap, whose keys have no slash."""
        return self.annotation.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class Seeds:
    """``annotations`` of the pod; or ``config``, the data of the ConfigMap; and the volume that either becomes."""

    annotations: Mapping[str, str]
    config: Mapping[str, str]
    volume: dict[str, Any]


def seeds(pod: Pod, config_name: str) -> Seeds:
    """Raises TooLarge."""
    found = tuple(_seeds(pod))
    size = sum(len(one.annotation) + len(one.text.encode()) for one in found)
    if size <= LARGEST_ANNOTATIONS:
        items = [{"path": one.path, "fieldRef": _field(one)} for one in found]
        volume = {"name": VOLUME, "downwardAPI": {"defaultMode": 0o444, "items": items}}
        return Seeds({one.annotation: one.text for one in found}, {}, volume)
    if size > LARGEST_CONFIG:
        raise TooLarge(size)
    keys = [{"key": one.key, "path": one.path} for one in found]
    volume = {"name": VOLUME, "configMap": {"name": config_name, "defaultMode": 0o444, "items": keys}}
    return Seeds({}, {one.key: one.text for one in found}, volume)


def _seeds(pod: Pod) -> Iterator[Seed]:
    """A pack's name may be as long as an annotation's whole key, so files of packs are counted."""
    yield Seed(RUN_ANNOTATION, "run/run.json", pod.run.decode())
    files = ((pack.name, name, text) for pack in pod.packs for name, text in pack.files)
    for number, (pack, name, text) in enumerate(files):
        yield Seed(f"{PACK_ANNOTATION}{number}", f"packs/{pack}/{name}", text)


def _field(seed: Seed) -> dict[str, str]:
    return {"fieldPath": f"metadata.annotations['{seed.annotation}']"}
