"""Putting files on the disk together: one wait for several files, not one for each."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator, Mapping, Sequence

from sympozium_protocol.files import BadFile, Directory, read_fault, write_fault


def sync_together(files: Mapping[Directory, Sequence[str]]) -> None:
    """Put these files of these directories, and the directories themselves, on the disk.

    The writing of all is begun before any is waited for: on a file system with a journal they then share one
    commit of it. Raises FileFault: BadFile for what is no regular file, whoever put it there.
    """
    with contextlib.ExitStack() as stack:
        opened = [(d.at(name), _open(d, name, stack)) for d, names in files.items() for name in names]
        for path, fd in opened:
            with _faults(path):
                os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)  # writes what is dirty, without waiting
        for path, fd in opened:
            with _faults(path):
                os.fdatasync(fd)
        for directory in files:
            with _faults(directory.path):
                os.fsync(directory.fd)


def _open(directory: Directory, name: str, stack: contextlib.ExitStack) -> int:
    try:
        fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=directory.fd)
    except OSError as error:
        raise read_fault(directory.at(name), error) from None
    stack.callback(os.close, fd)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        raise BadFile(directory.at(name), "is not a regular file")
    return fd


@contextlib.contextmanager
def _faults(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise write_fault(path, error) from None
