"""Script: what the scripted model says, step by step. Written by people in YAML, carried in the RunSpec."""

from __future__ import annotations

from pydantic import ConfigDict, Field

from sympozium_protocol.messages.base import JsonObject, Seconds, Wire
from sympozium_protocol.messages.calls import Failure, Usage


class _Strict(Wire):
    # people write these: a misspelt field must be said, not passed over
    model_config = ConfigDict(extra="forbid")


class ScriptCall(_Strict):
    """One tool call. Strings within ``arguments`` may quote earlier results."""

    tool: str = Field(min_length=1)
    arguments: JsonObject = Field(default_factory=dict)
    malformed: str | None = Field(default=None, description="argument text that is no JSON object, for tests")
    save: str = Field(default="", pattern=r"^[a-z0-9_]{0,32}$", description="a name to quote the result by")


class ScriptStep(_Strict):
    """One completion: text, tool calls, or a typed failure. Without ``call`` it is the final answer.

    ``say`` and the strings of ``arguments`` may hold ``${NAME}``, the text of the result saved as NAME
    (``${NAME:3}`` its third line, ``${NAME.outcome}``, ``${NAME.exitCode}`` and other details),
    ``${input}``, the run's input, and ``$${`` for a plain ``${``.
    """

    say: str = ""
    call: tuple[ScriptCall, ...] = ()
    failure: Failure | None = None
    usage: Usage | None = None
    delay: Seconds = 0.0
    repeat: int = Field(default=1, ge=1, description="play this step so many times in a row")


class Script(_Strict):
    """The whole play. After the last step the model fails with ``script_ended``."""

    steps: tuple[ScriptStep, ...] = Field(min_length=1)
