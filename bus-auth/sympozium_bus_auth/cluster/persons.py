"""What a person may do with a run: what the cluster's own rules let them do with the AgentRun."""

from __future__ import annotations

import asyncio
from typing import Final

from pydantic import ValidationError

from sympozium_bus_auth.cluster.reviews import Holder, may
from sympozium_bus_auth.verifying import Refused
from sympozium_protocol.bus.shown import ShownToken
from sympozium_protocol.bus.tokens import PersonIdentity, PersonVerb
from sympozium_protocol.kube.api import KubeApi
from sympozium_protocol.kube.errors import NotFound
from sympozium_protocol.kube.resources import RUNS

VERBS: Final[dict[str, PersonVerb]] = {"get": "get", "approve": "answer", "send": "send", "cancel": "cancel"}
"""Of agentruns.sympozium.ai, and what each lets its holder do on the bus."""


async def identity_of_person(api: KubeApi, shown: ShownToken, holder: Holder) -> PersonIdentity:
    """``holder``: whom the cluster knows by what was shown. Raises Refused, KubeError."""
    if holder.username != shown.name:
        raise Refused(f"{holder.username} comes under another name")
    verbs = await _verbs(api, holder, shown)
    if not verbs:
        raise Refused(f"{holder.username} may do nothing with the AgentRun {shown.namespace}/{shown.run}")
    run = await _run(api, shown)
    try:
        return PersonIdentity(name=holder.username, namespaces=(shown.namespace,), runs=(run,), verbs=verbs)
    except ValidationError:
        raise Refused(f"{holder.username[:80]}: a name that is too long for the bus, or such a namespace") from None


async def _verbs(api: KubeApi, holder: Holder, shown: ShownToken) -> tuple[PersonVerb, ...]:
    allowed = await asyncio.gather(*(may(api, holder, verb, shown.namespace, shown.run) for verb in VERBS))
    return tuple(verb for verb, yes in zip(VERBS.values(), allowed, strict=True) if yes)


async def _run(api: KubeApi, shown: ShownToken) -> str:
    """The run's name in the stream."""
    where = f"the AgentRun {shown.namespace}/{shown.run}"
    try:
        found = await api.get(RUNS, shown.run, shown.namespace)
    except NotFound:
        raise Refused(f"{where} is not there") from None
    if run := found.get("status", {}).get("run"):
        return str(run)
    raise Refused(f"{where} has not begun")
