"""The skill packs that are shipped: a directory of packs, each read when it is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path

from sympozium_controller.errors import InvalidPack
from sympozium_controller.objects import SkillPack
from sympozium_controller.packs import PACK_FILE, SKILL_FILE, parse_pack
from sympozium_protocol.exits import Ended, Reason


class Packs(Mapping[str, SkillPack]):
    """By name. Reading one raises InvalidPack."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def __getitem__(self, name: str) -> SkillPack:
        if name not in set(self):
            raise KeyError(name)
        file = self._directory / name / PACK_FILE
        return parse_pack(name, _read(file), _text(self._directory / name / SKILL_FILE), file=str(file))

    def __iter__(self) -> Iterator[str]:
        if self._directory.is_dir():
            yield from sorted(path.parent.name for path in self._directory.glob(f"*/{PACK_FILE}"))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __contains__(self, name: object) -> bool:
        return name in set(self)


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise InvalidPack(str(file), "", (error.strerror or str(error)).lower()) from None


def _text(file: Path) -> str:
    try:
        return _read(file).decode()
    except UnicodeDecodeError:
        raise InvalidPack(str(file), "", "is not UTF-8") from None


def shipped() -> Packs:
    """Those of the package ``sympozium_packs``, which holds data and no code."""
    found = find_spec("sympozium_packs")
    if found is None or not found.submodule_search_locations:
        raise Ended(Reason.InternalError, "the package sympozium-packs is not installed")
    return Packs(Path(next(iter(found.submodule_search_locations))))
