"""RunSpec: the one frozen document that says what a run is and may do. Made once, read by all."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from sympozium_protocol.messages.base import (
    Count,
    Digest,
    Document,
    Effect,
    Id,
    JsonObject,
    Seconds,
    Seq,
    Time,
    ToolName,
    Wire,
)
from sympozium_protocol.messages.servers import ServerSpec


class ToolSpec(Wire):
    """A tool by name, and what calling it can do. Effects come from here alone; unstated is ``write``."""

    name: ToolName
    effect: Effect = "write"
    timeout: Seconds = Field(default=60.0, description="seconds from start, when the caller names none")


class ParticipantSpec(Wire):
    """A participant of the pod: which tools it may offer and how the agent is told of it.

    ``tools`` fixes the names it may offer. A participant whose tools are only known at run time (an
    MCP server) has ``prefixes``: a manifest may add names that start with one of them, with effect
    ``write`` unless listed in ``tools``.
    """

    name: Id
    role: Literal["skill", "model", "memory", "mcp", "channel", "schedule", "agent", "other"] = "other"
    tools: tuple[ToolSpec, ...] = ()
    prefixes: tuple[str, ...] = ()
    placement: Literal["pod", "bus"] = "pod"
    service: Id | None = Field(default=None, description="placement bus: who answers there; absent: its own name")
    required: bool = Field(default=True, description="the agent waits for its manifest before it begins")
    instructions: str = Field(default="", description="Markdown that the agent reads")
    commands: tuple[str, ...] | None = Field(
        default=None, description="binaries execute_command may start; empty = any; absent = no execute_command"
    )

    @property
    def answered_by(self) -> str:
        """The service that answers for it on the bus."""
        return self.service or self.name

    def tool(self, name: str) -> ToolSpec | None:
        """What this run says of the participant's tool ``name``; None when it may not offer it."""
        for tool in self.tools:
            if tool.name == name:
                return tool
        if any(prefix and name.startswith(prefix) for prefix in self.prefixes):
            return ToolSpec(name=name)
        return None


class Prices(Wire):
    """US dollars per million tokens."""

    input: Seconds = 0.0
    output: Seconds = 0.0
    cached_input: Seconds | None = Field(default=None, description="absent: as input")
    cache_write: Seconds | None = Field(default=None, description="absent: as input")


class ModelSpec(Wire):
    """Which model, and where. The gateway takes these from here and from nowhere else."""

    participant: Id = "model"
    provider: Literal["openai", "azure", "anthropic", "bedrock", "scripted", "replay"]
    model: str
    base_url: str = Field(default="", alias="baseURL")
    options: JsonObject = Field(default_factory=dict, description="passed to the provider: temperature, headers, …")
    max_output_tokens: Count = Field(default=0, description="per completion; 0 = the provider's own")
    context_tokens: Count = Field(default=0, description="size of the window; 0 = unknown")
    prices: Prices | None = None
    script: JsonObject | None = Field(default=None, description="scripted: the parsed script")
    recording: str = Field(default="", description="replay: the directory of the recorded run's ipc")


class PolicySpec(Wire):
    """One policy that holds over the run. All of them hold; the strictest decides."""

    name: str
    template: Literal["Permissive", "Default", "Restrictive"]
    denied_tools: tuple[str, ...] = ()
    require_approval: tuple[str, ...] = ()
    allowed_tools: tuple[str, ...] = ()
    sandbox: bool = False
    runtime_class: str = Field(default="", description="the sandbox's RuntimeClass; empty = the platform's own choice")


class LimitSpec(Wire):
    """0 = no limit, except ``calls`` and ``disk``, which always have one."""

    steps: Count = 50
    timeout: Seconds = Field(default=600.0, description="seconds; waiting for a person does not count")
    tokens: Count = 0
    usd: Seconds = 0.0
    calls: int = Field(default=1000, ge=1)
    disk: int = Field(default=1 << 30, ge=1 << 20, description="bytes below /ipc; writers stop at 80 %")
    repeats: int = Field(default=5, ge=2, description="identical calls with identical answers, in a row")


class ApprovalSpec(Wire):
    """How a person is asked. With nobody to ask, ``ask`` is deny."""

    somebody: bool = Field(default=True, description="is there a person who can answer")
    patience: Seconds = 600.0
    expiry: Seconds = 86400.0


class NativeSpec(Wire):
    """The tools inside the agent's own container."""

    tools: tuple[ToolSpec, ...] = ()
    fetch_private: bool = Field(default=False, description="fetch_url may reach private and loopback addresses")


class PreludeCall(Wire):
    """A call made before the first model call; its reply enters the prompt, marked as recollection."""

    participant: Id
    tool: ToolName
    arguments: JsonObject = Field(default_factory=dict)


class Continues(Wire):
    """The finished run that this one goes on from, and the last transcript number it takes over."""

    run: Id
    seq: Seq


class RunSpec(Document):
    """One run of an agent, frozen."""

    stated: ClassVar[tuple[str, ...]] = ("kind", "protocol")

    kind: Literal["RunSpec"] = "RunSpec"
    protocol: Literal["v1"] = "v1"
    run: Id
    agent: str = Field(min_length=1, max_length=253, description="the instance's name")
    namespace: str = "default"
    created: Time
    system_prompt: str = ""
    input: str
    model: ModelSpec
    participants: tuple[ParticipantSpec, ...] = ()
    native: NativeSpec = NativeSpec()
    policies: tuple[PolicySpec, ...] = Field(min_length=1)
    limits: LimitSpec = LimitSpec()
    approval: ApprovalSpec = ApprovalSpec()
    servers: tuple[ServerSpec, ...] = Field(default=(), description="of the participant whose role is mcp")
    seeds: tuple[str, ...] = Field(default=(), description="what the memory of the instance begins with")
    prelude: tuple[PreludeCall, ...] = ()
    continues: Continues | None = None
    facts: dict[str, str] = Field(default_factory=dict, description="what the agent is told about where it runs")
    packs: dict[str, Digest] = Field(default_factory=dict, description="digest of each pack as it was resolved")

    def participant(self, name: str) -> ParticipantSpec | None:
        return next((p for p in self.participants if p.name == name), None)
