"""SympoziumSchedule and PersonaPack: read and checked here, acted on by the control plane."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from sympozium_controller.objects.base import Fields, Label, Name, Object, OptionalName
from sympozium_controller.objects.instance import Memory, Provider, SkillRef
from sympozium_controller.objects.units import Duration


class ScheduleSpec(Fields):
    instance_ref: Name
    schedule: str = ""
    timezone: str = "UTC"
    input: str = Field(min_length=1)
    concurrency_policy: Literal["Forbid", "Allow", "Replace"] = "Forbid"
    suspend: bool = False
    type: Literal["scheduled", "heartbeat", "sweep"] = "scheduled"
    interval: Duration | None = None
    starting_deadline: Duration | None = None


class SympoziumSchedule(Object):
    kind: Literal["SympoziumSchedule"] = "SympoziumSchedule"
    spec: ScheduleSpec
    status: dict[str, Any] | None = None


class ToolPolicy(Fields):
    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()


class PersonaSchedule(Fields):
    type: Literal["scheduled", "heartbeat", "sweep"] = "scheduled"
    schedule: str = ""
    timezone: str = "UTC"
    interval: Duration | None = None
    task: str = Field(min_length=1)


class Persona(Fields):
    name: Label
    display_name: str = ""
    system_prompt: str = ""
    provider: Provider | None = None
    skills: tuple[SkillRef, ...] = ()
    policy: OptionalName = ""
    tool_policy: ToolPolicy = ToolPolicy()
    schedule: PersonaSchedule | None = None
    memory: Memory = Memory()


class PersonaPackSpec(Fields):
    description: str = ""
    category: str = ""
    version: str = ""
    enabled: bool = True
    personas: tuple[Persona, ...] = Field(min_length=1)


class PersonaPack(Object):
    kind: Literal["PersonaPack"] = "PersonaPack"
    spec: PersonaPackSpec
    status: dict[str, Any] | None = None
