"""The environment of one program: what it is told, what it may see, and nothing else of the developer's. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sympozium_controller.pod import SecretEnv
from sympozium_controller.render.processes import Process

ALWAYS: Final = ("PATH", "LANG", "TZ", "TMPDIR")
FOR_TESTS: Final = ("SYMPOZIUM_INOTIFY", "SYMPOZIUM_FAILPOINT")
"""Switches of the protocol's own tests and benchmarks; they hold nothing of the developer's."""


def environment_of(
    process: Process, values: Mapping[SecretEnv, str], outside: Mapping[str, str], parent: int
) -> dict[str, str]:
    """``outside``: the launcher's own environment; ``parent``: its process id. Secrets win over what is inherited."""
    names = (*ALWAYS, *FOR_TESTS, *(name for name in outside if name.startswith("LC_")), *process.inherits)
    return {
        **{name: outside[name] for name in names if name in outside},
        **dict(process.env),
        **{secret.variable: values[secret] for secret in process.secrets},
        "SYMPOZIUM_PARENT": str(parent),
    }
