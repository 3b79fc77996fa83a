"""Termination: what an agent tells whoever started its container, where that takes no more than a few KiB.

Kubernetes keeps the end of a container's termination log in the status of its pod: at most 4096 bytes of a container,
and 12 KiB of all containers of a pod, by what an even share of that is. What does not fit is in the run's result.
"""

from __future__ import annotations

import json
from typing import Final, Literal, Self

from pydantic import Field

from sympozium_protocol.messages.base import Count, Digest, Document, Id, Time
from sympozium_protocol.messages.result import RunResult, RunUsage

LARGEST: Final = 4096
"""Bytes of one container's message."""


class Termination(Document):
    """How a run ended, as its agent tells it: a claim of the agent's container and of nobody else.

    ``output`` is the answer, or, where ``cut``, its beginning; the whole has ``output_size`` and ``output_digest``.
    """

    kind: Literal["Termination"] = "Termination"
    run: Id | None = None
    run_digest: Digest | None = Field(default=None, description="of the RunSpec that it worked on")
    reason: str = Field(description="a word of `exits`; Completed when it succeeded")
    message: str = Field(default="", description="one sentence for a person; cut when it does not fit")
    start_time: Time | None = None
    completion_time: Time | None = None
    usage: RunUsage = RunUsage()
    steps: Count = 0
    output_size: Count = Field(default=0, description="bytes of UTF-8 of the whole answer")
    output_digest: Digest | None = None
    cut: bool = Field(default=False, description="is output only the beginning of the answer?")
    output: str = ""

    @classmethod
    def of(cls, result: RunResult, run_digest: str = "") -> Self:
        """What there is to tell of a result."""
        whole = _text(result.output)
        return cls(
            run=result.run,
            run_digest=run_digest or None,
            reason=result.reason,
            message=_text(result.message),
            start_time=result.start_time,
            completion_time=result.completion_time,
            usage=result.usage,
            steps=result.steps,
            output_size=result.output_size,
            output_digest=result.output_digest,
            cut=len(whole.encode()) < result.output_size,
            output=whole,
        )

    def encode(self) -> bytes:
        """One line of UTF-8 JSON without what is not stated: every byte counts."""
        stated = self.model_dump(mode="json", by_alias=True, exclude_defaults=True, exclude_none=True)
        return json.dumps({"kind": self.kind, **stated}, ensure_ascii=False, separators=(",", ":")).encode()

    def within(self, limit: int) -> bytes:
        """Its bytes, at most ``limit`` of them: first the output is cut, then the message, then what is known of usage
        and times is left out. No character is cut in two. Raises ValueError: not even the reason fits.
        """
        told = self.model_copy(update={"message": _text(self.message), "output": _text(self.output)})
        shortest = Termination(run_digest=self.run_digest, reason=self.reason)
        for candidate, field in ((told, "output"), (_without_output(told), "message"), (shortest, "message")):
            if (data := _cut(candidate, field, limit)) is not None:
                return data
        raise ValueError(f"{limit} bytes are too few for a reason")


def _text(text: str) -> str:
    """What UTF-8 can hold of it."""
    return text.encode("utf-8", "replace").decode()


def _without_output(told: Termination) -> Termination:
    return told.model_copy(update={"output": "", "cut": told.output_size > 0})


def _cut(told: Termination, field: str, limit: int) -> bytes | None:
    """The longest beginning of ``field`` that fits; None if not even an empty one does."""
    whole: str = getattr(told, field)

    def beginning(length: int) -> bytes:
        cut = told.cut or (field == "output" and length < len(whole))
        return told.model_copy(update={field: whole[:length], "cut": cut}).encode()

    if len(whole) <= limit and len(all_of_it := beginning(len(whole))) <= limit:
        return all_of_it  # without the mark, which takes room of its own
    fits, too_long = -1, min(len(whole), limit) + 1  # a character has at least one byte
    while too_long - fits > 1:
        middle = (fits + too_long) // 2
        fits, too_long = (middle, too_long) if len(beginning(middle)) <= limit else (fits, middle)
    return beginning(fits) if fits >= 0 else None
