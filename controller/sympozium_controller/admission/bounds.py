"""How much of what an object names is looked at, before it is refused. Pure.

Lists of a rule multiply, rules and namespaces and instances as well: a few kilobytes name billions of rights. So
whatever multiplies is made one at a time, counted, and left at the first too many.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, TypeVar

from sympozium_controller.admission.rights import Right, Wanted
from sympozium_controller.errors import Origin, Refused
from sympozium_protocol.exits import Reason

MAX_RIGHTS: Final = 512
"""Distinct rights of one object, each a question to the API server: some seconds of them."""
MAX_NAMED: Final = 1 << 16
"""How often one object may name rights, the same ones again and again: a tenth of a second of looking."""
MAX_PLACES: Final = 1 << 18
"""How often the instances that name a pack may say where their other skills act: as long."""

T = TypeVar("T")


def distinct(wanted: Iterable[Wanted], origin: Origin) -> tuple[Wanted, ...]:
    """Each right once, at the first field that names it. Raises Refused for more than can be asked for."""
    found: dict[Right, Wanted] = {}
    for number, one in enumerate(wanted):
        found.setdefault(one.right, one)
        if len(found) > MAX_RIGHTS:
            why = f"names more than {MAX_RIGHTS} rights one by one, and whoever writes it must hold each of them; "
            raise Refused(Reason.InvalidDocument, origin, one.field, why + "name fewer, or * for all of a kind")
        if number >= MAX_NAMED:
            why = f"names rights more than {MAX_NAMED} times, most of them again and again; name each once"
            raise Refused(Reason.InvalidDocument, origin, one.field, why)
    return tuple(found.values())


def places(found: Iterable[T], origin: Origin, field: str) -> Iterator[T]:
    """These one by one. Raises Refused after too many."""
    for number, one in enumerate(found):
        if number >= MAX_PLACES:
            why = f"instances that name it let their skills act in more than {MAX_PLACES} places; have fewer of them"
            raise Refused(Reason.InvalidDocument, origin, field, why)
        yield one
