"""A run's /ipc whose places are directories beside each other, as its containers have them mounted."""

from __future__ import annotations

import os
from pathlib import Path

from sympozium_protocol import layout
from sympozium_protocol.files import Directory, open_root
from sympozium_protocol.layout import Place


class Volumes(Directory):
    """Every place is looked for in the volume that holds it: the innermost there is."""

    __slots__ = ()

    def open(self, place: Place) -> Directory:
        return self._named(super().open(self._inside(place)), place)

    def make(self, place: Place) -> Directory:
        if not place:
            return self.open(())
        volume, *rest = self._inside(place)
        with super().open((volume,)) as found:
            return self._named(found.make(tuple(rest)), place)

    def _inside(self, place: Place) -> Place:
        for depth in range(len(place), 0, -1):
            name = layout.volume(place[:depth])
            if self.has(name):
                return (name, *place[depth:])
        return (layout.volume(place[:1]), *place[1:]) if place else ()

    @staticmethod
    def _named(found: Directory, place: Place) -> Directory:
        found.path = "/".join(place)
        return found


def open_run(path: Path) -> Directory:
    """The /ipc of a run that is on this disk, be it one tree or volumes. Raises BadFile when it is none."""
    root = open_root(path)
    if not root.has(layout.volume(layout.RUN)):
        return root
    with root:
        return Volumes(os.dup(root.fd), "")
