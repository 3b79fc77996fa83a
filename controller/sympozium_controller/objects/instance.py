"""SympoziumInstance: one agent's profile, which lives between runs."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import Field, model_validator
from pydantic.config import JsonDict

from sympozium_controller.objects.base import (
    AnyValues,
    Fields,
    Label,
    Labels,
    Line,
    Name,
    Object,
    OptionalName,
    Prompt,
    Values,
)
from sympozium_controller.objects.units import Bytes, Cores, Duration

MIXED: Final[JsonDict] = {"x-kubernetes-preserve-unknown-fields": True}
"""A list that a schema of Kubernetes cannot describe, as its items are of two types: a policy checks it there."""


class Provider(Fields):
    """Which model, and where."""

    name: str = Field(
        min_length=1,
        max_length=63,
        description="openai, anthropic, azure, bedrock, ollama, lmstudio, any OpenAI-compatible service with baseURL; "
        "scripted and replay need no model.",
    )
    model: Line = Field(default="", description="The model, by the provider's name for it.")
    api_key_secret: OptionalName = Field(
        default="", description="The Secret that holds the key, as apiKey, in the same namespace."
    )
    base_url: Line = Field(default="", alias="baseURL", description="Where the provider is, if not at its usual URL.")
    options: AnyValues = Field(default_factory=dict, description="Further settings, such as temperature.")


class SkillRef(Fields):
    """A skill by name, with parameters. In a list a bare name stands for one without."""

    skill_pack_ref: Label = Field(description="The SkillPack: in the same namespace, or one that is shipped.")
    params: AnyValues = Field(default_factory=dict, description="Parameters of the SkillPack, by name.")

    @model_validator(mode="before")
    @classmethod
    def _from_name(cls, value: object) -> object:
        return {"skillPackRef": value} if isinstance(value, str) else value


class SkillConfig(Fields):
    """Where a skill may act, and as whom."""

    namespaces: tuple[Label, ...] = Field(
        default=(), max_length=64, description="Where the rights of the SkillPack hold; absent: in the run's own."
    )
    secret_ref: OptionalName = Field(default="", description="The Secret that stands in for the SkillPack's own.")


class Limits(Fields):
    """Bounds of a run; 0 = no limit, except for calls and disk. What is not stated is the default."""

    steps: int | None = Field(default=None, ge=0, description="Answers of the model (50 unless stated); 0 = no limit.")
    timeout: Duration | None = Field(
        default=None, description="From start to end, without waiting for people (10m unless stated); 0 = no limit."
    )
    tokens: int | None = Field(default=None, ge=0, description="Tokens, read and written; 0 = no limit.")
    usd: float | None = Field(default=None, ge=0, description="US dollars; 0 = no limit.")
    calls: int | None = Field(default=None, ge=1, description="Calls of tools and of the model (1000 unless stated).")
    disk: Annotated[Bytes, Field(ge=1 << 20)] | None = Field(
        default=None, description="Space for what the run writes (1Gi unless stated); at least 1Mi."
    )


class Approval(Fields):
    """How long a person is waited for, and until when an answer counts."""

    patience: Duration = Field(default=600.0, description="How long the pod waits for an answer before it ends.")
    expiry: Duration = Field(default=86400.0, description="How long after the question an answer still counts.")


class Memory(Fields):
    """What the agent remembers between runs."""

    enabled: bool = Field(default=False, description="Offer the tools memory_search, memory_store and memory_list.")
    seeds: tuple[Annotated[str, Field(max_length=4096)], ...] = Field(
        default=(), max_length=64, description="What it knows from the start."
    )
    recall: int = Field(default=0, ge=0, le=20, description="Memories that enter the prompt by themselves.")
    retain: Literal["Delete", "Retain"] = Field(
        default="Delete", description="What becomes of the memory when the instance is deleted."
    )
    placement: Literal["service", "sidecar"] = Field(
        default="service",
        description="service: one process for all runs; sidecar: in the pod, with maxConcurrentRuns 1 only.",
    )


class Amounts(Fields):
    """Amounts, as Kubernetes writes them."""

    cpu: Cores | None = Field(default=None, description="Cores, such as 500m.")
    memory: Bytes | None = Field(default=None, description="Such as 256Mi.")
    ephemeral_storage: Bytes | None = Field(default=None, alias="ephemeral-storage", description="Such as 1Gi.")


class ContainerResources(Fields):
    """Resources of a container, as Kubernetes writes them."""

    requests: Amounts = Field(default=Amounts(), description="What is set aside for it.")
    limits: Amounts = Field(default=Amounts(), description="What it may use.")


class Toleration(Fields):
    """A taint that a pod tolerates, as Kubernetes writes it; its words are the cluster's to judge."""

    key: Line = Field(default="", description="Of the taint. Absent: any, and then operator is Exists.")
    operator: Line = Field(default="", description="Exists or Equal; Equal if it is absent.")
    value: Line = Field(default="", description="What Equal compares with.")
    effect: Line = Field(default="", description="NoSchedule, PreferNoSchedule or NoExecute. Absent: any.")
    toleration_seconds: int | None = Field(default=None, description="For how long NoExecute is tolerated.")


