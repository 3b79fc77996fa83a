"""One run's directory on a laptop: where it lies, what it holds, who holds its lock.

DIR/{ipc, workspace, packs/<name>, tmp/<program>, logs/<program>.log, pod.json, ended.json, lock}; in the place of ipc,
volumes/<volume> where the programs are containers.
It is made for this user alone (0700), always kept, and named at the end.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sympozium_protocol.exits import Ended, Reason
from sympozium_protocol.files import Directory, FileFault, open_root
from sympozium_protocol.ids import is_id
from sympozium_protocol.layout import RUN, RUN_FILE, volume
from sympozium_protocol.volumes import open_run

POD_FILE: Final = "pod.json"
ENDED_FILE: Final = "ended.json"
"""How the launcher saw the run end; the agent's own account is agent/result.json."""
LOCK_FILE: Final = "lock"
LOGS: Final = "logs"
VOLUMES: Final = "volumes"
BUS_TOKEN_FILE: Final = "bus-token"  # noqa: S105  a file's name
"""With which the run's gate comes to the bus."""
RESTORING_FILE: Final = "restoring"
"""Is there while a run's files are written down again from the bus."""
OWN: Final = frozenset(
    {
        *("ipc", VOLUMES, "workspace", "packs", "tmp", LOGS),
        *(POD_FILE, f".{POD_FILE}", LOCK_FILE, BUS_TOKEN_FILE, RESTORING_FILE),
    }
)
"""All that the launcher makes in a run's directory before the run begins."""
MODE: Final = 0o700


def runs_root() -> Path:
    """Where runs lie by default."""
    state = os.environ.get("XDG_STATE_HOME", "")
    base = Path(state) if os.path.isabs(state) else Path.home() / ".local" / "state"
    return base / "sympozium" / "runs"


def memory_directory(namespace: str, instance: str) -> Path:
    """Where the memory of an instance lies: beside the runs, which it outlives."""
    return runs_root().parent / "memory" / namespace / instance


def new_run_id(now: float) -> str:
    """A run's name: its time (UTC), so that names sort, and some chance."""
    return f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime(now))}-{secrets.token_hex(2)}"


@dataclass(frozen=True, slots=True)
class RunDirectory:
    """Paths below one run's directory, which is absolute."""

    path: Path

    @property
    def ipc(self) -> Path:
        return self.path / "ipc"

    @property
    def name(self) -> str:
        """RUN as other commands take it: a name below the default place, else the directory."""
        return self.path.name if self.path.parent == runs_root() else str(self.path)

    @property
    def volumes(self) -> Path:
        """What stands in the place of ``ipc`` where the programs are containers."""
        return self.path / VOLUMES

    @property
    def record(self) -> Path:
        """All that was said in it, as ``volumes.open_run`` reads it."""
        return self.volumes if self.volumes.is_dir() else self.ipc

    @property
    def run_file(self) -> Path:
        """What makes a directory a run: it is written last."""
        if self.volumes.is_dir():
            return self.volumes / volume(RUN) / RUN_FILE
        return self.ipc / "run" / RUN_FILE

    def log_of(self, program: str) -> Path:
        return self.path / LOGS / f"{program}.log"

    def open(self) -> Directory:
        """Raises Ended (RunNotFound)."""
        return _opened(self.path)

    def open_ipc(self) -> Directory:
        """Raises Ended (RunNotFound)."""
        try:
            return open_run(self.record)
        except FileFault as fault:
            raise Ended(Reason.RunNotFound, str(fault)) from None

    def make(self) -> None:
        """Make the directory itself, which must not be there or be empty. Raises Ended (Usage), OSError."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self.path.mkdir(mode=MODE)
        except FileExistsError:
            if not self.path.is_dir():
                raise Ended(Reason.Usage, f"--dir: {self.path} is not a directory") from None
            if self._never_started():
                self._clear()
            if any(self.path.iterdir()):
                raise Ended(Reason.Usage, f"--dir: {self.path} is there already and is not empty") from None
            self.path.chmod(MODE)

    def _never_started(self) -> bool:
        """Is it what a launcher left that was killed before it had laid everything out?"""
        names = {path.name for path in self.path.iterdir()}
        return LOCK_FILE in names and names <= OWN and not self.run_file.exists() and not self.live()

    def _clear(self) -> None:
        for path in self.path.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()

    def lock(self) -> int:
        """The lock, held by whoever has this descriptor open. Raises Ended (RunLocked), OSError."""
        fd = os.open(self.path / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            raise Ended(Reason.RunLocked, f"{self.name}: programs of this run are still there") from None
        return fd

    def live(self) -> bool:
        """Does a program of this run still hold the lock?"""
        try:
            fd = os.open(self.path / LOCK_FILE, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            return False
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(fd)
        return False


def _opened(path: Path) -> Directory:
    try:
        return open_root(path)
    except FileFault as fault:
        raise Ended(Reason.RunNotFound, str(fault)) from None


def find(run: str, elsewhere: str = "") -> RunDirectory:
    """The run that RUN names: below the default place, or a directory. ``elsewhere``: where else one of this name may
    be meant. Raises Ended (RunNotFound)."""
    named = runs_root() / run
    path = named if is_id(run) and named.is_dir() else Path(run).absolute()
    found = RunDirectory(Path(os.path.realpath(path)))
    if found.run_file.exists():
        return found
    if (found.path / LOCK_FILE).exists():
        raise Ended(Reason.RunNotFound, f"{run}: its launcher ended before anything had started; run it anew")
    why = f"{run}: is no run, neither below {runs_root()} nor as a directory"
    raise Ended(Reason.RunNotFound, f"{why}; {elsewhere}" if elsewhere and is_id(run) else why)
