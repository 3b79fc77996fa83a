"""Where RUN is looked for, as the command line says it: this machine, a bus, or a cluster. Light."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from sympozium_cli.bus.named import BUS, TOKEN_FILE, Bus, bus_of, bus_of_environment
from sympozium_cli.cluster.there import There, there_of
from sympozium_protocol.exits import Ended, Reason

if TYPE_CHECKING:
    from sympozium_protocol.bus.subjects import RunKey


ON_CLUSTER: Final = "one of a cluster is named with --on cluster"
"""For whoever looks for a run that this machine does not have."""


@dataclass(frozen=True, slots=True)
class Place:
    """``namespace`` is of the bus."""

    bus: Bus | None = None
    namespace: str = "default"
    cluster: There | None = None


@dataclass(frozen=True, slots=True)
class OnBus:
    """A run that is on a bus. ``options``: words that a command about it needs beside its name."""

    bus: Bus
    run: RunKey
    options: str
    patience: float = 0.0
    """Seconds within which the bus will know it that does not yet."""


def place_of(
    url: str, token: str, authorities: str, namespace: str, on: str | None, context: str, kubeconfig: str
) -> Place:
    """Raises Ended (Usage, MissingReference)."""
    cluster = there_of(on, kubeconfig, context, namespace)
    if cluster is None:
        if namespace and not (url or os.environ.get(BUS)):
            raise Ended(Reason.Usage, "command line: --namespace: needs --on cluster, or --bus")
        return Place(bus_of(url, token, authorities), namespace or "default")
    if url:
        raise Ended(Reason.Usage, "command line: --bus: a cluster has its own; leave --bus or --on cluster out")
    own = token if token != os.environ.get(TOKEN_FILE) else ""  # the environment's is for another bus
    return Place(cluster=replace(cluster, token=os.path.abspath(own) if own else ""))


@contextlib.contextmanager
def on_bus(name: str, place: Place, verb: str = "get") -> Iterator[OnBus | None]:
    """The run that RUN names: on the cluster or the bus that is named, else of this machine (None), else on the
    environment's bus. ``verb``: what is to be done to it, as a cluster calls it. Raises Ended."""
    if place.cluster:
        from sympozium_cli.cluster.reaching import reached

        with reached(place.cluster, name, verb) as found:
            yield found
        return
    there = place.bus or bus_unless_here(name)
    if there is None:
        yield None
        return
    from sympozium_cli.bus.connecting import run_of

    options = f" {there.words}{namespace_option(place.namespace)}"
    yield OnBus(there, run_of(place.namespace, name), options)


def namespace_option(namespace: str) -> str:
    return f" --namespace {namespace}" if namespace != "default" else ""


def bus_unless_here(name: str, key: str = "") -> Bus | None:
    """The bus of the environment, for a run that this machine does not have. ``key``: with which to mint tokens."""
    from sympozium_cli.rundir import find

    try:
        find(name)
    except Ended as fault:
        if fault.reason is Reason.RunNotFound and (found := bus_of_environment(key)):
            return found
    return None
