"""SympoziumPolicy: what the agents under it may do."""

from __future__ import annotations

from typing import Any, Literal

from sympozium_controller.objects.base import Fields, Object
from sympozium_controller.objects.instance import Limits


class Sandbox(Fields):
    enabled: bool = False
    runtime_class: str = ""


class Egress(Fields):
    allow: tuple[str, ...] = ()


class Images(Fields):
    registries: tuple[str, ...] = ()


class PolicyObjectSpec(Fields):
    """Within one policy: deniedTools, then requireApproval, then allowedTools, then the template."""

    template: Literal["Permissive", "Default", "Restrictive"]
    require_approval: tuple[str, ...] = ()
    sandbox: Sandbox = Sandbox()
    allowed_tools: tuple[str, ...] = ()
    denied_tools: tuple[str, ...] = ()
    egress: Egress = Egress()
    images: Images = Images()
    limits: Limits = Limits()


class SympoziumPolicy(Object):
    kind: Literal["SympoziumPolicy"] = "SympoziumPolicy"
    spec: PolicyObjectSpec
    status: dict[str, Any] | None = None
