"""AgentRun: one message in, one response out."""

from __future__ import annotations

from typing import Any, Final, Literal

from pydantic import Field

from sympozium_controller.objects.base import Fields, Name, Object, OptionalName
from sympozium_controller.objects.instance import Limits

MAX_INPUT: Final = 1 << 20
"""Characters of the message."""


class RunObjectSpec(Fields):
    """What is asked of which instance. It never changes, but for cancel."""

    instance_ref: Name = Field(description="The SympoziumInstance that does it, in the same namespace.")
    input: str = Field(min_length=1, max_length=MAX_INPUT, description="What the agent is asked to do.")
    policy: OptionalName = Field(
        default="", description="A further SympoziumPolicy over this run; it only tightens the instance's."
    )
    limits: Limits = Field(default=Limits(), description="Bounds of this run; they only tighten the instance's.")
    cancel: bool = Field(default=False, description="true ends the run as Cancelled; it cannot be taken back.")


class AgentRun(Object):
    """One run of an agent: one message in, one response out. It is executed as a Job."""

    kind: Literal["AgentRun"] = "AgentRun"
    spec: RunObjectSpec = Field(description="What is asked of which instance. It never changes, but for cancel.")
    status: dict[str, Any] | None = None
