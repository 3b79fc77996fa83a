"""What can go wrong with the bus, as far as it makes a difference to who uses it."""

from __future__ import annotations

from sympozium_protocol.exits import Ended, Reason


class Away(Exception):
    """The server is not reached, or does not answer, or has no room: waiting may help."""


class Forbidden(Away):
    """The server does not let us say this. It may later: a run's or a person's rights come with a token."""


class NobodyThere(Exception):
    """A request that nobody is there to answer."""


class Superseded(Exception):
    """The subject has a message that its writer did not expect: somebody else writes there."""


def refused(what: str) -> Ended:
    """The server turns us away, and waiting will not help."""
    return Ended(Reason.BusRefused, what)
