"""SympoziumSchedule and PersonaPack: read and checked here, acted on by the control plane."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from sympozium_controller.objects.base import Fields, Label, Line, Name, Object, OptionalName, Prompt, Value, Words
from sympozium_controller.objects.instance import MIXED, Memory, Provider, SkillRef
from sympozium_controller.objects.units import Duration

Occasion = Literal["scheduled", "heartbeat", "sweep"]
Zone = Annotated[str, Field(max_length=63)]


class ScheduleSpec(Fields):
    """When which instance is asked what."""

    instance_ref: Name = Field(description="The SympoziumInstance that does it, in the same namespace.")
    schedule: Line = Field(default="", description='When, as cron writes it in five fields, such as "0 9 * * 1-5".')
    timezone: Zone = Field(default="UTC", description='The time zone of schedule, such as "Europe/Paris".')
    input: str = Field(min_length=1, max_length=256 << 10, description="What the agent is asked to do, each time.")
    concurrency_policy: Literal["Forbid", "Allow", "Replace"] = Field(
        default="Forbid", description="What happens when the last run has not ended: skip this one, start, or replace."
    )
    suspend: bool = Field(default=False, description="true starts nothing until it is false again.")
    type: Occasion = Field(default="scheduled", description="scheduled goes by schedule; the others by interval.")
    interval: Duration | None = Field(default=None, description="Time from one start to the next, such as 1h.")
    starting_deadline: Duration | None = Field(default=None, description="How late a missed start is made up for.")


class SympoziumSchedule(Object):
    """Starts runs of an instance by the clock."""

    kind: Literal["SympoziumSchedule"] = "SympoziumSchedule"
    spec: ScheduleSpec = Field(description="When which instance is asked what.")
    status: dict[str, Any] | None = None


class ToolPolicy(Fields):
    """Tools by name."""

    allow: Words = Field(default=(), description="Tools that are allowed.")
    deny: Words = Field(default=(), description="Tools that are denied.")


class PersonaSchedule(Fields):
    """When the agent is asked what."""

    type: Occasion = Field(default="scheduled", description="scheduled goes by schedule; the others by interval.")
    schedule: Line = Field(default="", description='When, as cron writes it in five fields, such as "0 9 * * 1-5".')
    timezone: Zone = Field(default="UTC", description='The time zone of schedule, such as "Europe/Paris".')
    interval: Duration | None = Field(default=None, description="Time from one start to the next, such as 1h.")
    task: str = Field(min_length=1, max_length=64 << 10, description="What the agent is asked to do, each time.")


class Persona(Fields):
    """One agent of the team."""

    name: Label = Field(description="Its name within the team.")
    display_name: Line = Field(default="", description="Its name for people.")
    system_prompt: Prompt = Field(default="", description="Who the agent is and what it is for.")
    provider: Provider | None = Field(default=None, description="Which model thinks. Absent: the namespace's default.")
    skills: tuple[SkillRef, ...] = Field(
        default=(),
        max_length=32,
        description="SkillPacks, each by name or as {skillPackRef, params}; both forms in one list.",
        json_schema_extra={"items": MIXED},
    )
    policy: OptionalName = Field(default="", description="The SympoziumPolicy over it. Absent: default.")
    tool_policy: ToolPolicy = Field(default=ToolPolicy(), description="Tools that this agent may and may not use.")
    schedule: PersonaSchedule | None = Field(default=None, description="When it is asked what. Absent: never.")
    memory: Memory = Field(default=Memory(), description="What it remembers between runs.")


class PersonaPackSpec(Fields):
    """A team of agents."""

    description: Value = Field(default="", description="What the team is for.")
    category: Line = Field(default="", description="What it is about.")
    version: Line = Field(default="", description="Its version, in its author's words.")
    enabled: bool = Field(default=True, description="false takes the team's agents away.")
    personas: tuple[Persona, ...] = Field(
        min_length=1,
        max_length=32,
        description="The agents.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
    )


class PersonaPack(Object):
    """A team of agents in one object."""

    kind: Literal["PersonaPack"] = "PersonaPack"
    spec: PersonaPackSpec = Field(description="The team.")
    status: dict[str, Any] | None = None
