"""RunResult and Durable: how a run ended, and how much of it is safe."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from sympozium_protocol.messages.base import Count, Digest, Document, Id, Seconds, Time, Wire


class RunUsage(Wire):
    """The sums over a run."""

    input_tokens: Count = 0
    output_tokens: Count = 0
    cached_input_tokens: Count = 0
    model_calls: Count = 0
    tool_calls: Count = 0
    usd: Seconds = 0.0


class RunResult(Document):
    """The last file an agent writes. Absent means that the run has not ended.

    ``output`` is the whole answer, or, when it does not fit a message file, its beginning, and the
    whole is the agent's blob ``output_digest``.
    """

    kind: Literal["RunResult"] = "RunResult"
    run: Id
    phase: Literal["Succeeded", "Failed", "Cancelled"]
    reason: str = Field(description="a word of `exits`; Completed when it succeeded")
    message: str = Field(default="", description="one sentence for a person")
    output: str = ""
    output_size: Count = Field(default=0, description="bytes of UTF-8")
    output_digest: Digest | None = None
    usage: RunUsage = RunUsage()
    steps: Count = 0
    last_seq: Count = Field(default=0, description="the last number of the transcript")
    start_time: Time
    completion_time: Time


class Durable(Document):
    """Safe up to here: the transcript to ``seq``, and the result if ``result``."""

    kind: Literal["Durable"] = "Durable"
    seq: Count
    result: bool = False
