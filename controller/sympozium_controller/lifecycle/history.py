"""How many finished runs are kept of those that a source of ours made (a schedule, an endpoint). Pure.

A run that a person or another program made is never deleted.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from sympozium_controller.lifecycle.view import is_final
from sympozium_protocol.kube.api import KubeObject

LABEL_SOURCE: Final = "sympozium.ai/source"
"""Label of an AgentRun: the source that made it, such as the UID of a SympoziumSchedule."""


def surplus(runs: Iterable[KubeObject], source: str, *, succeeded: int, failed: int) -> tuple[KubeObject, ...]:
    """The finished runs of ``source`` beyond so many that succeeded and so many that did not, the oldest of them."""
    made = [one for one in runs if one["metadata"].get("labels", {}).get(LABEL_SOURCE) == source and is_final(one)]
    made.sort(key=_ended, reverse=True)
    good = [one for one in made if one["status"]["phase"] == "Succeeded"]
    bad = [one for one in made if one["status"]["phase"] != "Succeeded"]
    return (*good[succeeded:], *bad[failed:])


def _ended(run: KubeObject) -> tuple[str, str]:
    return run["status"].get("completionTime") or "", run["metadata"]["name"]
