"""What was typed, gathered. Typer reads the options of a command off its signature and keeps their values in its
context under the same names: here they become the values that the work takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import typer

if TYPE_CHECKING:
    from sympozium_controller.flags import Flags

_ALIKE: Final = (
    "instance",
    "provider",
    "model",
    "base_url",
    "memory",
    "policy",
    "timeout",
    "max_steps",
    "max_tokens",
    "max_usd",
    "approve",
)
"""Options that are a flag of the same name."""
_SPELT: Final = {"directory": "--dir", "kube_context": "--context"}
"""Options that are called otherwise than their parameter."""
_LISTS: Final = {"skill": "skills", "mcp": "mcp", "elsewhere": "elsewhere"}


def flags_of(said: Mapping[str, Any], **more: Any) -> Flags:
    """What the options of a command say of a run; ``more``: what it has no option for."""
    from sympozium_controller.flags import Flags

    alike = {name: said[name] for name in _ALIKE if name in said}
    lists = {flag: tuple(said.get(name) or ()) for name, flag in _LISTS.items()}
    return Flags(**{**alike, **lists, **more})


def files_of(said: Mapping[str, Any]) -> tuple[str, ...]:
    """``-f``, as often as it was given."""
    return tuple(said["file"] or ())


def option(name: str) -> str:
    """As it is typed."""
    return _SPELT.get(name, f"--{name.replace('_', '-')}")


def typed(context: typer.Context, name: str) -> bool:
    """Was this option on the command line itself, not only in the environment?"""
    found = context.get_parameter_source(name)
    return found is not None and found.name == "COMMANDLINE"
