"""Locking a process out of the network: a seccomp filter that allows no socket but AF_UNIX.

It needs no privilege, cannot be taken back, and holds for every process that this one starts
(seccomp(2)). io_uring is refused because it makes sockets without socket(2); ptrace and its kin,
because they borrow another process's. Nothing is imported that a bare first process has not got.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:  # the module typing is among what a bare process has not got
    from typing import Final

_PR_SET_NO_NEW_PRIVS = 38
_PR_SET_SECCOMP = 22
_SECCOMP_MODE_FILTER = 2
_AF_UNIX = 1
_AF_INET = 2
_SOCK_STREAM = 1

# struct seccomp_data: nr, arch, instruction pointer, then six arguments of 64 bits
_NR, _ARCH, _ARG0_LOW = 0, 4, 16

_LOAD = 0x20  # BPF_LD | BPF_W | BPF_ABS
_EQUAL = 0x15  # BPF_JMP | BPF_JEQ | BPF_K
_AT_LEAST = 0x35  # BPF_JMP | BPF_JGE | BPF_K
_RETURN = 0x06  # BPF_RET | BPF_K
_ALLOW = 0x7FFF0000
_KILL = 0x80000000
_REFUSE = 0x00050000 | errno.EPERM

_X32 = 0x40000000
_IO_URING: Final = (425, 426, 427)  # setup, enter, register: the same everywhere
_PIDFD_GETFD = 438


class CannotLock(Exception):
    """The filter is not in force; the message says why."""


class Machine:
    """The numbers that differ between architectures.

    Call numbers from ``foreign`` on belong to another calling convention; 0 = there is none.
    """

    def __init__(
        self, *, audit: int, socket: int, socketpair: int, ptrace: int, process_vm_writev: int, foreign: int
    ) -> None:
        self.audit = audit
        self.foreign = foreign
        self.sockets = (socket, socketpair)
        """Allowed for AF_UNIX alone: their first argument decides."""
        self.refused = (*_IO_URING, _PIDFD_GETFD, ptrace, process_vm_writev)


MACHINES: Final = {
    "x86_64": Machine(audit=0xC000003E, socket=41, socketpair=53, ptrace=101, process_vm_writev=311, foreign=_X32),
    "aarch64": Machine(audit=0xC00000B7, socket=198, socketpair=199, ptrace=117, process_vm_writev=271, foreign=0),
}


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]


def _step(code: int, value: int, yes: int = 0, no: int = 0) -> bytes:
    return struct.pack("=HBBI", code, yes, no, value)


def program(machine: Machine) -> bytes:
    """The filter as the kernel reads it. Pure."""
    steps = [
        _step(_LOAD, _ARCH),
        _step(_EQUAL, machine.audit, yes=1),
        _step(_RETURN, _KILL),
        _step(_LOAD, _NR),
    ]
    if machine.foreign:
        steps += [_step(_AT_LEAST, machine.foreign, no=1), _step(_RETURN, _KILL)]
    for number in machine.refused:
        steps += [_step(_EQUAL, number, no=1), _step(_RETURN, _REFUSE)]
    steps += [
        _step(_EQUAL, machine.sockets[0], yes=2),
        _step(_EQUAL, machine.sockets[1], yes=1),
        _step(_RETURN, _ALLOW),
        _step(_LOAD, _ARG0_LOW),
        _step(_EQUAL, _AF_UNIX, no=1),
        _step(_RETURN, _ALLOW),
        _step(_RETURN, _REFUSE),
    ]
    return b"".join(steps)


def lock_network() -> None:
    """Put the filter in force for this process and all that it starts. Raises CannotLock."""
    found = os.uname()
    machine = MACHINES.get(found.machine)
    if found.sysname != "Linux" or machine is None:
        raise CannotLock(f"there is no filter for {found.sysname} on {found.machine}")
    libc = ctypes.CDLL(None, use_errno=True)
    code = program(machine)
    body = ctypes.create_string_buffer(code, len(code))
    filter_ = _Program(len(code) // 8, ctypes.cast(body, ctypes.c_void_p))
    _prctl(libc, "no_new_privs", _PR_SET_NO_NEW_PRIVS, 1, None)
    _prctl(libc, "the filter", _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(filter_))
    _prove(libc)


def _prctl(libc: ctypes.CDLL, what: str, option: int, value: int, pointer: object) -> None:
    long = ctypes.c_ulong
    if libc.prctl(option, long(value), pointer, long(0), long(0)) != 0:
        raise CannotLock(f"the kernel refuses {what}: {os.strerror(ctypes.get_errno())}")


def _prove(libc: ctypes.CDLL) -> None:
    """A filter that is said to hold and does not is worse than none."""
    fd = libc.socket(_AF_INET, _SOCK_STREAM, 0)
    if fd >= 0:
        os.close(fd)
        raise CannotLock("a socket could still be made")
