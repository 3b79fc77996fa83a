"""Bounds of a container where the documents state none: no container is without."""

from __future__ import annotations

from typing import Final

from sympozium_controller.pod import Resources

BOUNDS: Final = {
    "agent": Resources(cpu=1.0, memory=512 << 20, processes=64),
    "bridge": Resources(cpu=1.0, memory=256 << 20, processes=32),
    "model": Resources(cpu=1.0, memory=1 << 30, processes=64),
    "memory": Resources(cpu=1.0, memory=512 << 20, processes=32),
}
OTHERS: Final = Resources(cpu=2.0, memory=1 << 30, processes=512)
TMP_SIZE: Final = 256 << 20
"""Bytes of a container's own /tmp."""
