"""Which agents are served: the instances of the documents, checked by the command before the first request."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from sympozium_protocol.exits import Ended, Reason
from sympozium_protocol.files import MAX_FILE
from sympozium_protocol.messages.spec import RunSpec
from sympozium_web.command import dry_run
from sympozium_web.settings import Settings

QUESTION: Final = "Can this agent be run?"
"""The input of a run that is only resolved."""
SLACK: Final = 16384
"""Bytes in which RunSpecs of one agent may differ beside their input: the run's name, a query of its memory."""
DEFAULT_NAMESPACE: Final = "default"


@dataclass(frozen=True, slots=True)
class Agent:
    """One instance as a model is offered: its name, and what its runs may do."""

    name: str
    arguments: tuple[str, ...]
    """Options of ``sympozium run`` that mean this instance."""
    spec: RunSpec

    def excess(self, text: str) -> int:
        """By how many bytes a run with the input ``text`` would be larger than a run may be; below 1: it fits."""
        return len(self.spec.model_copy(update={"input": text}).encode()) + SLACK - MAX_FILE


async def agents_of(settings: Settings, scratch: Path) -> Mapping[str, Agent]:
    """By name, in the order of the documents. Raises Ended: a document that cannot be run is told at the start."""
    found = named(dict.fromkeys(instances(settings.files)))
    if settings.instance:
        # one that is not there is for the command to tell
        asked = {label: one for label, one in found.items() if settings.instance in (label, one[1])}
        found = asked or {settings.instance: ("", settings.instance)}
    if not found:
        raise Ended(Reason.MissingReference, f"{', '.join(settings.files)}: holds no SympoziumInstance to serve")
    agents = await asyncio.gather(*(_agent(settings, label, *one, scratch) for label, one in found.items()))
    return {agent.name: agent for agent in agents}


def named(found: Iterable[tuple[str, str]]) -> dict[str, tuple[str, str]]:
    """Namespaces and names by what clients call them: the name, or namespace/name where that is not enough."""
    listed = list(found)
    same = Counter(name for _, name in listed)
    return {name if same[name] == 1 else f"{namespace}/{name}": (namespace, name) for namespace, name in listed}


async def _agent(settings: Settings, label: str, namespace: str, name: str, scratch: Path) -> Agent:
    files = (*settings.files, *(_of_namespace(namespace, name, scratch) if label != name else ()))
    limit = ("--timeout", settings.timeout) if settings.timeout else ()
    chosen = (word for file in files for word in ("-f", file))
    arguments = (*chosen, "--instance", name, "--approve", settings.approve, *limit)
    return Agent(label, arguments, await dry_run(arguments, QUESTION))


def _of_namespace(namespace: str, name: str, scratch: Path) -> tuple[str]:
    """A document with a run of just this instance: the command's options cannot name a namespace."""
    head = {"apiVersion": "sympozium.ai/v1alpha1", "kind": "AgentRun"}
    metadata = {"name": "served", "namespace": namespace}
    document = {**head, "metadata": metadata, "spec": {"instanceRef": name, "input": QUESTION}}
    path = scratch / f"{namespace}.{name}.yaml"
    path.write_text(json.dumps(document), encoding="utf-8")  # JSON is YAML
    return (str(path),)


def instances(files: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Their namespaces and names alone; whether the documents are right is for the command to say. Raises Ended."""
    for file in files:
        for path in _expanded(Path(file)):
            for document in _documents(path):
                if document.get("kind") == "SympoziumInstance":
                    metadata = document.get("metadata") or {}
                    yield str(metadata.get("namespace") or DEFAULT_NAMESPACE), str(metadata.get("name", ""))


def _expanded(path: Path) -> list[Path]:
    return sorted(p for p in path.iterdir() if p.suffix in (".yaml", ".yml")) if path.is_dir() else [path]


def _documents(path: Path) -> Iterator[dict[str, Any]]:
    try:
        found = list(yaml.safe_load_all(path.read_bytes()))
    except OSError as error:
        raise Ended(Reason.InvalidDocument, f"{path}: {(error.strerror or str(error)).lower()}") from None
    except yaml.YAMLError as error:
        raise Ended(Reason.InvalidDocument, f"{path}: {' '.join(str(error).split())}") from None
    for document in found:
        members = document.get("items") if isinstance(document, dict) and document.get("kind") == "List" else [document]
        yield from (one for one in members or () if isinstance(one, dict))
