"""How much of what a server causes is told: so many lines in so many seconds, and the rest is counted."""

from __future__ import annotations

import time


class Window:
    """Allows ``most`` things in each span of ``seconds``."""

    def __init__(self, most: int, seconds: float) -> None:
        self._most, self._seconds = most, seconds
        self._since, self._seen = time.monotonic(), 0

    def allows(self) -> bool:
        """One more?"""
        self._turn()
        self._seen += 1
        return self._seen <= self._most

    def dropped(self) -> int:
        """How many were not allowed in a span that is over; told once."""
        seen = self._seen
        return max(0, seen - self._most) if self._turn() else 0

    def _turn(self) -> bool:
        now = time.monotonic()
        over = now - self._since > self._seconds
        if over:
            self._since, self._seen = now, 0
        return over
