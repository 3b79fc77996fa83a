"""The lock: what a locked process and all that it starts can still do."""

from __future__ import annotations

import os
import struct
import subprocess
import sys

import pytest

from sympozium_runner.seccomp import MACHINES, Machine, program

LOCK = "from sympozium_runner.seccomp import lock_network; lock_network()\n"
ATTEMPTS = """
import ctypes, errno, os, socket
libc = ctypes.CDLL(None, use_errno=True)
def refused(*call):
    return libc.syscall(*call) == -1 and ctypes.get_errno() == errno.EPERM
def makes(family):
    try:
        socket.socket(family, socket.SOCK_STREAM).close()
    except PermissionError:
        return False
    return True
print("inet", makes(socket.AF_INET), "inet6", makes(socket.AF_INET6), "unix", makes(socket.AF_UNIX))
a, b = socket.socketpair(); a.send(b"x"); print("pair", b.recv(1))
print("uring", refused(425, 4, 0), refused(426, 0, 0, 0, 0, 0, 0), refused(427, 0, 0, 0, 0), refused(438, 0, 0, 0))
for family in range(2, 46):
    assert refused({socket}, family, 1, 0), family
assert refused({socket}, ctypes.c_ulong(2), 2, 0)
"""
SOCKET = {"x86_64": 41, "aarch64": 198}


def python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], text=True, capture_output=True)


def attempts() -> str:
    return ATTEMPTS.replace("{socket}", str(SOCKET[os.uname().machine]))


EXPECTED = "inet False inet6 False unix True\npair b'x'\nuring True True True True\n"


def test_a_locked_process_has_no_sockets_but_those_of_this_machine_and_no_io_uring() -> None:
    done = python(LOCK + attempts())
    assert (done.stdout, done.returncode) == (EXPECTED, 0), done.stderr


def test_the_lock_holds_for_what_a_locked_process_starts() -> None:
    code = LOCK + f"import subprocess, sys; sys.exit(subprocess.call([sys.executable, '-c', {attempts()!r}]))"
    done = python(code)
    assert (done.stdout, done.returncode) == (EXPECTED, 0), done.stderr


def test_a_lock_that_cannot_be_had_is_said_so() -> None:
    code = "import os\nos.uname = lambda: type('U', (), {'machine': 'vax', 'sysname': 'Linux'})\n" + LOCK
    done = python(code)
    assert "no filter for Linux on vax" in done.stderr
    assert done.returncode != 0


KILL, ALLOW, EPERM = 0x80000000, 0x7FFF0000, 0x00050001


def judged(machine: Machine, audit: int, number: int, argument: int = 0) -> int:
    """What the kernel would answer: the filter, interpreted."""
    data = struct.pack("=IIQ6Q", number, audit, 0, argument, 0, 0, 0, 0, 0)
    code = program(machine)
    steps = [struct.unpack_from("=HBBI", code, at) for at in range(0, len(code), 8)]
    at, held = 0, 0
    while True:
        kind, yes, no, value = steps[at]
        at += 1
        if kind == 0x20:
            held = struct.unpack_from("=I", data, value)[0]
        elif kind == 0x06:
            return int(value)
        else:
            at += yes if (held == value if kind == 0x15 else held >= value) else no


@pytest.mark.parametrize("name", list(MACHINES))
def test_the_filter_of_every_architecture_judges_alike(name: str) -> None:
    machine = MACHINES[name]
    assert judged(machine, machine.audit ^ 1, 0) == KILL
    for call in machine.sockets:
        assert judged(machine, machine.audit, call, 1) == ALLOW
        assert judged(machine, machine.audit, call, 0xFFFFFFFF_00000001) == ALLOW  # the kernel takes an int
        assert {judged(machine, machine.audit, call, family) for family in (0, 2, 10, 16, 17, 40)} == {EPERM}
    assert {judged(machine, machine.audit, number) for number in machine.refused} == {EPERM}
    assert {425, 426, 427, 438} < set(machine.refused)
    others = set(range(500)) - {*machine.refused, *machine.sockets}
    assert {judged(machine, machine.audit, number) for number in others} == {ALLOW}


def test_the_x32_calls_of_x86_64_are_killed() -> None:
    machine = MACHINES["x86_64"]
    for number in (0x40000000, 0x40000029, 0xFFFFFFFF):
        assert judged(machine, machine.audit, number, 1) == KILL
