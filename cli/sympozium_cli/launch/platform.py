"""What a session needs of the place where a pod's programs run: processes of this machine, or containers."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from sympozium_cli.rundir import RunDirectory
from sympozium_controller.pod import SecretEnv
from sympozium_controller.render.notenforced import NotEnforced


class Life(Protocol):
    """One life of one program."""

    @property
    def code(self) -> int | None:
        """Its exit code, negative for the signal that killed it; None while it lives."""

    async def end(self, within: float | None = None) -> int | None:
        """Wait for its end, at most ``within`` seconds; its code."""

    async def signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""


class Starter(Protocol):
    """Starts programs by name."""

    async def start(self, name: str) -> Life:
        """Raises OSError, Ended."""

    async def sweep(self) -> int:
        """End what a program that has gone left behind; how many of these could not be ended."""

    async def excess(self, name: str) -> str:
        """Did it end for asking too much memory? In words, or empty."""


@dataclass(frozen=True, slots=True)
class Held:
    """What the launcher holds for one run: its directory and lock, and the values of its secrets."""

    run: RunDirectory
    values: Mapping[SecretEnv, str]
    lock: int


class Platform(Protocol):
    """The pod, rendered for one kind of place."""

    @property
    def name(self) -> str:
        """As in ``not enforced for NAME``."""

    @property
    def programs(self) -> tuple[str, ...]:
        """Their names."""

    @property
    def not_enforced(self) -> tuple[NotEnforced, ...]: ...

    @property
    def directories(self) -> tuple[str, ...]:
        """To be made before anything starts, absolute, for this user alone."""

    @property
    def files(self) -> tuple[tuple[str, str], ...]:
        """(path, text)"""

    def settle(self) -> None:
        """All is laid out, or was by a former session: the last thing before the start. Raises OSError, Ended."""

    def starter(self, held: Held) -> AbstractAsyncContextManager[Starter]:
        """Nothing of the run is left behind when it is closed."""
