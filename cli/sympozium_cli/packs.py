"""Skill packs in directories: those that are shipped, each read when it is asked for, and a person's own."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

from sympozium_controller.errors import InvalidPack
from sympozium_controller.objects import SkillPack
from sympozium_controller.packs import PACK_FILE, SKILL_FILE, parse_pack
from sympozium_protocol.exits import Ended, Reason
from sympozium_protocol.files import MAX_FILE


class Packs(Mapping[str, SkillPack]):
    """By name. Reading one raises InvalidPack."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def __getitem__(self, name: str) -> SkillPack:
        if name not in set(self):
            raise KeyError(name)
        file = self._directory / name / PACK_FILE
        return parse_pack(name, read_file(file), _text(self._directory / name / SKILL_FILE), file=str(file))

    def __iter__(self) -> Iterator[str]:
        if self._directory.is_dir():
            yield from sorted(path.parent.name for path in self._directory.glob(f"*/{PACK_FILE}"))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __contains__(self, name: object) -> bool:
        return name in set(self)


def read_own(directory: Path) -> SkillPack:
    """The pack in this directory, which bears its name. Raises InvalidPack."""
    whole = directory.resolve()
    shown = directory / PACK_FILE
    return parse_pack(whole.name, read_file(shown), _text(directory / SKILL_FILE), file=str(shown))


def is_directory(skill: str) -> bool:
    """Is it told by its directory? No name of a pack has a slash."""
    return "/" in skill or skill in (".", "..")


def with_own(packs: Mapping[str, SkillPack], skills: Sequence[str]) -> tuple[Mapping[str, SkillPack], tuple[str, ...]]:
    """``packs`` and those that ``skills`` tells by a directory, which stand in for one of the same name; and all names.

    Raises InvalidPack.
    """
    own = {skill: read_own(Path(skill)) for skill in skills if is_directory(skill)}
    names = tuple(own[skill].name if skill in own else skill for skill in skills)
    return (ChainMap({pack.name: pack for pack in own.values()}, packs) if own else packs), names  # type: ignore[arg-type]


def read_file(file: Path) -> bytes:
    """At most as much as is read of any document; a pipe or device is none. Raises InvalidPack."""
    try:
        if file.exists() and not file.is_file():
            raise InvalidPack(str(file), "", "is no file")
        with file.open("rb") as opened:
            data = opened.read(MAX_FILE + 1)
    except OSError as error:
        raise InvalidPack(str(file), "", (error.strerror or str(error)).lower()) from None
    if len(data) > MAX_FILE:
        raise InvalidPack(str(file), "", f"is larger than {MAX_FILE >> 20} MiB")
    return data


def _text(file: Path) -> str:
    try:
        return read_file(file).decode()
    except UnicodeDecodeError:
        raise InvalidPack(str(file), "", "is not UTF-8") from None


def shipped() -> Packs:
    """Those of the package ``sympozium_packs``, which holds data and no code."""
    found = find_spec("sympozium_packs")
    if found is None or not found.submodule_search_locations:
        raise Ended(Reason.InternalError, "the package sympozium-packs is not installed")
    return Packs(Path(next(iter(found.submodule_search_locations))))
