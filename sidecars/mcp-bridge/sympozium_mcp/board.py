"""What the bridge offers in all: the tools of its servers, side by side."""

from __future__ import annotations

from collections.abc import Sequence

from sympozium_mcp.items import shares, within
from sympozium_mcp.server import Server
from sympozium_protocol.participant.context import Handler, Offer
from sympozium_protocol.process import log


class Board:
    """Keeps an Offer equal to what the servers have."""

    def __init__(self, offer: Offer) -> None:
        self.servers: Sequence[Server] = ()
        self._offer = offer

    def changed(self) -> None:
        """Offer what the servers have now."""
        self._offer.replace(self._handlers())

    def _handlers(self) -> list[Handler]:
        rooms = shares([sum(item.size for item in server.items) for server in self.servers])
        found: list[Handler] = []
        for server, room in zip(self.servers, rooms, strict=True):
            kept = within(server.items, room)
            if len(kept) < len(server.items):
                log("tools left out", server=server.name, tools=len(server.items) - len(kept), why="they are too large")
            found += [server.handler(item) for item in kept if self._owner(item.tool.name) is server]
        return found

    def _owner(self, name: str) -> Server | None:
        """The server whose prefix the name has. Prefixes do not begin one another, so that there is one at most."""
        return next((server for server in self.servers if name.startswith(server.spec.prefix)), None)
