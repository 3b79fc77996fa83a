"""SympoziumInstance: one agent's profile, which lives between runs."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from sympozium_controller.objects.base import Fields, Label, Object, OptionalName
from sympozium_controller.objects.units import Bytes, Cores, Duration


class Provider(Fields):
    """Which model, and where. The Secret's key is ``apiKey``."""

    name: str = Field(min_length=1)
    model: str = ""
    api_key_secret: OptionalName = ""
    base_url: str = Field(default="", alias="baseURL")
    options: dict[str, Any] = Field(default_factory=dict)


class SkillRef(Fields):
    """A skill by name, with parameters. In a list a bare name stands for one without."""

    skill_pack_ref: Label
    params: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _from_name(cls, value: object) -> object:
        return {"skillPackRef": value} if isinstance(value, str) else value


class SkillConfig(Fields):
    """Where a skill may act, and as whom: ``secretRef`` stands in for the pack's own."""

    namespaces: tuple[Label, ...] = ()
    secret_ref: OptionalName = ""


class Limits(Fields):
    """Bounds of a run; 0 = no limit, except for calls and disk. What is not stated is the default."""

    steps: int | None = Field(default=None, ge=0)
    timeout: Duration | None = None
    tokens: int | None = Field(default=None, ge=0)
    usd: float | None = Field(default=None, ge=0)
    calls: int | None = Field(default=None, ge=1)
    disk: Annotated[Bytes, Field(ge=1 << 20)] | None = None


class Approval(Fields):
    """How long a person is waited for, and until when his answer counts."""

    patience: Duration = 600.0
    expiry: Duration = 86400.0


class Memory(Fields):
    """What the agent remembers between runs."""

    enabled: bool = False
    seeds: tuple[str, ...] = ()
    recall: int = Field(default=0, ge=0, le=20)
    retain: Literal["Delete", "Retain"] = "Delete"
    placement: Literal["service", "sidecar"] = "service"


class Amounts(Fields):
    cpu: Cores | None = None
    memory: Bytes | None = None
    ephemeral_storage: Bytes | None = Field(default=None, alias="ephemeral-storage")


class ContainerResources(Fields):
    """Resources of a container, as Kubernetes writes them."""

    requests: Amounts = Amounts()
    limits: Amounts = Amounts()


class PodTemplate(Fields):
    """What a cluster is told about the pod besides."""

    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)
    node_selector: dict[str, str] = Field(default_factory=dict)
    tolerations: tuple[dict[str, Any], ...] = ()
    priority_class_name: str = ""
    image_pull_secrets: tuple[dict[str, str], ...] = ()


class InstanceSpec(Fields):
    provider: Provider | None = None
    system_prompt: str = ""
    skills: tuple[SkillRef, ...] = ()
    skill_config: dict[str, SkillConfig] = Field(default_factory=dict)
    policy: OptionalName = ""
    mcp_servers: tuple[Label, ...] = ()
    memory: Memory = Memory()
    max_concurrent_runs: int = Field(default=0, ge=0)
    approval: Approval = Approval()
    limits: Limits = Limits()
    resources: ContainerResources = ContainerResources()
    pod_template: PodTemplate = PodTemplate()


class SympoziumInstance(Object):
    kind: Literal["SympoziumInstance"] = "SympoziumInstance"
    spec: InstanceSpec
    status: dict[str, Any] | None = None
