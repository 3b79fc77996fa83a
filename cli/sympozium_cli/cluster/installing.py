"""``sympozium install``: stage by stage, each in force before the next; what is so already stays as it is."""

from __future__ import annotations

import asyncio
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from sympozium_cli.cluster.applying import Asked, Document, apply_one, found as there_now
from sympozium_cli.cluster.confirming import go_on
from sympozium_cli.cluster.connecting import administrating, at_once
from sympozium_cli.cluster.probing import probed
from sympozium_cli.cluster.storage import Stored, check, check_class, fitting, give_back, left_over, lost, stored
from sympozium_cli.cluster.tables import as_yaml
from sympozium_cli.cluster.there import There
from sympozium_cli.cluster.unreachable import server_of
from sympozium_cli.cluster.waiting import LOOK_EVERY, Waiting, named
from sympozium_cli.packs import shipped
from sympozium_cli.terminal import Terminal, standard_error, visible
from sympozium_cli.view.ask import has_terminal
from sympozium_controller.install.pods import LABELS, MANAGER
from sympozium_controller.install.settings import Settings
from sympozium_controller.install.stages import Stage, stages
from sympozium_controller.objects.units import parse_duration
from sympozium_protocol.exits import Ended, Reason
from sympozium_protocol.kube import resources as r
from sympozium_protocol.kube.api import KubeObject
from sympozium_protocol.kube.client import Client, whole
from sympozium_protocol.kube.errors import Away, Busy, NotFound
from sympozium_protocol.kube.labels import LABEL_MANAGED_BY
from sympozium_protocol.kube.resources import MUTATING_POLICIES, POLICIES, Resource

WIDTH: Final = 20
"""Characters of a stage's name on the terminal."""
PRUNED: Final = (
    r.WEBHOOKS,
    r.MUTATING_WEBHOOKS,
    r.MUTATING_BINDINGS,
    r.MUTATING_POLICIES,
    r.ADMISSION_BINDINGS,
    r.ADMISSION_POLICIES,
    r.JOBS,
    r.DEPLOYMENTS,
    r.STATEFUL_SETS,
    r.DISRUPTION_BUDGETS,
    r.SERVICES,
    r.NETWORK_POLICIES,
    r.ROLE_BINDINGS,
    r.ROLES,
    r.CLUSTER_ROLE_BINDINGS,
    r.CLUSTER_ROLES,
    r.SKILL_PACKS,
)
"""Kinds of which an installation has no more than it says. Nothing that holds data is among them."""
SHARED: Final = frozenset({"Namespace", "CustomResourceDefinition"})
"""Kinds of which somebody else may have made ours before: a name among them can mean nothing else."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The command line. ``timeout`` is text such as 5m, for each stage."""

    settings: Settings
    there: There
    timeout: str
    storage_said: bool = False
    """Was ``--bus-storage`` given? Otherwise it stays as it is."""
    dry_run: bool = False
    wait: bool = True
    probe: bool = True
    yes: bool = False


def install(wanted: Wanted) -> None:
    """Raises Ended."""
    seconds = duration(wanted.timeout)
    if wanted.dry_run:
        print_stages(planned(_seen_from_afar(wanted)))
        return
    at_once(wanted.there, lambda api: _Installing(api, wanted, seconds, standard_error()).run())


def planned(settings: Settings) -> tuple[Stage, ...]:
    """Raises InvalidPack."""
    return stages(settings, shipped().values())


async def fitted(api: Client, settings: Settings, there: Stored | None, *, storage_said: bool) -> Settings:
    """For what this cluster has. Raises KubeError."""
    settings = fitting(settings, there, said=storage_said)
    try:
        await api.list(MUTATING_POLICIES, limit=1)
    except NotFound:
        return replace(settings, mutating_policies=False)
    return settings


def _seen_from_afar(wanted: Wanted) -> Settings:
    """What is printed fits the cluster, where one can be asked."""
    settings, said = wanted.settings, wanted.storage_said

    async def look(api: Client) -> Settings:
        return await fitted(api, settings, await stored(api, settings.namespace), storage_said=said)

    try:
        return at_once(wanted.there, look)
    except Ended as fault:
        standard_error().line(
            f"! no cluster was asked ({visible(fault.message)}): this is for Kubernetes 1.36 and later"
        )
        return wanted.settings


def duration(text: str) -> float:
    """Seconds that are waited, more than none. Raises Ended (Usage)."""
    try:
        seconds = float(parse_duration(text))
    except ValueError as error:
        raise Ended(Reason.Usage, f"command line: --timeout: {error}") from None
    if not seconds:
        raise Ended(Reason.Usage, f"command line: --timeout: {text}: must be more; install --no-wait does not wait")
    return seconds


def print_stages(planned: Sequence[Stage]) -> None:
    """Everything as YAML, in the order in which it would be applied."""
    for stage in planned:
        for one in stage.documents:
            sys.stdout.write(f"---\n# {stage.name}\n{as_yaml(one, ascii_only=False)}")


