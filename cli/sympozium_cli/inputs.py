"""From the command line's words and the files that it names to something that can be launched."""

from __future__ import annotations

import functools
import os
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sympozium_cli.packs import shipped, with_own
from sympozium_cli.podfile import Saved, sources_of
from sympozium_controller.assemble import assemble
from sympozium_controller.documents import Objects, parse
from sympozium_controller.errors import InvalidObject
from sympozium_controller.flags import Flags
from sympozium_controller.outfit import outfit, secret_values, secrets_of, with_found_keys
from sympozium_controller.pod import Pod, SecretEnv
from sympozium_controller.resolve import resolve
from sympozium_protocol.exits import Ended, Reason
from sympozium_protocol.files import MAX_FILE
from sympozium_protocol.messages.spec import RunSpec

YAML: Sequence[str] = (".yaml", ".yml")
STANDARD_INPUT = Path("standard input")
"""Stands for it among files, by identity: a file may be called so."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A run that can be launched. ``values`` are secret: they go into environments and nowhere else."""

    spec: RunSpec
    saved: Saved
    values: Mapping[SecretEnv, str]


def prepare(
    files: Sequence[str],
    flags: Flags,
    *,
    run_id: str,
    now: str,
    contained: bool = False,
    told: Mapping[str, str] | None = None,
) -> Prepared:
    """Raises Ended with a reason 10-19 and a message that names file and field. ``told``: facts, if not of here."""
    objects, spec, pod = made(files, flags, run_id=run_id, now=now, contained=contained, told=told)
    if contained:
        pod = with_found_keys(pod, spec.model.participant, os.environ)
    values = secret_values(objects, spec.namespace, secrets_of(pod), os.environ)
    return Prepared(spec, _saved(objects, spec, pod, files, flags), values)


def made(
    files: Sequence[str],
    flags: Flags,
    *,
    run_id: str,
    now: str,
    contained: bool,
    told: Mapping[str, str] | None = None,
) -> tuple[Objects, RunSpec, Pod]:
    """A run without its keys. ``contained``: its programs will be containers. Raises Ended as ``prepare`` does."""
    if "-" in files:
        raise Ended(Reason.Usage, "command line: --file: -: must be a file, for what reads it again later")
    objects = documents(files)
    packs, skills = with_own(shipped(), flags.skills)
    flags = replace(flags, skills=skills)
    known = facts(contained=contained) if told is None else told
    spec = resolve(objects, packs, flags, run_id=run_id, now=now, facts=known)
    pod = assemble(spec, outfit(objects, packs, flags))
    check_size(pod)
    return objects, spec, pod


def documents(files: Sequence[str]) -> Objects:
    """The objects in these files and directories. A file that holds none is a mistake. Raises Ended."""
    sources = [(str(path), read(path)) for path in expand(files)]
    try:
        objects = parse(sources)
    except InvalidObject as first:
        from sympozium_cli import faults  # not before something is wrong

        raise faults.ended(sources, first) from None
    told = {origin.file for origin in objects.origins.values()}
    for path in expand(files):
        if str(path) not in told:
            raise Ended(Reason.InvalidDocument, f"{path}: holds no object")
    return objects


def _saved(objects: Objects, spec: RunSpec, pod: Pod, files: Sequence[str], flags: Flags) -> Saved:
    absolute = {str(path): str(path.absolute()) for path in expand(files)}
    return Saved(pod, spec.namespace, sources_of(objects, spec.namespace, secrets_of(pod), absolute), flags.approve)


def expand(files: Sequence[str]) -> Iterator[Path]:
    """The files that ``-f`` names; a directory stands for the YAML files in it, - for standard input."""
    for name in files:
        path = Path(name)
        if name == "-":
            yield STANDARD_INPUT
        elif path.is_dir():
            yield from _inside(path)
        else:
            yield path


def _inside(directory: Path) -> list[Path]:
    found = sorted(path for path in directory.iterdir() if path.suffix in YAML)
    if not found:
        raise Ended(Reason.InvalidDocument, f"{directory}: holds no file that ends in {' or '.join(YAML)}")
    return found


def read(path: Path) -> bytes:
    """A document that the person named. Raises Ended (InvalidDocument)."""
    if path is STANDARD_INPUT:
        return _standard_input()
    return _read(path, Reason.InvalidDocument)


@functools.cache
def _standard_input() -> bytes:
    """It can be read once, and is wanted twice: to be checked, and to be applied. Raises Ended (InvalidDocument)."""
    data = sys.stdin.buffer.read(MAX_FILE + 1)
    if len(data) > MAX_FILE:
        raise Ended(Reason.InvalidDocument, f"{STANDARD_INPUT}: is larger than {MAX_FILE >> 20} MiB")
    return data


def _read(path: Path, reason: Reason) -> bytes:
    """At most MAX_FILE bytes, whatever the file is: a device would never end."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE + 1)
    except OSError as error:
        raise Ended(reason, f"{path}: {(error.strerror or str(error)).lower()}") from None
    if len(data) > MAX_FILE:
        raise Ended(reason, f"{path}: is larger than {MAX_FILE >> 20} MiB")
    return data


def script(path: str) -> tuple[str, str]:
    """``--script FILE`` as name and text. Raises Ended (InvalidScript)."""
    try:
        return path, _read(Path(path), Reason.InvalidScript).decode()
    except UnicodeDecodeError:
        raise Ended(Reason.InvalidScript, f"{path}: is not UTF-8") from None


def input_text(word: str | None) -> str:
    """INPUT; ``-`` is standard input. Raises Ended (Usage)."""
    if word is None:
        return ""
    try:
        text = sys.stdin.buffer.read().decode() if word == "-" else word
        text.encode()
    except UnicodeError:
        raise Ended(Reason.Usage, "command line: INPUT: is not UTF-8") from None
    if not text.strip():
        raise Ended(Reason.Usage, "command line: INPUT: is empty")
    return text


def server(text: str) -> str:
    """``--mcp NAME=COMMAND``: a program named by a relative path is meant from here, not from where it will run."""
    name, _, target = text.partition("=")
    program, blank, rest = target.partition(" ")
    if "/" not in program or "://" in program or program.startswith(("/", "'", '"')):
        return text
    return f"{name}={shlex.quote(os.path.abspath(program))}{blank}{rest}"


def facts(*, contained: bool) -> dict[str, str]:
    """What the agent is told of where it runs."""
    system = os.uname()
    what = "containers, each with its own view" if contained else "plain processes of the user's own computer"
    return {"machine": f"{system.sysname} {system.machine}, {what}"}


def check_size(pod: Pod) -> None:
    """Programs read at most so much. Raises Ended (Usage)."""
    if len(pod.run) > MAX_FILE:
        why = f"the run would have {len(pod.run)} bytes; at most {MAX_FILE} are read"
        raise Ended(Reason.Usage, f"command line: INPUT: {why} (input, instructions and script together)")
