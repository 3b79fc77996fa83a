"""The seven kinds: their names, what ``kubectl get`` shows of each, and how long a name may be. Data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sympozium_controller.objects import (
    AgentRun,
    InstanceStatus,
    MCPServer,
    Object,
    PersonaPack,
    RunStatus,
    SkillPack,
    Status,
    SympoziumInstance,
    SympoziumPolicy,
    SympoziumSchedule,
)
from sympozium_controller.objects.base import LABEL_PATTERN
from sympozium_controller.objects.status import ScheduleStatus

GROUP: Final = "sympozium.ai"
VERSION: Final = "v1alpha1"
CATEGORY: Final = "sympozium"
READY: Final = '.status.conditions[?(@.type=="Ready")]'


@dataclass(frozen=True)
class Column:
    """One column of ``kubectl get``; ``wide`` ones are shown by ``-o wide`` alone."""

    name: str
    path: str
    description: str
    type: str = "string"
    wide: bool = False

    def document(self) -> dict[str, Any]:
        priority = {"priority": 1} if self.wide else {}
        words = {"name": self.name, "type": self.type, "jsonPath": self.path, "description": self.description}
        return words | priority


@dataclass(frozen=True)
class Kind:
    """One kind. ``longest``: characters of a name; ``label``: such a name has no dots, as it becomes part of others."""

    model: type[Object]
    status: type[Status]
    plural: str
    short: str
    columns: tuple[Column, ...]
    longest: int = 200
    label: bool = False

    @property
    def name(self) -> str:
        return self.model.__name__

    def name_schema(self) -> dict[str, Any]:
        """What ``metadata.name`` must be besides what Kubernetes asks."""
        pattern = {"pattern": LABEL_PATTERN} if self.label else {}
        return {"type": "string", "maxLength": self.longest} | pattern


def _ready(wide: bool = False) -> Column:
    return Column("Ready", f"{READY}.status", "Is everything that it names there and usable?", wide=wide)


AGE: Final = Column("Age", ".metadata.creationTimestamp", "Since when it is there.", "date")
MESSAGE: Final = Column("Message", f"{READY}.message", "Why it is ready or not.", wide=True)

KINDS: Final = (
    Kind(
        SympoziumInstance,
        InstanceStatus,
        "sympoziuminstances",
        "si",
        (
            Column("Provider", ".spec.provider.name", "Who serves the model."),
            Column("Model", ".spec.provider.model", "The model, by the provider's name for it; scripted has none."),
            Column("Policy", ".spec.policy", "The SympoziumPolicy over it; none is default."),
            _ready(),
            AGE,
            Column("Skills", ".spec.skills", "Its SkillPacks.", wide=True),
            MESSAGE,
        ),
    ),
    Kind(
        AgentRun,
        RunStatus,
        "agentruns",
        "ar",
        (
            Column("Phase", ".status.phase", "How far it is."),
            Column("Reason", ".status.reason", "Why it is in this phase."),
            Column("Instance", ".spec.instanceRef", "The SympoziumInstance that does it."),
            Column("Started", ".status.startTime", "When the agent began.", "date"),
            AGE,
            Column("Waiting-For", ".status.waitingFor", "What a Waiting run waits for.", wide=True),
            Column("Tokens-In", ".status.usage.inputTokens", "Tokens that the model read.", "integer", wide=True),
            Column("Tokens-Out", ".status.usage.outputTokens", "Tokens that the model wrote.", "integer", wide=True),
            Column("USD", ".status.usage.usd", "Cost in US dollars.", wide=True),
            Column("Pod", ".status.podName", "The pod that executes it.", wide=True),
            Column("Message", ".status.message", "Why, in one sentence.", wide=True),
        ),
        longest=253,
    ),
    Kind(
        SkillPack,
        Status,
        "skillpacks",
        "sp",
        (
            Column("Category", ".spec.category", "What it is about."),
            Column("Description", ".spec.description", "What it is good for."),
            AGE,
            Column("Commands", ".spec.sidecar.commands", "Binaries that it may start; [] is any.", wide=True),
            Column("Image", ".spec.sidecar.image", "The image of its container.", wide=True),
            _ready(wide=True),
        ),
        longest=63,
        label=True,
    ),
    Kind(
        SympoziumPolicy,
        Status,
        "sympoziumpolicies",
        "spol",
        (
            Column("Template", ".spec.template", "What holds for tools that no list names."),
            Column("Sandbox", ".spec.sandbox.enabled", "Do its runs need a sandbox?", "boolean"),
            Column("Floor", r".metadata.labels.sympozium\.ai/policy-floor", "Does it hold over every run here?"),
            AGE,
            Column("Approval", ".spec.requireApproval", "Tools that a person must approve.", wide=True),
            Column("Denied", ".spec.deniedTools", "Tools that are denied.", wide=True),
            _ready(wide=True),
        ),
    ),
    Kind(
        SympoziumSchedule,
        ScheduleStatus,
        "sympoziumschedules",
        "ssch",
        (
            Column("Instance", ".spec.instanceRef", "The SympoziumInstance that does it."),
            Column("Schedule", ".spec.schedule", "When, as cron writes it."),
            Column("Interval", ".spec.interval", "Time from one start to the next."),
            Column("Suspend", ".spec.suspend", "Does it start nothing for now?", "boolean"),
            Column("Last", ".status.lastScheduleTime", "When a run was last started.", "date"),
            AGE,
            Column("Timezone", ".spec.timezone", "The time zone of the schedule.", wide=True),
            _ready(wide=True),
        ),
    ),
    Kind(
        PersonaPack,
        Status,
        "personapacks",
        "pp",
        (
            Column("Category", ".spec.category", "What it is about."),
            Column("Version", ".spec.version", "Its version, in its author's words."),
            Column("Enabled", ".spec.enabled", "Are its agents wanted?", "boolean"),
            _ready(),
            AGE,
            Column("Personas", ".spec.personas[*].name", "Its agents.", wide=True),
        ),
        longest=63,
    ),
    Kind(
        MCPServer,
        Status,
        "mcpservers",
        "mcps",
        (
            Column("Transport", ".spec.transport", "How it is reached."),
            Column("URL", ".spec.url", "Where it is."),
            _ready(),
            AGE,
            Column("Image", ".spec.image", "The image that holds its program.", wide=True),
            Column("Command", ".spec.command", "Its program and arguments.", wide=True),
            MESSAGE,
        ),
        longest=63,
        label=True,
    ),
)
BY_NAME: Final[Mapping[str, Kind]] = {kind.name: kind for kind in KINDS}
