"""Making things durable: what a write rests on is on the disk before its verdict appears."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from sympozium_bridge.journal import Journal
from sympozium_bridge.places import Places
from sympozium_protocol.bus.places import RESULT_PATH
from sympozium_protocol.durable import sync_together
from sympozium_protocol.files import BadFile, Directory
from sympozium_protocol.layout import DURABLE_FILE, RESULT_FILE
from sympozium_protocol.messages.result import Durable


class Durability:
    """How far the run is on the disk; one batch at a time."""

    def __init__(self, places: Places, journal: Journal) -> None:
        self._places = places
        self._journal = journal
        self._seq = 0
        self._result = False
        self._synced = False

    def batch(self, files: Iterable[tuple[Directory, str]]) -> None:
        """Sync the transcript so far and these files, all of them together. Raises FileFault."""
        names: dict[Directory, list[str]] = defaultdict(list)
        seq = self._seq
        while self._places.transcript.has(f"{seq + 1}.json"):
            seq += 1
            names[self._places.transcript].append(f"{seq}.json")
        for directory, name in files:
            names[directory].append(name)
        sync_together(names)
        self._seq = seq

    def finish(self) -> bool:
        """Sync everything and the result, if it is there; say so in ``durable`` when the stream has it too.

        Was there news?
        """
        if self._result or not self._places.agent.has(RESULT_FILE):
            return False
        if not self._synced:
            try:
                self.batch([(self._places.agent, RESULT_FILE)])
            except BadFile:  # the agent's doing: what nobody reads is never said to be safe, and ends no gate
                return False
            self._synced = True
        if self._journal.published and not (self._journal.has(RESULT_PATH) and self._journal.behind == 0):
            return False
        self._result = True
        self.say()
        return True

    @property
    def said(self) -> bool:
        """Is the result on the disk, and in the stream where there is one?"""
        return self._result

    def say(self) -> None:
        """Write how far the run is safe."""
        self._places.own.replace(DURABLE_FILE, Durable(seq=self._seq, result=self._result).encode())
