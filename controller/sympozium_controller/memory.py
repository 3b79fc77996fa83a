"""The memory of an instance as a participant of its runs. Pure; what the agent is told of it is ``memory.md``."""

from __future__ import annotations

from importlib.resources import files
from typing import Final

from sympozium_controller.objects.instance import Memory
from sympozium_protocol.messages.spec import ParticipantSpec, PreludeCall, ToolSpec

MEMORY: Final = "memory"
"""The participant that remembers."""
DIRECTORY: Final = "/memory"
"""Where its volume is; it outlives runs."""
FILE: Final = "memory.db"
TOOLS: Final = (
    ToolSpec(name="memory_search", effect="read", timeout=30),
    ToolSpec(name="memory_store", effect="idempotent", timeout=30),
    ToolSpec(name="memory_list", effect="read", timeout=30),
)
QUERY: Final = 1000
"""Characters of the input that are searched for: the tool takes no more, and what follows adds little."""


def volume(instance: str) -> str:
    """The name of the volume that an instance's memory is on."""
    return f"{instance}-memory"


def memory_participant() -> ParticipantSpec:
    told = files("sympozium_controller").joinpath("memory.md").read_text(encoding="utf-8")
    return ParticipantSpec(name=MEMORY, role="memory", tools=TOOLS, instructions=told)


def recollections(memory: Memory, text: str) -> tuple[PreludeCall, ...]:
    """``recall: N``: the best N matches of the input are put into the prompt."""
    if not memory.recall:
        return ()
    arguments = {"query": text[:QUERY], "top_k": memory.recall}
    return (PreludeCall(participant=MEMORY, tool="memory_search", arguments=arguments),)
