"""Process groups that exist before their first command: what ``started`` names, and what is killed whole.

A group's leader is a tiny shell that waits on a pipe of ours. So the group can be named before anything
runs in it; its number stays taken until the leader is reaped, however the command ends; and when this
program dies, of whatever cause, the pipe closes and the leader kills its whole group.
"""

from __future__ import annotations

import ctypes
import os
import signal
from contextlib import suppress
from typing import Final

from sympozium_skill.proc import stat_of

_PR_SET_CHILD_SUBREAPER = 36
_LEADER: Final = 'trap "" TERM INT HUP; read _; kill -KILL 0'


def adopt_orphans() -> None:
    """Become the parent of descendants whose own parent ends (prctl(2)): whoever daemonises stays ours."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


class Group:
    """One process group, empty but for its leader."""

    def __init__(self) -> None:
        inside, self._pipe = os.pipe()
        try:
            self.pid = os.posix_spawn(
                "/bin/sh",
                ["sh", "-c", _LEADER],
                {},
                file_actions=[
                    (os.POSIX_SPAWN_DUP2, inside, 0),
                    (os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0),
                    (os.POSIX_SPAWN_OPEN, 2, "/dev/null", os.O_WRONLY, 0),
                ],
                setpgroup=0,
                setsigdef=[signal.SIGPIPE],
            )
        except OSError:
            os.close(self._pipe)
            raise
        finally:
            os.close(inside)
        found = stat_of(self.pid)
        self.start = found.start if found else 0

    def healthy(self) -> bool:
        """Does its leader still wait? A command may have killed or stopped it."""
        found = stat_of(self.pid)
        return found is not None and found.state in "SRD"

    def signal(self, number: int) -> None:
        """To every process of the group; the leader heeds SIGKILL alone."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def close(self) -> None:
        """Kill what is left of it and give its number back."""
        self.signal(signal.SIGKILL)
        os.close(self._pipe)
        with suppress(ChildProcessError):
            os.waitpid(self.pid, 0)
