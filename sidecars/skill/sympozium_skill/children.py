"""The processes of this program: those it waits for, and those that ran away from a command.

A call ends when its main process has ended. Whatever else it started is then killed: its process group
at once, and who left the group (setsid, a daemon) as soon as it becomes our child, which it does when its
own parent ends.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from contextlib import suppress
from typing import Final

from sympozium_skill.group import Group, adopt_orphans
from sympozium_skill.proc import mark_of, own_children, stat_of

SWEEP_FOR: Final = 1.0
"""Seconds at most until whatever ran away is dead: SIGKILL takes a moment, a tree has levels."""
SWEEP_EVERY: Final = 0.002


class Children:
    """One for the program; made inside the running loop."""

    def __init__(self) -> None:
        self._waiting: dict[int, asyncio.Future[int]] = {}
        self._groups: dict[int, str] = {}
        adopt_orphans()
        asyncio.get_running_loop().add_signal_handler(signal.SIGCHLD, self._look)
        self._idle: list[Group] = [Group()]

    def take_group(self, mark: str) -> Group:
        """An empty group for a call. Raises OSError."""
        while self._idle:
            group = self._idle.pop()
            if group.healthy():
                break
            group.close()
        else:
            group = Group()
        self._groups[group.pid] = mark
        return group

    def ended(self, pid: int) -> asyncio.Future[int]:
        """Its exit code when it ends; negative: the signal."""
        future = self._waiting[pid] = asyncio.get_running_loop().create_future()
        self._look()  # it may be over already
        return future

    def _look(self) -> None:
        for pid, future in list(self._waiting.items()):
            try:
                found, status = os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                found, status = pid, 0
            if found:
                del self._waiting[pid]
                if not future.done():
                    future.set_result(os.waitstatus_to_exitcode(status))

    async def end(self, group: Group) -> None:
        """Kill what a call left behind, in its group and out of it. The call's main process has ended."""
        if not self._strangers():
            # nothing but the leader is in it, so the next call can have it: making one costs half a spawn
            self._groups.pop(group.pid)
            self._idle.append(group)
            return
        group.signal(signal.SIGKILL)
        await self._sweep(self._groups[group.pid], group.pid)
        self._close(group)

    def end_now(self, group: Group) -> None:
        """As ``end``, without waiting for the deaths; nothing, when it was ended."""
        if group.pid not in self._groups:
            return
        group.signal(signal.SIGKILL)
        self._kill_strangers(self._groups[group.pid], group.pid)
        self._close(group)

    def _close(self, group: Group) -> None:
        if self._groups.pop(group.pid, None) is not None:
            group.close()

    async def _sweep(self, mark: str, group: int) -> None:
        until = time.monotonic() + SWEEP_FOR
        while self._kill_strangers(mark, group) and time.monotonic() < until:
            await asyncio.sleep(SWEEP_EVERY)

    def _strangers(self) -> list[int]:
        """Children that we did not start: what commands left to us."""
        idle = {group.pid for group in self._idle}
        own = (self._waiting, self._groups, idle)
        return [pid for pid in own_children() if not any(pid in ours for ours in own)]

    def _kill_strangers(self, mark: str, group: int) -> bool:
        """One round; is there anything that must still die?"""
        left = False
        for pid in self._strangers():
            if _reap(pid) or not self._belongs(pid, mark, group):
                continue
            with suppress(OSError):  # gone meanwhile, or another user's: no waiting for that one
                os.kill(pid, signal.SIGKILL)
                left = True
        return left

    def _belongs(self, pid: int, mark: str, group: int) -> bool:
        """Is this runaway the call's? One that hides its mark belongs to the last call still going on."""
        found = stat_of(pid)
        if found is not None and found.group in self._groups:
            return found.group == group
        said = mark_of(pid)
        if said is None:
            return len(self._groups) == 1
        return said == mark or said not in self._groups.values()


def _reap(pid: int) -> bool:
    """Was it dead already?"""
    try:
        return os.waitpid(pid, os.WNOHANG)[0] != 0
    except ChildProcessError:
        return True
