"""pod.json: what a resume or a replay needs beside /ipc, as one JSON file. No secret's value is in it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from sympozium_cli.bus.named import Bus
from sympozium_cli.rundir import POD_FILE, RunDirectory
from sympozium_controller.documents import Objects, parse
from sympozium_controller.objects import Secret
from sympozium_controller.outfit import secret_values
from sympozium_controller.pod import Pod, SecretEnv
from sympozium_protocol.exits import Ended, Reason
from sympozium_protocol.files import MAX_FILE, FileFault


@dataclass(frozen=True, slots=True)
class Source:
    """Where a secret comes from: the Secret in ``file`` (absolute), or, without one, the environment."""

    variable: str
    secret: str
    key: str
    file: str


@dataclass(frozen=True, slots=True)
class On:
    """Where the programs run: ``processes`` or ``compose``; ``registry`` and ``tag`` of the images."""

    place: str = "processes"
    registry: str = ""
    tag: str = ""


@dataclass(frozen=True, slots=True)
class Saved:
    """What is kept of how a run was started."""

    pod: Pod
    namespace: str
    sources: tuple[Source, ...]
    approve: str
    on: On = On()
    bus: Bus | None = None


def sources_of(
    objects: Objects, namespace: str, wanted: Iterable[SecretEnv], files: Mapping[str, str]
) -> tuple[Source, ...]:
    """``files``: a document's name as it was given, to its absolute path."""
    return tuple(Source(one.variable, one.secret, one.key, _file(objects, namespace, one, files)) for one in wanted)


def _file(objects: Objects, namespace: str, one: SecretEnv, files: Mapping[str, str]) -> str:
    secret = objects.get(Secret, one.secret, namespace) if one.secret else None
    return files.get(objects.origin(secret).file, "") if secret else ""


def save(saved: Saved) -> bytes:
    """The bytes of pod.json."""
    value = asdict(saved)
    value["pod"]["run"] = saved.pod.run.decode()
    return json.dumps(value, indent=1, ensure_ascii=False).encode() + b"\n"


def load(run: RunDirectory) -> Saved:
    """Raises Ended (RunNotFound, InvalidRun)."""
    try:
        with run.open() as directory:
            data = directory.read(POD_FILE, 4 * MAX_FILE)
    except FileFault as fault:
        raise Ended(Reason.InvalidRun, f"{run.name}: {fault}") from None
    if data is None:
        raise Ended(Reason.RunNotFound, f"{run.name}: has no {POD_FILE}: it was never started here")
    try:
        return _decode(data)
    except (ValueError, ValidationError):
        raise Ended(Reason.InvalidRun, f"{run.name}: {POD_FILE}: is not what this command writes") from None


def _decode(data: bytes) -> Saved:
    value: Any = json.loads(data)
    return TypeAdapter(Saved).validate_python(value)


def values(saved: Saved, environment: Mapping[str, str]) -> dict[SecretEnv, str]:
    """The secrets, looked up again where they came from. Raises Ended (MissingKey, InvalidDocument)."""
    files = sorted({source.file for source in saved.sources if source.file})
    objects = parse([(file, _read(file)) for file in files])
    wanted = (SecretEnv(source.variable, source.secret, source.key) for source in saved.sources)
    return secret_values(objects, saved.namespace, wanted, environment)


def _read(file: str) -> bytes:
    try:
        return Path(file).read_bytes()
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise Ended(Reason.MissingKey, f"{file}: the Secret of this run cannot be read: {why}") from None
