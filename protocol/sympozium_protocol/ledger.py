"""How much one writer may put on its volume: a full volume would evict the whole pod."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from sympozium_protocol.files import CannotWrite

BLOCK: Final = 4096
BULK_SHARE: Final = 0.8
"""Bodies (blobs, progress, new calls) stop here; the rest is for the answers that end the run in order."""


class OverLimit(CannotWrite):
    """This writer has used up its share of ``limits.disk``."""


class Ledger:
    """Counts what is written, in whole blocks. ``limit`` in bytes."""

    def __init__(self, limit: int, used: int = 0) -> None:
        self.limit = limit
        self.used = used

    @classmethod
    def of(cls, directory: Path, limit: int) -> Ledger:
        """With what already lies below ``directory`` (a resumed run)."""
        used = 0
        for where, _, names in os.walk(directory):
            used += sum(blocks(os.lstat(os.path.join(where, name)).st_size) for name in names)
        return cls(limit, used)

    def take(self, path: str, size: int, *, bulk: bool = False) -> None:
        """Count ``size`` bytes about to be written at ``path``. Raises OverLimit, counting nothing."""
        share = BULK_SHARE if bulk else 1.0
        if self.used + blocks(size) > self.limit * share:
            raise OverLimit(path, f"would exceed {share:.0%} of limits.disk ({self.limit} bytes)")
        self.used += blocks(size)


def blocks(size: int) -> int:
    return -(-size // BLOCK) * BLOCK
