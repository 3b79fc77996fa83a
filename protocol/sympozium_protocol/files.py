"""Guarded read, atomic write: the only code that touches a file below /ipc.

A directory is opened once, one component at a time and through no link; its files are opened
relative to it. Whoever owns the other end is not trusted: a file may be a FIFO, a link, endless
or half written, and none of these may block the reader, lead it astray or be taken for content.
"""

from __future__ import annotations

import ctypes
import errno
import hashlib
import os
import stat
from collections.abc import Iterator
from typing import Final, Self

from sympozium_protocol import ids
from sympozium_protocol.layout import Place

MAX_FILE: Final = 1 << 20
"""Bytes of a message file. Larger bodies are blobs."""

MAX_BLOB: Final = 256 << 20
"""Bytes of a blob; more than a model or a person can use."""

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_RENAME_NOREPLACE = 1
_libc = ctypes.CDLL(None, use_errno=True)


class FileFault(Exception):
    """A file below /ipc that cannot be used. ``path`` is relative to /ipc, ``why`` in plain words."""

    def __init__(self, path: str, why: str) -> None:
        super().__init__(f"{path}: {why}")
        self.path = path
        self.why = why


class BadFile(FileFault):
    """Another program's file that is not what it must be: never acted on, reported once."""


class Exists(FileFault):
    """A file of that name is there already; files are never replaced."""


class CannotRead(FileFault):
    """The system refused to read what should be readable."""


class CannotWrite(FileFault):
    """The system refused a write: permissions, a read-only or broken volume."""


class DiskFull(CannotWrite):
    """No space, no inodes or no quota left."""


def digest(data: bytes) -> str:
    """SHA-256, lower-case hex."""
    return hashlib.sha256(data).hexdigest()


