"""Writing below a directory so that no link, however late it is put there, leads out of it.

Links are resolved first, by name; what they lead to must lie below an allowed directory. Then that
place is walked again one component at a time through no link at all: one that was swapped in
between makes the walk fail, and what is written is relative to the directory that was reached.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from sympozium_runner.native.paths import Refused

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_APPEND = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Place:
    """A file by an allowed directory and the names that lead to it from there."""

    root: Path
    names: tuple[str, ...]


def resolve_beneath(path: Path, roots: Sequence[Path], forbidden: Path) -> Place | None:
    """Where ``path`` really is; None when that is below none of ``roots``, or below ``forbidden``."""
    real = Path(os.path.realpath(path))
    closed = Path(os.path.realpath(forbidden))
    if real == closed or closed in real.parents:
        return None
    for root in roots:
        base = Path(os.path.realpath(root))
        if base in real.parents:
            return Place(base, real.relative_to(base).parts)
    return None


class Beneath:
    """One file to be written, in a directory that is held open."""

    def __init__(self, fd: int, name: str, shown: str) -> None:
        self.fd = fd
        self.name = name
        self.shown = shown

    @classmethod
    def open(cls, place: Place, shown: str) -> Self:
        """Walk to the directory of ``place``, making what is missing. Raises OSError."""
        fd = os.open(place.root, _DIRECTORY)
        for name in place.names[:-1]:
            try:
                deeper = _enter(fd, name)
            finally:
                os.close(fd)
            fd = deeper
        return cls(fd, place.names[-1], shown)

    def replace(self, data: bytes) -> None:
        """The file has ``data``, whole, or what it had before. Raises OSError, Refused."""
        former = self._former()
        aside = f".write-{secrets.token_hex(8)}"
        fd = os.open(aside, _NEW, 0o666, dir_fd=self.fd)
        try:
            try:
                _write_all(fd, data)
                if former is not None:
                    os.fchmod(fd, stat.S_IMODE(former.st_mode) & 0o777)
            finally:
                os.close(fd)
            os.rename(aside, self.name, src_dir_fd=self.fd, dst_dir_fd=self.fd)
        except OSError:
            os.unlink(aside, dir_fd=self.fd)
            raise

    def append(self, data: bytes, largest: int) -> int:
        """Add to the file; its size then. Raises OSError, Refused."""
        self._former()
        fd = os.open(self.name, _APPEND, 0o666, dir_fd=self.fd)
        try:
            facts = os.fstat(fd)
            self._check(facts)
            if facts.st_nlink > 1:  # its other name may be anywhere
                raise Refused(f"{self.shown}: has more than one name (hard links), so it is not appended to.")
            if facts.st_size + len(data) > largest:
                raise Refused(f"{self.shown}: would have more than {largest} bytes.")
            _write_all(fd, data)
            return facts.st_size + len(data)
        finally:
            os.close(fd)

    def _former(self) -> os.stat_result | None:
        try:
            facts = os.stat(self.name, dir_fd=self.fd, follow_symlinks=False)
        except FileNotFoundError:
            return None
        self._check(facts)
        return facts

    def _check(self, facts: os.stat_result) -> None:
        if stat.S_ISDIR(facts.st_mode):
            raise Refused(f"{self.shown}: is a directory.")
        if not stat.S_ISREG(facts.st_mode):
            raise Refused(f"{self.shown}: is not a regular file.")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.fd)


def _enter(fd: int, name: str) -> int:
    try:
        os.mkdir(name, 0o777, dir_fd=fd)
    except OSError as error:
        # a read-only parent refuses to make what may well be there: the open tells
        if error.errno not in (errno.EEXIST, errno.EROFS, errno.EACCES, errno.EPERM):
            raise
    return os.open(name, _DIRECTORY, dir_fd=fd)


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
