"""SympoziumPolicy: what the agents under it may do."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from sympozium_controller.objects.base import Fields, Object, OptionalName, Words
from sympozium_controller.objects.instance import Limits


class Sandbox(Fields):
    """The wall around the pod."""

    enabled: bool = Field(default=False, description="Runs need a sandbox: where there is none they do not start.")
    runtime_class: OptionalName = Field(default="", description="The RuntimeClass of the pods, such as gvisor.")


class Egress(Fields):
    """What the skills under it may reach."""

    allow: Words = Field(default=(), description="Only these: kubernetes, or CIDR:port. Absent: what skills declare.")


class Images(Fields):
    """Where images of skills and MCP servers may come from."""

    registries: Words = Field(
        default=(),
        description="Only these, as host or host/path. Absent: any. A bare name, such as skill-k8s-ops, is an image of "
        "this installation, from the registry that it was installed from, and always allowed.",
    )


class PolicyObjectSpec(Fields):
    """Within one policy: deniedTools, then requireApproval, then allowedTools, then the template."""

    template: Literal["Permissive", "Default", "Restrictive"] = Field(
        description="What holds for tools that no list names. Permissive allows every tool; Default allows what only "
        "reads and asks for what changes something; Restrictive allows little and demands a sandbox."
    )
    require_approval: Words = Field(
        default=(), description="Tools that a person must approve, call by call; execute_command covers every change."
    )
    sandbox: Sandbox = Field(default=Sandbox(), description="The wall around the pod.")
    allowed_tools: Words = Field(default=(), description="Tools that are allowed whatever the template says.")
    denied_tools: Words = Field(
        default=(), description="Tools that nobody may allow; execute_command covers every change."
    )
    egress: Egress = Field(default=Egress(), description="What skills may reach.")
    images: Images = Field(default=Images(), description="Where images of skills and MCP servers may come from.")
    limits: Limits = Field(default=Limits(), description="Bounds of every run under it; they only tighten.")


class SympoziumPolicy(Object):
    """What the agents under it may do. Of several policies over one run the strictest decides, call by call."""

    kind: Literal["SympoziumPolicy"] = "SympoziumPolicy"
    spec: PolicyObjectSpec = Field(
        description="deniedTools come first, then requireApproval, then allowedTools, then the template."
    )
    status: dict[str, Any] | None = None
