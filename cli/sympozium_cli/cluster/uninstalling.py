"""``sympozium uninstall``: in an order in which nothing waits for what has gone already.

First what may refuse (admission), then runs and everything else of ours, while the controller is still there to tidy
up after them; then the controller and the bus, the definitions, the namespace. Where nobody tidied up, this does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sympozium_cli.cluster.confirming import go_on
from sympozium_cli.cluster.connecting import administrating, at_once
from sympozium_cli.cluster.installing import duration, listed
from sympozium_cli.cluster.storage import stored
from sympozium_cli.cluster.there import There
from sympozium_cli.cluster.unreachable import server_of
from sympozium_cli.cluster.waiting import LOOK_EVERY, named
from sympozium_cli.terminal import Terminal, standard_error, visible
from sympozium_cli.view.ask import has_terminal
from sympozium_controller.install.bus import SERVICE
from sympozium_controller.install.pods import MANAGER
from sympozium_protocol.exits import Ended, Reason
from sympozium_protocol.kube import resources as r
from sympozium_protocol.kube.api import KubeObject
from sympozium_protocol.kube.attested import SIGNER
from sympozium_protocol.kube.client import Client, whole
from sympozium_protocol.kube.errors import Conflict, Forbidden, Invalid, NotFound
from sympozium_protocol.kube.labels import LABEL_MANAGED_BY, MANAGED_BY, SYSTEM_NAMESPACE
from sympozium_protocol.kube.resources import Resource

ASKING: Final = (
    r.WEBHOOKS,
    r.MUTATING_WEBHOOKS,
    r.MUTATING_BINDINGS,
    r.MUTATING_POLICIES,
    r.ADMISSION_BINDINGS,
    r.ADMISSION_POLICIES,
)
OBJECTS: Final = (r.SCHEDULES, r.RUNS, r.PERSONA_PACKS, r.INSTANCES, r.MCP_SERVERS, r.SKILL_PACKS, r.POLICIES)
"""What makes others first, then what they made."""
PROGRAMS: Final = (r.DEPLOYMENTS, r.STATEFUL_SETS, r.JOBS, r.DISRUPTION_BUDGETS)
ADDRESSES: Final = (r.SERVICES,)
"""Data as well, to runs that go on: their pods have the address of the bus, which a new Service would not have."""
REST: Final = (
    r.NETWORK_POLICIES,
    r.CONFIG_MAPS,
    r.ROLE_BINDINGS,
    r.ROLES,
    r.SERVICE_ACCOUNTS,
    r.CLUSTER_ROLE_BINDINGS,
    r.CLUSTER_ROLES,
    r.PRIORITY_CLASSES,
)
"""In the order in which they go. No Secret and no claim of a volume is among them: these are data."""
LEFT_BEHIND: Final = (
    r.JOBS,
    r.DEPLOYMENTS,
    r.CONFIG_MAPS,
    r.NETWORK_POLICIES,
    r.ROLE_BINDINGS,
    r.ROLES,
    r.SERVICE_ACCOUNTS,
    r.CLUSTER_ROLE_BINDINGS,
    r.CLUSTER_ROLES,
)
"""What the controller makes for runs and instances, in whatever namespace."""
INSTALLED: Final = f"{LABEL_MANAGED_BY}={MANAGER}"
MADE: Final = f"{LABEL_MANAGED_BY}={MANAGED_BY}"


@dataclass(frozen=True, slots=True)
class Wanted:
    """The command line. ``timeout`` is text such as 2m, for each step that waits."""

    there: There
    timeout: str
    keep_data: bool = False
    yes: bool = False


def uninstall(wanted: Wanted) -> None:
    """Raises Ended."""
    seconds = duration(wanted.timeout)
    at_once(wanted.there, lambda api: _Uninstalling(api, wanted, seconds, standard_error()).run())


class _Uninstalling:
    """One removal, told on a terminal."""

    def __init__(self, api: Client, wanted: Wanted, seconds: float, terminal: Terminal) -> None:
        self._api = api
        self._wanted = wanted
        self._seconds = seconds
        self._terminal = terminal

    async def run(self) -> None:
        """Raises Ended, KubeError."""
        with administrating(self._api.login, "removing it"):
            await self._remove()

    async def _remove(self) -> None:
        kept = await self._kept() if self._wanted.keep_data else ""
        await self._confirm(kept)
        await self._each("admission", ASKING, INSTALLED)
        if not self._wanted.keep_data:
            for resource in OBJECTS:
                await self._objects(resource)
            await self._kept_by_nobody()
        await self._each("programs", PROGRAMS, INSTALLED, SYSTEM_NAMESPACE)
        rest = REST if self._wanted.keep_data else ADDRESSES + REST
        await self._each("rights and walls", rest, INSTALLED)
        await self._attestations()
        if self._wanted.keep_data:
            self._terminal.line(f"kept: {kept}")
            return
        await self._swept()
        await self._each("custom resources", (r.CRDS,), INSTALLED)
        await self._namespace()
        await self._tell_what_is_left()

    async def _confirm(self, kept: str) -> None:
        """Raises Ended (Usage, Cancelled)."""
        where = visible(server_of(self._api.login))
        if kept:
            self._terminal.always(f"removing the programs of Sympozium from {where}; what stays: {kept}")
        else:
            held = [(resource, await listed(self._api, resource)) for resource in OBJECTS]
            counted = [_counted(resource.kind, len(found)) for resource, found in held if found]
            goes = ", ".join(counted) or "no object"
            self._terminal.always(f"removing Sympozium from {where}, and with it {goes}")
        if self._wanted.yes:
            return
        if not has_terminal():
            raise Ended(Reason.Usage, "command line: --yes: is wanted where nobody can be asked")
        await go_on(self._terminal, "nothing was removed")

    async def _kept(self) -> str:
        """What ``--keep-data`` keeps, and what cannot be kept."""
        there = await stored(self._api, SYSTEM_NAMESPACE)
        if there and there.size is not None and there.claim:
            return f"all objects, and in {SYSTEM_NAMESPACE} the bus's volume ({SERVICE}), keys and address"
        gone = "what the bus had goes with its pod (--bus-storage none): no log of a run, and no run can go on"
        return f"all objects, and in {SYSTEM_NAMESPACE} the bus's keys; {gone}"

    async def _each(self, told: str, kinds: Sequence[Resource], labels: str, namespace: str = "") -> None:
        """Delete, and wait until they are gone."""
        number = 0
        for resource in kinds:
            found = await listed(self._api, resource, labels, namespace)
            number += len(found)
            await self._delete(resource, found)
            await self._until_gone(resource, labels, namespace)
        self._say(told, f"{number} deleted")

    async def _delete(self, resource: Resource, found: Sequence[KubeObject]) -> None:
        for one in found:
            try:
                metadata = one["metadata"]
                await self._api.delete(resource, metadata["name"], metadata.get("namespace", ""))
            except NotFound:
                continue

    async def _until_gone(self, resource: Resource, labels: str = "", namespace: str = "") -> None:
        """Raises Ended (EngineLost) naming what stays."""
        if left := await self._waited(resource, labels, namespace):
            whose = ", ".join(left[0]["metadata"].get("finalizers") or ()) or "its deletion takes long"
            why = f"is still there after {self._seconds:.0f} s ({whose}); another uninstall goes on from here"
            raise Ended(Reason.EngineLost, f"{named(left[0])}: {why}")

    async def _waited(self, resource: Resource, labels: str = "", namespace: str = "") -> list[KubeObject]:
        """What is left when it has been waited for long enough."""
        try:
            async with asyncio.timeout(self._seconds):
                while await listed(self._api, resource, labels, namespace):
                    await asyncio.sleep(LOOK_EVERY)
        except TimeoutError:
            return await listed(self._api, resource, labels, namespace)
        return []

    async def _objects(self, resource: Resource) -> None:
        """The controller tidies up after each; where it does not, its finalizer is taken away."""
        found = await listed(self._api, resource)
        if not found:
            return
        await self._delete(resource, found)
        left = await self._waited(resource) if await self._controller_lives() else await listed(self._api, resource)
        for one in left:
            self._terminal.line(f"{'':<20}nobody tidied up after {named(one)}: it goes without")
            await self._let_go(resource, one)
        await self._until_gone(resource)
        self._say(resource.plural, f"{len(found)} deleted")

    async def _let_go(self, resource: Resource, one: KubeObject) -> None:
        metadata = one["metadata"]
        kept = [name for name in metadata.get("finalizers") or () if not name.startswith(f"{r.GROUP}/")]
        try:
            body = {"metadata": {"finalizers": kept or None}}
            await self._api.patch(resource, metadata["name"], body, metadata.get("namespace", ""))
        except (NotFound, Conflict, Invalid):  # gone, or just then looked at by somebody: it is looked for again
            return

    async def _controller_lives(self) -> bool:
        found = await listed(self._api, r.DEPLOYMENTS, INSTALLED, SYSTEM_NAMESPACE)
        return any(
            one["metadata"]["name"] == "sympozium-controller" and one.get("status", {}).get("availableReplicas")
            for one in found
        )

    async def _swept(self) -> None:
        """What was made for runs and instances and is still there: nobody needs it any more."""
        number = 0
        for resource in LEFT_BEHIND:
            found = await listed(self._api, resource, MADE)
            number += len(found)
            await self._delete(resource, found)
        self._say("left behind", f"{number} deleted")

    async def _attestations(self) -> None:
        """What commands that were killed could not take back: with the bus goes whoever it was shown to."""
        try:
            left = [one async for one in whole(self._api, r.SIGNING_REQUESTS, fields=f"spec.signerName={SIGNER}")]
            await self._delete(r.SIGNING_REQUESTS, left)
            self._say("attestations", f"{len(left)} deleted")
        except NotFound:  # a cluster that issues no certificates
            return
        except Forbidden as error:
            self._say("attestations", f"! these stay, and end by themselves: {visible(error.message)}")

    async def _kept_by_nobody(self) -> None:
        """Custom objects that came meanwhile."""
        for resource in OBJECTS:
            if found := await listed(self._api, resource):
                raise Ended(Reason.Usage, f"{named(found[0])}: was made while everything was being removed; once more")

    async def _namespace(self) -> None:
        try:
            found = await self._api.get(r.NAMESPACES, SYSTEM_NAMESPACE)
        except NotFound:
            return
        if (found["metadata"].get("labels") or {}).get(LABEL_MANAGED_BY) != MANAGER:
            self._say("namespace", f"{SYSTEM_NAMESPACE} stays: no installation made it")
            return
        await self._api.delete(r.NAMESPACES, SYSTEM_NAMESPACE)
        await self._until_gone(r.NAMESPACES, INSTALLED)
        self._say("namespace", f"{SYSTEM_NAMESPACE} deleted, with what the bus had")

    async def _tell_what_is_left(self) -> None:
        claims = await listed(self._api, r.VOLUME_CLAIMS, MADE)
        for one in claims:
            self._terminal.line(f"left: {named(one)}: what an instance remembers, as its memory.retain says")
        self._terminal.line("removed" if not claims else "removed, but for what is left")

    def _say(self, step: str, text: str) -> None:
        self._terminal.line(f"{step:<20}{text}")


def _counted(kind: str, number: int) -> str:
    plural = f"{kind[:-1]}ies" if kind.endswith("y") else f"{kind}s"
    return f"{number} {kind if number == 1 else plural}"
