"""The bus of a cluster, reached from this machine: through the API server, as the person whom the cluster knows."""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from sympozium_cli.bus.named import Bus, check_installed as check_bus_installed
from sympozium_cli.cluster.beginning import not_begun
from sympozium_cli.cluster.bus_pod import POD, no_way, trouble, unreached
from sympozium_cli.cluster.connecting import at_once
from sympozium_cli.cluster.ending import begun, state_of
from sympozium_cli.cluster.following import over
from sympozium_cli.cluster.objects import found_run
from sympozium_cli.cluster.rights import check_may, refusal
from sympozium_cli.cluster.there import There
from sympozium_cli.place import OnBus
from sympozium_cli.view.signals import tidy_end
from sympozium_protocol.bus.subjects import RunKey
from sympozium_protocol.exits import Ended, Reason
from sympozium_protocol.kube.attested import PREFIX as ATTESTED, take_back
from sympozium_protocol.kube.client import Client
from sympozium_protocol.kube.errors import KubeError, NotFound
from sympozium_protocol.kube.forward import forwarded, forwarding
from sympozium_protocol.kube.labels import SYSTEM_NAMESPACE
from sympozium_protocol.kube.login import Login
from sympozium_protocol.kube.person import shown_token, with_token
from sympozium_protocol.kube.resources import CONFIG_MAPS

PORT: Final = 4222
AUTHORITIES: Final = "sympozium-bus-ca"
"""A ConfigMap that everybody may read."""
FORGETTING: Final = 3.0
"""Seconds for taking back an attestation, which ends by itself too."""
PATIENCE: Final = 10.0
"""Seconds that the gate of a run which has begun may take to publish what the run is."""


@dataclass(frozen=True, slots=True)
class Known:
    """What it takes to come to the bus about one run."""

    login: Login
    run: RunKey
    token: str
    authorities: str
    attested: str = ""
    """The attestation that is shown, where there is no token: taken back at the end."""
    over: bool = False
    """Nothing more will be said."""
    state: str = ""
    """Where its AgentRun stands, in one line."""
    refused: str = ""
    """Why what was asked for besides may not be done; empty: it may."""


async def known(api: Client, there: There, name: str, namespace: str, verb: str = "get", *, also: str = "") -> Known:
    """``verb``: what is to be done to the run: get, approve, send. Asked and answered as the holder of ``there.token``.
    ``also``: what may be done later; that it may not is told and no fault.

    Raises Ended (RunNotFound, PolicyDenied, Usage, BusRefused), KubeError.
    """
    check_bus_installed()
    if there.token:
        async with Client(with_token(api.login, read_token(there.token))) as other:
            return await _known(other, there, name, namespace, verb, also)
    return await _known(api, there, name, namespace, verb, also)


async def _known(api: Client, there: There, name: str, namespace: str, verb: str, also: str) -> Known:
    run = await found_run(api, name, namespace)
    if not begun(run):
        raise not_begun(run, name, there)
    if verb != "get":
        await check_may(api, verb, name, namespace)
    why_not = await refusal(api, also, name, namespace) if also else None
    authorities = await _authorities(api)
    shown = await shown_token(api, namespace, name)  # last: what it may make is to be taken back
    attested = shown.token if shown.token.startswith(ATTESTED) else ""
    key = RunKey(namespace, str(run["status"]["run"]))
    refused = why_not.message if why_not else ""
    return Known(api.login, key, shown.encode(), authorities, attested, over(run), state_of(run), refused)


async def _forget(api: Client, found: Known) -> None:
    """What cannot be taken back now ends by itself."""
    if found.attested:
        with contextlib.suppress(KubeError, TimeoutError):
            async with asyncio.timeout(FORGETTING):
                await take_back(api, found.attested)


def read_token(file: str) -> str:
    """Raises Ended (Usage)."""
    try:
        if token := Path(file).read_text(encoding="utf-8").strip():
            return token
        why = "is empty"
    except UnicodeDecodeError:
        why = "is no text"
    except OSError as error:
        why = (error.strerror or str(error)).lower()
    raise Ended(Reason.Usage, f"command line: --bus-token: {file}: {why}")


def no_bus(missing: str) -> Ended:
    """What runs say cannot be read: that goes through the bus. Pure."""
    why = f"the cluster has no bus, through which runs are read and answered (there is no {missing})"
    return Ended(Reason.BusRefused, f"{why}; install it with: sympozium install")


async def _authorities(api: Client) -> str:
    try:
        return str((await api.get(CONFIG_MAPS, AUTHORITIES, SYSTEM_NAMESPACE))["data"]["ca.crt"])
    except NotFound:
        raise no_bus(f"ConfigMap {SYSTEM_NAMESPACE}/{AUTHORITIES}") from None
    except (KubeError, KeyError) as error:
        raise Ended(Reason.BusRefused, f"ConfigMap {SYSTEM_NAMESPACE}/{AUTHORITIES}: {error}") from None


@contextlib.contextmanager
def reached(there: There, name: str, verb: str) -> Iterator[OnBus]:
    """The run that an AgentRun is, for as long as this is open. Raises Ended."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(tidy_end())
        found = at_once(there, lambda api: known(api, there, name, api.login.namespace, verb))
        if found.attested:
            stack.callback(at_once, there, lambda api: _forget(api, found))
        try:
            port = stack.enter_context(forwarding(found.login, SYSTEM_NAMESPACE, POD, PORT))
        except KubeError as error:
            raise at_once(there, partial(unreached, error)) from None
        bus = stack.enter_context(_files(found, port))
        try:
            yield OnBus(bus, found.run, f" {there.words(found.run.namespace)}", 0 if found.over else PATIENCE)
        except Ended as fault:
            raise at_once(there, partial(_explained, fault, found, name)) from None


async def _explained(fault: Ended, found: Known, name: str, api: Client) -> Ended:
    """What the bus said, or did not say, with what the cluster knows about it."""
    if fault.reason is Reason.RunNotFound:
        return not_recorded(name, found.state)
    if fault.reason is Reason.BusRefused and (why := await trouble(api)):
        return no_way(why)
    return fault


def not_recorded(name: str, state: str) -> Ended:
    """For whoever wants to read a run that the bus has nothing of. ``state``: as its AgentRun has it. Pure."""
    why = "the bus has no record of it (has it lost what it had?)"
    return Ended(Reason.RunNotFound, f"{name}: {why}; its AgentRun says: {state}")


@contextlib.asynccontextmanager
async def reached_beside(api: Client, found: Known) -> AsyncIterator[Bus]:
    """The same within a running loop, which carries the connections. Raises Ended."""
    try:
        async with contextlib.AsyncExitStack() as stack:
            try:
                port = await stack.enter_async_context(forwarded(api, SYSTEM_NAMESPACE, POD, PORT))
            except KubeError as error:
                raise await unreached(error, api) from None
            with _files(found, port) as bus:
                yield bus
    finally:
        await _forget(api, found)


@contextlib.contextmanager
def _files(found: Known, port: int) -> Iterator[Bus]:
    with tempfile.TemporaryDirectory(prefix="sympozium-") as folder:  # its owner's alone
        token, authorities = Path(folder, "token"), Path(folder, "ca.crt")
        for path, text in ((token, found.token), (authorities, found.authorities)):
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(text)
        yield Bus(f"tls://127.0.0.1:{port}", str(token), str(authorities))
