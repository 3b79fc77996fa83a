"""SkillPack: instructions that the agent reads, and what a sidecar of it may run."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from sympozium_controller.objects.base import Fields, Object, OptionalName
from sympozium_controller.objects.instance import ContainerResources
from sympozium_controller.objects.units import Duration
from sympozium_protocol.messages.base import Effect, ToolName


class DeclaredTool(Fields):
    """A tool as a command line: ``argv`` is started without a shell. ``effect`` unstated is ``write``."""

    name: ToolName
    description: str = ""
    parameters: dict[str, Any] = Field(default_factory=lambda: {"type": "object"})
    argv: tuple[str, ...] = Field(min_length=1)
    stdin: str = ""
    timeout: Annotated[Duration, Field(gt=0)] = 60.0
    effect: Effect = "write"


class Rule(Fields):
    """One RBAC rule."""

    api_groups: tuple[str, ...]
    resources: tuple[str, ...]
    verbs: tuple[str, ...]
    resource_names: tuple[str, ...] = ()


class Sidecar(Fields):
    """``commands`` absent: no execute_command; empty: any binary."""

    image: str = ""
    commands: tuple[Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._+-]*$")], ...] | None = None
    tools: tuple[DeclaredTool, ...] = ()
    rbac: tuple[Rule, ...] = ()
    cluster_rbac: tuple[Rule, ...] = Field(default=(), alias="clusterRBAC")
    egress: tuple[str, ...] = ()
    secret_ref: OptionalName = ""
    resources: ContainerResources = ContainerResources()


class SkillPackSpec(Fields):
    category: str = ""
    description: str = ""
    instructions: str = ""
    sidecar: Sidecar | None = None
    params: dict[str, Any] = Field(default_factory=dict)


class SkillPack(Object):
    kind: Literal["SkillPack"] = "SkillPack"
    spec: SkillPackSpec
    status: dict[str, Any] | None = None
