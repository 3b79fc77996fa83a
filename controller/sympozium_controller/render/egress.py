"""Egress classes: what the programs of a pod may reach, as one word that network policies select pods by. Pure.

The containers of a pod share one network, so what one of them may reach, all may.
"""

from __future__ import annotations

import hashlib
from typing import Final

from sympozium_controller.pod import Pod

NONE: Final = "none"
"""Nothing but the bus."""
KUBERNETES: Final = "kubernetes"
"""The cluster's API server as well."""


def destinations(pod: Pod) -> tuple[str, ...]:
    """What the programs declare, each once, in order."""
    programs = (pod.agent, pod.bridge, *pod.participants)
    return tuple(sorted({one for program in programs for one in program.egress}))


def egress_class(wanted: tuple[str, ...]) -> str:
    """The class of these destinations: the same for the same, in whatever order. It is a label's value."""
    if not wanted:
        return NONE
    if wanted == (KUBERNETES,):
        return KUBERNETES
    return f"class-{hashlib.sha256(chr(0).join(sorted(set(wanted))).encode()).hexdigest()[:10]}"