class _Installing:
    """One installation, told on a terminal."""

    def __init__(self, api: Client, wanted: Wanted, seconds: float, terminal: Terminal) -> None:
        self._api = api
        self._wanted = wanted
        self._seconds = seconds
        self._terminal = terminal

    async def run(self) -> None:
        """Raises Ended, KubeError."""
        with administrating(self._api.login, "installing"):
            await self._install()

    async def _install(self) -> None:
        asked = self._wanted
        there = await stored(self._api, asked.settings.namespace)
        settings = await fitted(self._api, asked.settings, there, storage_said=asked.storage_said)
        await self._storage(settings, there)
        found = planned(settings)
        self._terminal.line(f"installing in {visible(server_of(self._api.login))}")
        if there and left_over(settings, there):
            await give_back(self._api, there, settings.namespace, self._seconds)
        for stage in found:
            await self._stage(stage)
        await self._prune(found)
        if self._wanted.wait:
            await self._answering()
        if self._wanted.wait and self._wanted.probe:
            said, sentence = await probed(self._api, self._wanted.settings)
            self._say("network", visible(sentence) if said == "enforced" else f"! {visible(sentence)}")
        self._terminal.line("installed" if self._wanted.wait else "applied; it may not work yet (--no-wait)")

    async def _storage(self, settings: Settings, there: Stored | None) -> None:
        """Nothing is applied before it is clear that the bus can have what it needs. Raises Ended, KubeError."""
        check(settings, there)
        await check_class(self._api, settings, there)
        cost = lost(settings, there)
        if not cost or self._wanted.yes:
            return
        if not has_terminal():
            how = "leave --bus-storage out to keep it as it is, or lose them with --yes"
            raise Ended(Reason.Usage, f"command line: --bus-storage: {cost}; {how}")
        self._terminal.always(visible(cost))
        await go_on(self._terminal, "nothing was changed")

    async def _stage(self, stage: Stage) -> None:
        started = time.monotonic()
        counted: Counter[str] = Counter()
        applied = []
        for one in stage.documents:
            done = await self._apply(one)
            counted[done[0]] += 1
            applied.append(done[1])
        told = ", ".join(f"{number} {what}" for what, number in counted.items())
        self._say(stage.name, told)
        if self._wanted.wait:
            waiting = Waiting(self._api, applied, lambda said: self._say("", f"waiting: {visible(said)}"))
            await waiting.until_done(self._seconds)
            if (took := time.monotonic() - started) > 1:
                self._say("", f"done after {took:.0f} s")

    async def _answering(self) -> None:
        """Until admission answers: a policy that nobody keeps is judged. Raises Ended (EngineLost)."""
        why, told = "", False
        try:
            async with asyncio.timeout(self._seconds):
                while why := await self._unanswered():
                    if not told:  # each pod that is asked in turn has words of its own
                        self._say("", f"waiting: admission does not answer yet: {visible(why)}")
                        told = True
                    await asyncio.sleep(LOOK_EVERY)
        except TimeoutError:
            what = f"admission does not answer: {why}; given up after {self._seconds:.0f} s (--timeout)"
            raise Ended(Reason.EngineLost, what) from None

    async def _unanswered(self) -> str:
        """Why; empty: it answers."""
        body = {
            "apiVersion": POLICIES.api_version,
            "kind": POLICIES.kind,
            "metadata": {"name": "sympozium-install"},
            "spec": {"template": "Default"},
        }
        namespace = self._wanted.settings.namespace
        try:
            await self._api.patch(
                POLICIES, "sympozium-install", body, namespace, type="apply", manager=MANAGER, dry_run=True
            )
        except (Busy, Away) as error:
            return error.message
        return ""

    def _say(self, stage: str, text: str) -> None:
        self._terminal.line(f"{stage:<{WIDTH}}{text}")

    async def _apply(self, one: KubeObject) -> tuple[str, KubeObject]:
        """Over everybody else where it is ours, and never over what is not. Raises Ended, KubeError."""
        document = Document(one)
        before = await there_now(self._api, document.resource, document.name, one["metadata"].get("namespace", ""))
        ours = before is None or _is_ours(before)
        if not ours and one["kind"] not in SHARED:
            why = f"is there already, and no installation's: it has no label {LABEL_MANAGED_BY}={MANAGER}"
            raise Ended(Reason.Usage, f"{named(one)}: {why}")
        force = ours or one["kind"] == "CustomResourceDefinition"
        done = await apply_one(self._api, document, Asked(MANAGER, "", force=force))
        return done.what, done.object

    async def _prune(self, found: Sequence[Stage]) -> None:
        """What a former installation had and this one has not: it would go on refusing, or letting."""
        kept = {_key(one) for stage in found for one in stage.documents}
        number = 0
        for resource in PRUNED:
            for one in await listed(self._api, resource, f"{LABEL_MANAGED_BY}={MANAGER}"):
                if _key(one) not in kept:
                    metadata = one["metadata"]
                    await self._api.delete(resource, metadata["name"], metadata.get("namespace", ""))
                    number += 1
        if number:
            self._say("of former versions", f"{number} deleted")


def _key(one: KubeObject) -> tuple[str, str, str]:
    return one["kind"], one["metadata"].get("namespace", ""), one["metadata"]["name"]


async def listed(api: Client, resource: Resource, labels: str = "", namespace: str = "") -> list[KubeObject]:
    """None where the cluster has no such kind. Raises KubeError."""
    try:
        return [one async for one in whole(api, resource, namespace, labels=labels)]
    except NotFound:
        return []


def _is_ours(one: KubeObject) -> bool:
    labels = one["metadata"].get("labels") or {}
    return all(labels.get(name) == value for name, value in LABELS.items())
