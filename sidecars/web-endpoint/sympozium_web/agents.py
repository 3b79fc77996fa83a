"""Which agents are served: the instances of the documents, checked by the command before the first request."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from sympozium_protocol.exits import Ended, Reason
from sympozium_protocol.messages.spec import RunSpec
from sympozium_web.command import dry_run
from sympozium_web.settings import Settings

QUESTION = "Can this agent be run?"
"""The input of a run that is only resolved."""


@dataclass(frozen=True, slots=True)
class Agent:
    """One instance as a model is offered: its name, and what its runs may do."""

    name: str
    arguments: tuple[str, ...]
    """Options of ``sympozium run`` that mean this instance."""
    spec: RunSpec


async def agents_of(settings: Settings) -> Mapping[str, Agent]:
    """By name, in the order of the documents. Raises Ended: a document that cannot be run is told at the start."""
    names = [settings.instance] if settings.instance else list(dict.fromkeys(instance_names(settings.files)))
    if not names:
        raise Ended(Reason.MissingReference, f"{', '.join(settings.files)}: holds no SympoziumInstance to serve")
    found = await asyncio.gather(*(_agent(settings, name) for name in names))
    return {agent.name: agent for agent in found}


async def _agent(settings: Settings, name: str) -> Agent:
    files = (word for file in settings.files for word in ("-f", file))
    arguments = (*files, "--instance", name, "--approve", settings.approve)
    return Agent(name, arguments, await dry_run(arguments, QUESTION))


def instance_names(files: Sequence[str]) -> Iterator[str]:
    """The names alone; whether the documents are right is for the command to say. Raises Ended."""
    for file in files:
        for path in _expanded(Path(file)):
            for document in _documents(path):
                if document.get("kind") == "SympoziumInstance":
                    yield str((document.get("metadata") or {}).get("name", ""))


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
