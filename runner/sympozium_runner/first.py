"""The agent's first process: it locks the network where it must, starts the program, and stays.

It is a bare Python that imports nothing of ours but the filter, so it costs almost nothing, and a
fault of the program cannot take it along. The program runs in a fork, so its interpreter is not
started twice. Killed by a signal it is started again; a restarted program goes on from its files.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import signal
import sys
import time

from sympozium_runner.seccomp import CannotLock, lock_network

TYPE_CHECKING = False
if TYPE_CHECKING:  # the module typing is among what a bare process has not got
    from collections.abc import Callable
    from typing import Final, NoReturn, TypeAlias

    Program: TypeAlias = Callable[[], int]

RESTARTS: Final = 5
"""A program that a signal kills more often than this will be killed again."""

BACKOFF: Final = 0.1
"""Seconds before the first restart; doubled with each, so that what kills it (memory) may pass."""

GRACE: Final = 10.0
"""Seconds from the signal to end until SIGKILL: an agent that suspends needs far less."""

_SUSPENDED, _CRASHED, _INVALID_RUN, _INTERNAL = 51, 63, 64, 69  # Reason, which is too heavy to import here
_WORDS: Final = {_SUSPENDED: "Suspended", _CRASHED: "AgentCrashed", _INVALID_RUN: "InvalidRun"}
_LONGEST_MESSAGE = 100
"""Characters: even the smallest share of a pod's messages holds them."""
_LARGEST_RUN = 1 << 20
_PR_SET_PDEATHSIG = 1
_FROM_KERNEL = 0x80
_WATCHED: Final = (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT)


class Fault(Exception):
    """Ends the first process: an exit code, its word, a sentence."""

    def __init__(self, code: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason


def first(program: Program) -> int:
    """All that the first process does; ``program`` is called in a fork. The exit code of either."""
    try:
        follow_parent(signal.SIGTERM, os.environ.pop("SYMPOZIUM_PARENT", ""))
        if not offers_fetch(read_run()):
            lock_network()
        code = Supervisor(program).run()
    except CannotLock as fault:
        return end(Fault(_INTERNAL, "InternalError", f"the agent cannot be locked out of the network: {fault}"))
    except Fault as fault:
        return end(fault)
    if code:
        tell(_WORDS.get(code, "InternalError"), "the agent ended before it could tell why", unless_told=True)
    return code


def end(fault: Fault) -> int:
    """Say why this process ends; its exit code."""
    log("ended", reason=fault.reason, message=str(fault))
    tell(fault.reason, str(fault))
    return fault.code


def tell(reason: str, message: str, *, unless_told: bool = False) -> None:
    """The termination message where the agent has left none, or (not ``unless_told``) in place of what it left."""
    path = os.environ.get("SYMPOZIUM_TERMINATION_MESSAGE", "")
    try:
        if not path or (unless_told and os.path.getsize(path)):
            return
        told = {"kind": "Termination", "reason": reason, "message": message[:_LONGEST_MESSAGE]}
        with open(path, "w", encoding="utf-8") as file:
            json.dump(told, file)
    except OSError as error:
        log("no termination message", why=(error.strerror or "").lower())


def log(event: str, **fields: object) -> None:
    """One line of JSON on standard error, as every program of a pod writes it."""
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    try:
        sys.stderr.write(json.dumps({"time": stamp, "event": event, **fields}, ensure_ascii=False) + "\n")
        sys.stderr.flush()
    except OSError:
        pass  # a log that cannot be written must not end a run


def follow_parent(number: int, parent: str) -> None:
    """Have the kernel send ``number`` when ``parent`` (a process id; empty: nobody) has gone."""
    if not parent:
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(number), *(ctypes.c_ulong(0),) * 3)
    if not parent.isdecimal() or os.getppid() != int(parent):  # it went before we asked
        raise Fault(_SUSPENDED, "Suspended", "the process that started this one has gone")


def read_run() -> bytes:
    """The bytes of run.json. Raises Fault (InvalidRun) when they are not those of this run."""
    path = os.path.join(os.environ.get("SYMPOZIUM_IPC", "/ipc"), "run", "run.json")
    if "SYMPOZIUM_RUN_WITHIN" in os.environ:
        await_file(path, float(os.environ["SYMPOZIUM_RUN_WITHIN"]))
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(fd, "rb") as file:
            data = file.read(_LARGEST_RUN + 1)
    except OSError as error:
        raise Fault(_INVALID_RUN, "InvalidRun", f"run/run.json: {(error.strerror or '').lower()}") from None
    expected = os.environ.get("SYMPOZIUM_RUN_DIGEST", "")
    if expected and _digest(data) != expected:
        message = "run/run.json: is not the RunSpec that this program was started for"
        raise Fault(_INVALID_RUN, "InvalidRun", message)
    return data


