"""Which files of /ipc are on the bus, and where such a file lies."""

from __future__ import annotations

import re
from typing import Final, TypeAlias

from sympozium_protocol import layout
from sympozium_protocol.layout import Place

_ID: Final = r"[a-z0-9][a-z0-9-]{0,62}"
_NUMBER: Final = r"[1-9][0-9]{0,8}"
_DIGEST: Final = r"[0-9a-f]{64}"

_KINDS: Final = (
    r"run/run\.json",
    rf"agent/transcript/{_NUMBER}\.json",
    rf"agent/calls/{_ID}/{_ID}\.json",
    rf"agent/blobs/{_DIGEST}",
    r"agent/result\.json",
    rf"bridge/verdicts/{_ID}/{_ID}\.json",
    rf"bridge/questions/{_ID}/{_ID}\.json",
    rf"bridge/inbox/{_NUMBER}\.json",
    r"bridge/gates/[0-9a-f]{16}",
    rf"(?!(?:run|agent|bridge|console)/){_ID}/started/{_ID}",
    rf"(?!(?:run|agent|bridge|console)/){_ID}/replies/{_ID}\.json",
    rf"(?!(?:run|agent|bridge|console)/){_ID}/blobs/{_DIGEST}",
)
_CALL_ID: Final = re.compile(r"(?P<model>m?)(?P<seq>[1-9][0-9]{0,8})-[0-9]+")
_PATH: Final = re.compile("|".join(_KINDS))

RUN_PATH: Final = "run/run.json"
RESULT_PATH: Final = "agent/result.json"


class BadPath(ValueError):
    """A path that no record may have."""


def place_of(path: str) -> tuple[Place, str]:
    """The directory and the name of a record's file. Raises BadPath."""
    if not _PATH.fullmatch(path):
        raise BadPath(f"{path[:200]!r} is no file that a run's records have")
    *directory, name = path.split("/")
    return tuple(directory), name


def is_body(path: str) -> bool:
    """Is it a blob, whose name is the digest of what it holds?"""
    return "/blobs/" in path


def path_of(place: Place, name: str) -> str:
    return "/".join((*place, name))


def verdict_path(participant: str, call: str) -> str:
    return path_of(layout.verdicts(participant), f"{call}.json")


def call_path(participant: str, call: str) -> str:
    return path_of(layout.calls(participant), f"{call}.json")


def started_path(participant: str, call: str) -> str:
    return path_of(layout.started(participant), call)


def reply_path(participant: str, call: str) -> str:
    return path_of(layout.replies(participant), f"{call}.json")


def blob_path(writer: str, digest: str) -> str:
    return path_of(layout.blobs(writer), digest)


Rank: TypeAlias = tuple[float, int, str]
LAST: Final[Rank] = (float("inf"), 9, "")
_OF_A_CALL: Final = {"calls": 0, "questions": 1, "verdicts": 2, "started": 3, "replies": 4}


def rank(path: str) -> Rank:
    """Where a document stands in the order of a run: a model's call before the message that comes of it, a tool's
    after the message that asked. Of bodies (blobs) it says nothing."""
    *directory, name = path.split("/")
    stem = name.removesuffix(".json")
    if directory == ["run"]:
        return (-2, 0, path)
    if directory[-1:] == ["inbox"]:
        return (-1, int(stem), path)
    if directory[-1:] == ["transcript"]:
        return (int(stem), 5, path)
    if found := _CALL_ID.fullmatch(stem):
        kind = next((step for word, step in _OF_A_CALL.items() if word in directory), 4)
        return (int(found["seq"]), kind if found["model"] else 6 + kind, path)
    return LAST