class PodTemplate(Fields):
    """What a cluster is told about the pod besides."""

    labels: Labels = Field(default_factory=dict, description="Further labels; none of sympozium.ai.")
    annotations: Values = Field(default_factory=dict, description="Further annotations; none of sympozium.ai.")
    node_selector: Labels = Field(default_factory=dict, description="Labels of the nodes that it may run on.")
    tolerations: tuple[Toleration, ...] = Field(
        default=(), max_length=32, description="Taints that it tolerates, as a pod states them."
    )
    priority_class_name: OptionalName = Field(default="", description="PriorityClass of the pod.")
    image_pull_secrets: tuple[Annotated[dict[str, Name], Field(max_length=1)], ...] = Field(
        default=(), max_length=16, description="Secrets for pulling images: name each."
    )


class InstanceSpec(Fields):
    """One agent's profile."""

    provider: Provider | None = Field(default=None, description="Which model thinks, and where.")
    system_prompt: Prompt = Field(default="", description="Who the agent is and what it is for.")
    skills: tuple[SkillRef, ...] = Field(
        default=(),
        max_length=32,
        description="SkillPacks, each by name or as {skillPackRef, params}; both forms in one list. "
        "Absent: the skill shell; []: none.",
        json_schema_extra={"items": MIXED},
    )
    skill_config: dict[str, SkillConfig] = Field(
        default_factory=dict, max_length=32, description="By skill: where it may act, and as whom."
    )
    policy: OptionalName = Field(
        default="",
        description="The SympoziumPolicy over it; permissive, default and restrictive are built in.",
        json_schema_extra={"default": "default"},
    )
    mcp_servers: tuple[Label, ...] = Field(
        default=(), max_length=16, description="MCPServers whose tools it is offered, by name."
    )
    memory: Memory = Field(default=Memory(), description="What it remembers between runs.")
    max_concurrent_runs: int = Field(
        default=0, ge=0, description="More runs than these wait in line; 0 = as many as are asked for."
    )
    approval: Approval = Field(default=Approval(), description="How long a person is waited for.")
    limits: Limits = Field(default=Limits(), description="Bounds of each run.")
    resources: ContainerResources = Field(default=ContainerResources(), description="Of the agent's container.")
    pod_template: PodTemplate = Field(default=PodTemplate(), description="What the pod is given besides.")


class SympoziumInstance(Object):
    """One agent's profile: model, prompt, skills, policy, memory, limits. It lives between runs."""

    kind: Literal["SympoziumInstance"] = "SympoziumInstance"
    spec: InstanceSpec = Field(description="What the agent is.")
    status: dict[str, Any] | None = None