class Directory:
    """One directory below /ipc, held open. Cheap to keep; everything is relative to it."""

    __slots__ = ("fd", "path")

    def __init__(self, fd: int, path: str) -> None:
        self.fd = fd
        self.path = path

    def __repr__(self) -> str:
        return f"Directory({self.path!r})"

    def close(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def at(self, name: str) -> str:
        """The path of a file in it, for messages."""
        return f"{self.path}/{name}" if self.path else name

    def open(self, place: Place) -> Directory:
        """The directory at ``place`` below this one. Raises BadFile when it is none, or leads through a link."""
        fd = os.dup(self.fd)
        path = self.path
        for name in place:
            path = f"{path}/{name}" if path else name
            try:
                deeper = os.open(name, _DIRECTORY, dir_fd=fd)
            except OSError as error:
                raise _directory_fault(path, error) from None
            finally:
                os.close(fd)
            fd = deeper
        return Directory(fd, path)

    def make(self, place: Place) -> Directory:
        """As ``open``, creating what is missing (mode 0700 less umask)."""
        here = self.open(())
        for name in place:
            with here:
                here = here._make_one(name)
        return here

    def _make_one(self, name: str) -> Directory:
        try:
            os.mkdir(name, 0o700, dir_fd=self.fd)
        except FileExistsError:
            pass
        except OSError as error:
            raise write_fault(self.at(name), error) from None
        return self.open((name,))

    def names(self) -> list[str]:
        """Its entries but those with a dot-name, in no order."""
        try:
            return [name for name in os.listdir(self.fd) if not name.startswith(".")]
        except OSError as error:
            raise CannotRead(self.path, _why(error)) from None

    def modified(self) -> int:
        """When an entry last came or went, in ns of the file system's own clock."""
        return os.stat(self.fd).st_mtime_ns

    def has(self, name: str) -> bool:
        """Is there an entry of that name, of whatever kind? (Presence is the state.)"""
        try:
            os.stat(name, dir_fd=self.fd, follow_symlinks=False)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ENOTDIR):
                return False
            raise CannotRead(self.at(name), _why(error)) from None
        return True

    def touched(self, name: str) -> int | None:
        """Modification time of ``name`` in ns; None when it is not there."""
        try:
            return os.stat(name, dir_fd=self.fd, follow_symlinks=False).st_mtime_ns
        except FileNotFoundError:
            return None
        except OSError as error:
            raise CannotRead(self.at(name), _why(error)) from None

    def read(self, name: str, limit: int = MAX_FILE) -> bytes | None:
        """The whole of one complete file; None when it is not there.

        Raises BadFile for anything but a regular file of 1 to ``limit`` bytes; CannotRead when
        the system refuses.
        """
        try:
            fd = os.open(name, _READ, dir_fd=self.fd)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise read_fault(self.at(name), error) from None
        try:
            return self._read_open(fd, name, limit)
        except OSError as error:
            raise CannotRead(self.at(name), _why(error)) from None
        finally:
            os.close(fd)

    def pieces(self, name: str, size: int, limit: int = MAX_BLOB) -> Iterator[bytes]:
        """One complete file in pieces of ``size`` bytes, for one that should not be in memory whole; none if it is
        not there. Raises as ``read``."""
        try:
            fd = os.open(name, _READ, dir_fd=self.fd)
        except FileNotFoundError:
            return
        except OSError as error:
            raise read_fault(self.at(name), error) from None
        try:
            self._check_open(fd, name, limit)
            while piece := os.read(fd, size):
                yield piece
        except OSError as error:
            raise CannotRead(self.at(name), _why(error)) from None
        finally:
            os.close(fd)

    def size(self, name: str) -> int | None:
        """Bytes of one complete file; None when it is not there. Raises CannotRead."""
        try:
            return os.stat(name, dir_fd=self.fd, follow_symlinks=False).st_size
        except FileNotFoundError:
            return None
        except OSError as error:
            raise CannotRead(self.at(name), _why(error)) from None

    def _check_open(self, fd: int, name: str, limit: int) -> os.stat_result:
        facts = os.fstat(fd)
        if not stat.S_ISREG(facts.st_mode):
            raise BadFile(self.at(name), f"is {_file_type(facts.st_mode)}, not a regular file")
        if facts.st_size > limit:
            raise BadFile(self.at(name), f"has {facts.st_size} bytes; at most {limit} are read")
        if facts.st_size == 0:
            raise BadFile(self.at(name), "is empty")
        return facts

    def _read_open(self, fd: int, name: str, limit: int) -> bytes:
        facts = self._check_open(fd, name, limit)
        data = os.read(fd, facts.st_size + 1)
        while len(data) < facts.st_size:
            more = os.read(fd, facts.st_size + 1 - len(data))
            if not more:
                raise BadFile(self.at(name), "became shorter while it was read")
            data += more
        if len(data) > facts.st_size:
            raise BadFile(self.at(name), "grew while it was read")
        return data

    def write(self, name: str, data: bytes, *, durable: bool = False) -> None:
        """Make ``name`` appear whole, never replacing. ``durable``: and on the disk before returning.

        Raises Exists, DiskFull, CannotWrite.
        """
        aside = self.stage(name, data)
        try:
            if durable:
                self._sync(aside)
            self.appear(aside, name)
            if durable:
                os.fsync(self.fd)
        except OSError as error:
            self.discard(aside)
            raise write_fault(self.at(name), error) from None

    def stage(self, name: str, data: bytes) -> str:
        """Write what shall become ``name`` under a dot-name, which nobody reads; that name. Raises CannotWrite."""
        aside = f".{name}.{os.getpid()}"
        try:
            fd = os.open(aside, _WRITE | os.O_TRUNC, 0o644, dir_fd=self.fd)
            try:
                _write_all(fd, data)
            finally:
                os.close(fd)
        except OSError as error:
            self.discard(aside)
            raise write_fault(self.at(name), error) from None
        return aside

    def appear(self, aside: str, name: str) -> None:
        """Make a staged file appear, never replacing. Raises Exists, CannotWrite; it is gone then."""
        try:
            self._rename(aside, name)
        except FileExistsError:
            self.discard(aside)
            raise Exists(self.at(name), "is there already") from None
        except OSError as error:
            self.discard(aside)
            raise write_fault(self.at(name), error) from None

    def _sync(self, name: str) -> None:
        fd = os.open(name, _READ, dir_fd=self.fd)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def _rename(self, aside: str, name: str) -> None:
        done = _libc.renameat2(self.fd, os.fsencode(aside), self.fd, os.fsencode(name), _RENAME_NOREPLACE)
        if done == 0:
            return
        code = ctypes.get_errno()
        if code not in (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP):
            raise OSError(code, os.strerror(code))
        # a file system without RENAME_NOREPLACE: a link refuses to replace as well
        os.link(aside, name, src_dir_fd=self.fd, dst_dir_fd=self.fd, follow_symlinks=False)
        os.unlink(aside, dir_fd=self.fd)

    def discard(self, aside: str) -> None:
        """Forget a staged file."""
        try:
            os.unlink(aside, dir_fd=self.fd)
        except OSError:  # the fault that led here is the one to report
            pass

    def mark(self, name: str) -> None:
        """Make an empty file appear; no error when it is there (its presence is its meaning)."""
        try:
            os.close(os.open(name, _WRITE | os.O_EXCL, 0o644, dir_fd=self.fd))
        except FileExistsError:
            return
        except OSError as error:
            raise write_fault(self.at(name), error) from None

    def replace(self, name: str, data: bytes) -> None:
        """Set one of the few files that change (``durable``): readers see the old or the new, whole."""
        aside = self.stage(name, data)
        try:
            os.rename(aside, name, src_dir_fd=self.fd, dst_dir_fd=self.fd)
        except OSError as error:
            self.discard(aside)
            raise write_fault(self.at(name), error) from None

    def touch(self, name: str) -> None:
        """Set the time of ``name`` to now, creating it."""
        try:
            os.utime(name, dir_fd=self.fd, follow_symlinks=False)
        except FileNotFoundError:
            self.mark(name)
        except OSError as error:
            raise write_fault(self.at(name), error) from None

    def append(self, name: str, data: bytes) -> None:
        """Add to one of the lossy files (``progress``)."""
        try:
            fd = os.open(name, _WRITE | os.O_APPEND, 0o644, dir_fd=self.fd)
            try:
                _write_all(fd, data)
            finally:
                os.close(fd)
        except OSError as error:
            raise write_fault(self.at(name), error) from None

    def remove(self, name: str) -> None:
        """Remove one of the writer's own files; no error when it is gone."""
        try:
            os.unlink(name, dir_fd=self.fd)
        except FileNotFoundError:
            return
        except OSError as error:
            raise write_fault(self.at(name), error) from None

    def put_blob(self, data: bytes) -> str:
        """Keep ``data`` in this blobs directory; its digest. The same content is kept once."""
        name = digest(data)
        try:
            self.write(name, data)
        except Exists:
            pass
        return name

    def get_blob(self, name: str) -> bytes | None:
        """The blob of that digest, checked against it. Raises BadFile when it is something else."""
        if not ids.is_digest(name):
            raise BadFile(self.at(name), "is no digest")
        data = self.read(name, MAX_BLOB)
        if data is not None and digest(data) != name:
            raise BadFile(self.at(name), "is not what its name says")
        return data

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_root(path: str | os.PathLike[str]) -> Directory:
    """The ipc directory itself. Raises BadFile when it is none."""
    try:
        return Directory(os.open(path, _DIRECTORY), "")
    except OSError as error:
        raise BadFile(os.fspath(path), _why(error)) from None


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def _why(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


def _file_type(mode: int) -> str:
    kinds = (
        (stat.S_ISFIFO, "a FIFO"),
        (stat.S_ISDIR, "a directory"),
        (stat.S_ISSOCK, "a socket"),
        (stat.S_ISCHR, "a device"),
        (stat.S_ISBLK, "a device"),
    )
    return next((words for test, words in kinds if test(mode)), "of another type")


def _directory_fault(path: str, error: OSError) -> FileFault:
    if error.errno in (errno.ENOTDIR, errno.ELOOP):  # either, for a link: kernels differ
        return BadFile(path, "is not a directory, but a file or a link")
    if error.errno == errno.ENOENT:
        return BadFile(path, "is not there")
    return CannotRead(path, _why(error))


def read_fault(path: str, error: OSError) -> FileFault:
    """What a refusal to open or read means."""
    if error.errno == errno.ELOOP:
        return BadFile(path, "is a symbolic link")
    if error.errno in (errno.ENXIO, errno.ENODEV, errno.EISDIR, errno.ENAMETOOLONG, errno.EACCES, errno.EPERM):
        return BadFile(path, _why(error))
    return CannotRead(path, _why(error))


def write_fault(path: str, error: OSError) -> CannotWrite:
    """What a refusal to write means."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull(path, _why(error))
    return CannotWrite(path, _why(error))
