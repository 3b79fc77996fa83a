"""AgentRun: one message in, one response out."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from sympozium_controller.objects.base import Fields, Name, Object, OptionalName
from sympozium_controller.objects.instance import Limits


class RunObjectSpec(Fields):
    """What is asked of which instance. Policy and limits only tighten the instance's."""

    instance_ref: Name
    input: str = Field(min_length=1)
    policy: OptionalName = ""
    limits: Limits = Limits()
    cancel: bool = False


class AgentRun(Object):
    kind: Literal["AgentRun"] = "AgentRun"
    spec: RunObjectSpec
    status: dict[str, Any] | None = None
