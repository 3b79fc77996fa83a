"""Tools that every installation calls by the same names: what an agent is told of them while nobody serves them.

What may live here: the descriptions of such tools, and the names of the participants that have them. Data alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sympozium_protocol.messages.calls import Tool

CHANNELS: Final = "channels"
"""The participant that sends messages to people."""

SCHEDULES: Final = "schedules"
"""The participant that starts runs later."""

SEND_CHANNEL_MESSAGE: Final = Tool(
    name="send_channel_message",
    description="Send a message to people through a channel, such as slack or telegram.",
    parameters={
        "type": "object",
        "properties": {
            "channel": {
                "type": "string",
                "pattern": "^[a-z0-9][a-z0-9-]{0,62}$",
                "description": "the channel's name, such as slack",
            },
            "chat": {
                "type": "string",
                "minLength": 1,
                "maxLength": 256,
                "description": "which conversation of the channel; the channel's own default where it is left out",
            },
            "text": {"type": "string", "minLength": 1, "maxLength": 65536, "description": "what to say"},
            "format": {
                "enum": ["plain", "markdown"],
                "description": "how text is written; plain where it is left out",
            },
            "thread": {
                "type": "string",
                "minLength": 1,
                "maxLength": 256,
                "description": "the message to answer, where the channel has threads",
            },
        },
        "required": ["channel", "text"],
        "additionalProperties": False,
    },
)

SCHEDULE_TASK: Final = Tool(
    name="schedule_task",
    description=(
        "Have an agent started later with an input of its own: once, at a time, or again and again. create and update "
        "need input and either schedule or at; suspend, resume and delete need the name alone."
    ),
    parameters={
        "type": "object",
        "properties": {
            "action": {"enum": ["create", "update", "suspend", "resume", "delete"]},
            "name": {
                "type": "string",
                "pattern": "^[a-z0-9][a-z0-9-]{0,62}$",
                "description": "of the schedule: small letters, digits and dashes",
            },
            "schedule": {
                "type": "string",
                "pattern": r"^\S+( \S+){4}$",
                "description": "again and again: five fields as cron has them, such as 0 7 * * 1-5",
            },
            "at": {
                "type": "string",
                "format": "date-time",
                "description": "once: a time of RFC 3339, such as 2030-01-31T07:00:00Z",
            },
            "timezone": {
                "type": "string",
                "minLength": 1,
                "maxLength": 64,
                "description": "in which schedule is meant, such as Europe/Berlin; UTC where it is left out",
            },
            "input": {"type": "string", "minLength": 1, "maxLength": 65536, "description": "what is to be done then"},
        },
        "required": ["action", "name"],
        "additionalProperties": False,
    },
)

WELL_KNOWN: Final[Mapping[str, Tool]] = {tool.name: tool for tool in (SEND_CHANNEL_MESSAGE, SCHEDULE_TASK)}
"""By name."""
