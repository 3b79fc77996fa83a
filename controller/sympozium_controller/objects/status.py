"""What the control plane writes into ``status``. Who reads a document from a file takes any status, or none.

A status is written as camelCase dictionaries (merge patches of the status subresource); these models say
which fields there are and how long they may be: ``RunStatus.model_validate`` checks one in a test.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import Field

from sympozium_controller.objects.base import Fields, Line, OptionalName

PHASES: Final = ("Pending", "Running", "Waiting", "Succeeded", "Failed", "Cancelled")
FINAL: Final = ("Succeeded", "Failed", "Cancelled")
"""A run never leaves one of these."""
MAX_OUTPUT: Final = 16 << 10
"""Characters of ``output``, with the mark that it was cut."""
MAX_MESSAGE: Final = 4096
"""Characters of ``message``."""

Phase: TypeAlias = Literal["Pending", "Running", "Waiting", "Succeeded", "Failed", "Cancelled"]
Word: TypeAlias = Annotated[str, Field(pattern=r"^([A-Za-z][A-Za-z0-9]*)?$", max_length=63)]
Uid: TypeAlias = Annotated[str, Field(max_length=63)]
Moment: TypeAlias = Annotated[str, Field(max_length=40, json_schema_extra={"format": "date-time"})]
Count: TypeAlias = Annotated[int, Field(ge=0)]


class Condition(Fields):
    """One aspect of the object's state, as Kubernetes writes conditions."""

    type: str = Field(max_length=316, description="Which aspect; Ready stands for the whole.")
    status: Literal["True", "False", "Unknown"] = Field(description="Whether it holds.")
    observed_generation: Count = Field(default=0, description="The generation of the object that this speaks of.")
    last_transition_time: Moment = Field(description="When status last changed.")
    reason: str = Field(
        pattern=r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$", max_length=256, description="Why, in one word."
    )
    message: str = Field(default="", max_length=MAX_MESSAGE, description="Why, for a person; names field or object.")


def _conditions(description: str) -> Any:
    keys: dict[str, Any] = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]}
    return Field(default=(), max_length=16, description=description, json_schema_extra=keys)


class Status(Fields):
    """What the control plane found. Nobody else writes it."""

    observed_generation: Count | None = Field(
        default=None, description="The generation of the spec that this status is about."
    )
    conditions: tuple[Condition, ...] = _conditions(
        "State by aspect. Ready is True when everything that the object names is there and usable."
    )


class UsageStatus(Fields):
    """What the run used."""

    input_tokens: Count = Field(default=0, description="Tokens that the model read.")
    output_tokens: Count = Field(default=0, description="Tokens that the model wrote.")
    model_calls: Count = Field(default=0, description="Completions that were asked for.")
    tool_calls: Count = Field(default=0, description="Tools that were called.")
    usd: str = Field(
        default="0.00",
        pattern=r"^[0-9]{1,12}(\.[0-9]{1,9})?$",
        max_length=24,
        description='Cost in US dollars, such as "0.42"; 0.00 where the model has no price.',
    )


class RunStatus(Status):
    """How far the run is, and how it ended."""

    conditions: tuple[Condition, ...] = _conditions(
        "Milestones: Resolved (what it is was frozen), Started (its pod runs), Cancelling, Finished. For the whole see "
        "phase."
    )
    phase: Phase | None = Field(
        default=None,
        description="Waiting is in line, for something that is missing, or for a person; Succeeded, Failed and "
        "Cancelled are final.",
    )
    reason: Word = Field(default="", description="Why it is in this phase, in one word, such as BudgetExceeded.")
    message: str = Field(default="", max_length=MAX_MESSAGE, description="Why, in one sentence.")
    waiting_for: Line = Field(
        default="", description="What a Waiting run waits for: Turn, Answer, or an object as Kind/name."
    )
    output: str = Field(
        default="",
        max_length=MAX_OUTPUT,
        description="What the agent answered: the first 16 KiB, marked when cut (sympozium logs shows the whole).",
    )
    output_size: Count | None = Field(default=None, description="Bytes of the whole answer.")
    output_digest: str = Field(default="", pattern=r"^([0-9a-f]{64})?$", max_length=64, description="Its SHA-256.")
    start_time: Moment | None = Field(default=None, description="When the agent began.")
    completion_time: Moment | None = Field(default=None, description="When the run reached its final phase.")
    usage: UsageStatus | None = Field(default=None, description="What the run used: tokens, calls and money.")
    run: OptionalName = Field(default="", description="The run's id, in its stream and in the labels of its objects.")
    run_digest: str = Field(
        default="", pattern=r"^([0-9a-f]{64})?$", max_length=64, description="SHA-256 of the RunSpec that was frozen."
    )
    attempt: Count | None = Field(default=None, description="Which Job of the run this is; 1 is the first.")
    job_name: OptionalName = Field(default="", description="The Job that executes the run.")
    job_uid: Uid = Field(default="", alias="jobUID", description="UID of that Job.")
    pod_name: OptionalName = Field(default="", description="The pod that executes the run.")


class InstanceStatus(Status):
    """What serves the instance's runs."""

    gateway: OptionalName = Field(default="", description="The Deployment that speaks to its model's provider.")
    memory: OptionalName = Field(default="", description="The Deployment that keeps its memory.")


class ScheduleStatus(Status):
    """When it last started a run, and when it will next."""

    last_schedule_time: Moment | None = Field(default=None, description="When a run was last started.")
    next_schedule_time: Moment | None = Field(default=None, description="When the next one is due.")
