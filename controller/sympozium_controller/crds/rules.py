"""What fields alone do not say, in CEL: by the model that it holds for, wherever that stands in an object. Data.

A rule that compares with ``oldSelf`` stands above the field that it speaks of: only so is adding and removing
the field a change too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sympozium_controller.objects.run import RunObjectSpec
from sympozium_controller.objects.status import FINAL


@dataclass(frozen=True)
class Rule:
    """A condition that must hold, and what kubectl says when it does not. ``field``: below the part it stands at."""

    rule: str
    message: str
    field: str = ""
    forbidden: bool = False
    """The value is not repeated in the message: it is none of its faults."""

    def document(self) -> dict[str, Any]:
        found = {"rule": self.rule, "message": self.message}
        if self.field:
            found["fieldPath"] = f".{self.field}"
        if self.forbidden:
            found["reason"] = "FieldValueForbidden"
        return found


def _unchanged(field: str, model_required: bool) -> Rule:
    same = f"self.{field} == oldSelf.{field}"
    if not model_required:
        same = f"has(self.{field}) == has(oldSelf.{field}) && (!has(self.{field}) || {same})"
    return Rule(same, "cannot be changed: an AgentRun is one message; make another", field, forbidden=True)


def _immutable() -> tuple[Rule, ...]:
    """Every field of an AgentRun but ``cancel``, those to come as well."""
    fields = RunObjectSpec.model_fields.items()
    return (
        *(_unchanged(info.alias or name, info.is_required()) for name, info in fields if name != "cancel"),
        Rule(
            "!(has(oldSelf.cancel) && oldSelf.cancel) || (has(self.cancel) && self.cancel)",
            "cannot be taken back",
            "cancel",
            forbidden=True,
        ),
    )


def _is(transport: str, holds: str) -> str:
    return f"self.transport != '{transport}' || ({holds})"


def _no(*fields: str) -> str:
    return " && ".join(f"(!has(self.{field}) || size(self.{field}) == 0)" for field in fields)


_MCP: Final = (
    Rule(
        _is("stdio", "(has(self.command) && size(self.command) > 0) || (has(self.image) && self.image != '')"),
        "transport stdio needs command or image",
    ),
    Rule(_is("stdio", _no("url", "headers")), "url and headers are of transport http"),
    Rule(_is("http", "has(self.url) && self.url != ''"), "transport http needs url"),
    Rule(_is("http", _no("command", "image", "env")), "command, image and env are of transport stdio"),
    Rule(
        "!has(self.oauth) || (self.transport == 'http' && has(self.oauth.clientId) && self.oauth.clientId != '')"
        " || (!has(self.oauth.clientSecret) && !has(self.oauth.privateKey) && !has(self.oauth.scopes)"
        " && !has(self.oauth.issuer) && (!has(self.oauth.clientId) || self.oauth.clientId == ''))",
        "needs clientId, and transport http",
        "oauth",
        forbidden=True,
    ),
)
_OCCASION: Final = (
    Rule(
        "(has(self.type) && self.type != 'scheduled') || (has(self.schedule) && self.schedule != '')",
        'type scheduled needs schedule, such as "0 9 * * 1-5"',
    ),
    Rule(
        "!has(self.type) || self.type == 'scheduled' || has(self.interval)"
        " || (has(self.schedule) && self.schedule != '')",
        "types heartbeat and sweep need interval",
    ),
    Rule(
        "!has(self.schedule) || self.schedule == '' || self.schedule.matches('^\\\\S+( +\\\\S+){4}$')",
        "must be the five fields of cron: minute, hour, day, month, weekday",
        "schedule",
    ),
    Rule(
        "!has(self.interval) || duration(self.interval) >= duration('1m')",
        "must be at least 1m",
        "interval",
    ),
)

RULES: Final[Mapping[str, tuple[Rule, ...]]] = {
    "RunObjectSpec": _immutable(),
    "Limits": (
        Rule(
            "!has(self.disk) || quantity(string(self.disk)).compareTo(quantity('1Mi')) >= 0",
            "must be at least 1Mi",
            "disk",
        ),
    ),
    "MCPServerSpec": _MCP,
    "ScheduleSpec": _OCCASION,
    "PersonaSchedule": _OCCASION,
    "Sidecar": (
        Rule(
            "has(self.commands) || (has(self.tools) && size(self.tools) > 0)",
            "needs commands ([] = any) or tools",
        ),
        Rule(
            "!has(self.commands) || !has(self.tools) || !self.tools.exists(tool, tool.name == 'execute_command')",
            "there are two tools execute_command: commands makes one",
            "tools",
            forbidden=True,
        ),
    ),
    "DeclaredTool": (
        Rule(
            "size(self.argv) > 0 && self.argv[0] != '' && !self.argv[0].matches('[{][A-Za-z_][A-Za-z0-9_]*[}]')",
            "must begin with a program, which no argument may choose",
            "argv",
        ),
        Rule("!has(self.timeout) || duration(self.timeout) > duration('0s')", "must be more than 0", "timeout"),
    ),
}
"""By the model's name."""

_ENDED: Final = f"[{', '.join(repr(phase) for phase in FINAL)}]"
FINAL_PHASE: Final = Rule(
    "!has(oldSelf.status) || !has(oldSelf.status.phase) || !(oldSelf.status.phase in "
    f"{_ENDED}) || (has(self.status) && has(self.status.phase) && self.status.phase == oldSelf.status.phase)",
    "a run that has ended stays as it ended",
    "status.phase",
    forbidden=True,
)
"""At the root of an AgentRun: a status that is taken away whole would leave its phase too."""
