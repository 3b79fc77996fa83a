"""What participants of the pod show while they work, said on the bus to whoever follows: lossy, and bounded."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from sympozium_protocol import layout
from sympozium_protocol.bus import subjects
from sympozium_protocol.bus.link import Link
from sympozium_protocol.bus.subjects import RunKey
from sympozium_protocol.files import BadFile, Directory
from sympozium_protocol.ids import is_id
from sympozium_protocol.messages.spec import RunSpec

BUSY: Final = 0.1
"""Seconds between two looks while something grows. While nothing does it is looked at when the gate looks."""
SETTLES: Final = 50
"""Looks without news after which nothing does."""
LARGEST: Final = 64 * 1024
"""Bytes of one look at one call; what was more is left out."""


@dataclass(slots=True)
class _Shown:
    participant: str
    directory: Directory
    sizes: dict[str, int] = field(default_factory=dict)

    def new(self) -> Iterator[tuple[str, bytes]]:
        names = [name for name in self.directory.names() if is_id(name)]
        self.sizes = {name: size for name, size in self.sizes.items() if name in names}
        for name in names:
            try:
                data = self.directory.read(name) or b""
            except BadFile:  # growing just now: the next look sees more
                continue
            known = self.sizes.get(name, 0)
            self.sizes[name] = len(data)
            if len(data) > known:
                yield name, data[max(known, len(data) - LARGEST) :]


class Progress:
    """Of the participants that live in the pod."""

    def __init__(self, root: Directory, spec: RunSpec) -> None:
        self._run = RunKey.of(spec)
        names = [participant.name for participant in spec.participants if participant.placement == "pod"]
        self._looked = asyncio.Event()
        self._shown = [_Shown(name, root.open(layout.progress(name))) for name in names]

    def wake(self) -> None:
        """The gate has looked."""
        self._looked.set()

    async def tell(self, link: Link) -> None:
        """For as long as the connection lasts. Raises Away."""
        quiet = SETTLES
        while True:
            quiet += 1
            for shown in self._shown:
                for call, data in shown.new():
                    quiet = 0
                    await link.publish(subjects.progress(self._run, shown.participant, call), data)
            if quiet < SETTLES:
                await asyncio.sleep(BUSY)
            else:
                self._looked.clear()
                await self._looked.wait()
