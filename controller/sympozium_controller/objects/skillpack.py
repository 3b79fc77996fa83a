"""SkillPack: instructions that the agent reads, and what a sidecar of it may run."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field
from pydantic.config import JsonDict

from sympozium_controller.objects.base import AnyValues, Fields, Line, Object, OptionalName, Prompt, Value, Words
from sympozium_controller.objects.instance import ContainerResources
from sympozium_controller.objects.units import Duration
from sympozium_protocol.messages.base import Effect, ToolName

OBJECT: Final[JsonDict] = {"properties": {"type": {"type": "string", "enum": ["object"]}}, "required": ["type"]}


class DeclaredTool(Fields):
    """A tool as a command line."""

    name: Annotated[ToolName, Field(max_length=64)] = Field(description="The tool's name.")
    description: Value = Field(default="", description="What the model is told about it.")
    parameters: AnyValues = Field(
        default_factory=lambda: {"type": "object"},
        description="JSON Schema of its arguments; its type is object.",
        json_schema_extra=OBJECT,
    )
    argv: tuple[Value, ...] = Field(
        min_length=1,
        max_length=128,
        description="The command, started without a shell; {name} stands for an argument, but not in the program.",
    )
    stdin: Value = Field(default="", description="Its standard input; {name} stands for an argument.")
    timeout: Annotated[Duration, Field(gt=0)] = Field(default=60.0, description="How long it may take.")
    effect: Effect = Field(
        default="write",
        description="read changes nothing; idempotent may be done twice; write may not, and asks under most policies.",
    )


def _once(words: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(words))


WordsOnce = Annotated[Words, AfterValidator(_once)]
"""Words each of which counts once: these lists multiply."""


class Rule(Fields):
    """One RBAC rule."""

    api_groups: WordsOnce = Field(description='API groups; "" is the core.')
    resources: WordsOnce = Field(description="Resources, such as pods or pods/log.")
    verbs: WordsOnce = Field(description="Verbs, such as get.")
    resource_names: WordsOnce = Field(default=(), description="Only objects of these names. Absent: all.")


Rules = Annotated[tuple[Rule, ...], Field(max_length=64)]


class Sidecar(Fields):
    """The container beside the agent that runs this skill's commands, with this skill's rights."""

    image: Line = Field(default="", description="Its image: a whole name, or that of one which is shipped.")
    commands: tuple[Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._+-]*$", max_length=255)], ...] | None = (
        Field(
            default=None,
            max_length=256,
            description="Binaries that execute_command may start; [] = any. Absent: there is no execute_command.",
        )
    )
    tools: tuple[DeclaredTool, ...] = Field(
        default=(),
        max_length=128,
        description="Tools with arguments of their own, each a command line.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
    )
    rbac: Rules = Field(default=(), description="Rights in the namespaces of skillConfig, or in the run's own.")
    cluster_rbac: Rules = Field(
        default=(), alias="clusterRBAC", description="Rights in the whole cluster; only packs in the system namespace."
    )
    egress: Words = Field(default=(), description="What it must reach: kubernetes, or CIDR:port.")
    secret_ref: OptionalName = Field(default="", description="A Secret whose keys are variables of this container.")
    resources: ContainerResources = Field(default=ContainerResources(), description="Of this container.")


class SkillPackSpec(Fields):
    """Instructions, and what a sidecar may run."""

    category: Line = Field(default="", description="What it is about, such as Kubernetes.")
    description: Value = Field(default="", description="What it is good for.")
    instructions: Prompt = Field(default="", description="Markdown that the agent reads.")
    sidecar: Sidecar | None = Field(
        default=None, description="The container that runs its commands. Absent: instructions alone."
    )
    params: AnyValues = Field(
        default_factory=dict, description="Parameters with their defaults; variables PARAM_NAME of its container."
    )


class SkillPack(Object):
    """What an agent can be given: instructions, and a container with commands, tools and rights."""

    kind: Literal["SkillPack"] = "SkillPack"
    spec: SkillPackSpec = Field(description="Instructions, and what a sidecar may run.")
    status: dict[str, Any] | None = None