def await_file(path: str, seconds: float) -> None:
    """Whoever makes the pod may still be at it, where all its programs start together; SIGTERM ends the wait."""
    ends = time.monotonic() + seconds
    before = signal.signal(signal.SIGTERM, lambda *_: os._exit(_SUSPENDED))
    while not os.path.exists(path) and time.monotonic() < ends:
        time.sleep(0.02)
    signal.signal(signal.SIGTERM, before)


def _digest(data: bytes) -> str:
    import hashlib  # here: it loads a library

    return hashlib.sha256(data).hexdigest()


def offers_fetch(data: bytes) -> bool:
    """Does this RunSpec offer fetch_url? One that cannot be read does not; the program says what is wrong with it."""
    try:
        tools = json.loads(data)["native"]["tools"]
        return any(tool["name"] == "fetch_url" for tool in tools)
    except (ValueError, LookupError, TypeError, RecursionError):
        return False


class Supervisor:
    """Starts the program, hands signals on to it, reaps, and starts it again when a signal killed it."""

    def __init__(self, program: Program, *, backoff: float = BACKOFF, grace: float = GRACE) -> None:
        self.program = program
        self.backoff = backoff
        self.grace = grace
        self.child = 0
        self.stopping = False

    def run(self) -> int:
        """The exit code: the program's own, Suspended when it was told to end, or AgentCrashed."""
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # inherited as ignored, it would hide how a child ended
        # signals are taken out one by one below: no handler, so no moment in which one is lost
        signal.pthread_sigmask(signal.SIG_BLOCK, _WATCHED)
        killed_by = 0
        for life in range(RESTARTS + 1):
            self.child = self._start()
            status = self._wait()
            if os.WIFEXITED(status):
                return os.WEXITSTATUS(status)
            if self.stopping:
                return _SUSPENDED
            killed_by = os.WTERMSIG(status)
            log("killed", signal=_name(killed_by), life=life + 1)
            if life < RESTARTS and self._pause(self.backoff * 2**life):
                return _SUSPENDED
        message = f"{_name(killed_by)} ended the agent, as a signal had {RESTARTS} times before"
        raise Fault(_CRASHED, "AgentCrashed", message)

    def _start(self) -> int:
        parent = os.getpid()
        child = os.fork()
        if child == 0:
            self._become(parent)
        return child

    def _become(self, parent: int) -> NoReturn:
        """The program, in the fork. It ends here, whatever it does: what is below on the stack is its parent's."""
        code = _INTERNAL
        try:
            follow_parent(signal.SIGKILL, str(parent))
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _WATCHED)
            code = self.program()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else _INTERNAL
        except BaseException as error:  # noqa: BLE001  the top of a program
            sys.excepthook(type(error), error, error.__traceback__)
        finally:
            for stream in (sys.stdout, sys.stderr):
                try:
                    stream.flush()
                except (OSError, ValueError, AttributeError):  # full, closed, or let go of
                    pass
            os._exit(code)

    def _wait(self) -> int:
        """The child's wait status. Everything else that ends is reaped on the way."""
        while True:
            status = self._reap()
            if status is not None:
                return status
            # told to end, it has a bounded time for that
            found = signal.sigtimedwait(_WATCHED, self.grace) if self.stopping else signal.sigwaitinfo(_WATCHED)
            if found is None:
                os.kill(self.child, signal.SIGKILL)
            elif found.si_signo != signal.SIGCHLD:
                self._hand_on(found)

    def _reap(self) -> int | None:
        status = None
        while True:
            try:
                pid, found = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return status
            if pid == 0:
                return status
            if pid == self.child:
                status = found

    def _hand_on(self, found: signal.struct_siginfo) -> None:
        self.stopping = True
        # Ctrl-C on a terminal reaches the whole foreground group: the child has it already
        if found.si_signo == signal.SIGINT and found.si_code == _FROM_KERNEL:
            return
        os.kill(self.child, found.si_signo)

    def _pause(self, seconds: float) -> bool:
        """Wait before a restart; True when told to end meanwhile."""
        return signal.sigtimedwait((signal.SIGTERM, signal.SIGINT), seconds) is not None


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def program() -> int:
    """The agent, imported here and not before: only the fork carries it."""
    gc.disable()  # nothing that an import makes is garbage
    from sympozium_runner.program import main

    gc.freeze()
    gc.enable()
    return main()
