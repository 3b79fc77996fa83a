"""What a run asks of a person, told in one sentence: which calls, of which tools, and how to answer. Pure.

Names alone are told, in the forms that ids and tools have: arguments may hold anything, and are for who may read the
run's stream.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from sympozium_controller.lifecycle.view import View

CALL: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}/[a-z0-9][a-z0-9-]{0,62}")
"""A call that waits, as gates name it: participant/id."""
NAMED: Final = 4
"""Calls that are told by name; as many as a person takes in."""


def unread(view: View) -> bool:
    """Does its gate wait with a call of which only the id is known?"""
    return view.bus and any(call not in (view.questions or {}) for call in view.asks or ())


def asked_now(view: View, calls: Iterable[str]) -> str:
    """Its gate waits for a person with these calls."""
    return f"it waits for an answer to {_told(view, tuple(calls))}"


def asked_before(view: View) -> str:
    """Its pod did not wait any longer; empty where the calls are not known."""
    if not view.questions:
        return ""
    told = _calls(view.questions, tuple(view.questions))
    begun = f"its pod ended while it waited for an answer to {told}, and another begins after it"
    return f"{begun}: {_command(view, next(iter(view.questions)))}"


def _told(view: View, calls: tuple[str, ...]) -> str:
    return f"{_calls(view.questions or {}, calls)}: {_command(view, calls[0])}"


def _calls(tools: Mapping[str, str], calls: tuple[str, ...]) -> str:
    named = ", ".join(f"{call} ({tools[call]})" if tools.get(call) else call for call in calls[:NAMED])
    more = len(calls) - NAMED
    return f"{named} and {more} more" if more > 0 else named


def _command(view: View, call: str) -> str:
    metadata = view.run["metadata"]
    id = call.rpartition("/")[2]
    return f"sympozium approve {metadata['name']} {id} --on cluster -n {metadata['namespace']} (or deny)"
