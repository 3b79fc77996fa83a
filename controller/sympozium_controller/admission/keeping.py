"""Where the certificates are kept: one Secret for all replicas, and what the webhook configurations trust.

Every replica makes what is due, against the version that it read: who comes second takes the other's. Whoever leads
writes the authorities into the configurations.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import os
import ssl
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from sympozium_controller.admission.certificates import Kept, Lifetimes, data_of, decide, kept_of, take
from sympozium_controller.admission.configuration import NAME, bundle_patch
from sympozium_controller.names import LABEL_COMPONENT, LABEL_MANAGED_BY, MANAGED_BY
from sympozium_protocol.kube.api import KubeApi, KubeObject
from sympozium_protocol.kube.errors import AlreadyExists, Conflict, Forbidden, KubeError, NotFound
from sympozium_protocol.kube.resources import MUTATING_WEBHOOKS, SECRETS, WEBHOOKS, Resource
from sympozium_protocol.process import log

PERIOD: Final = 10.0
"""Seconds between two looks: so soon all replicas show what one made, and a configuration applied anew is trusting."""
SOON: Final = 1.0
"""Seconds, while something is missing or cannot be reached."""
TRIES: Final = 10
MANAGER: Final = "sympozium-admission"


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass
class Keeper:
    """``context`` shows the newest certificate in each new connection. ``leads`` says whether this replica does."""

    api: KubeApi
    namespace: str
    names: Sequence[str]
    leads: Callable[[], bool] = lambda: True
    lifetimes: Lifetimes = field(default_factory=Lifetimes)
    period: float = PERIOD
    secret: str = NAME
    configuration: str = NAME
    now: Callable[[], datetime] = utc_now
    context: ssl.SSLContext = field(default_factory=lambda: ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
    _shown: str = ""

    async def keep(self) -> None:
        """For ever. What cannot be reached is tried again."""
        while True:
            try:
                done = await self.look()
            except KubeError as error:
                log("certificates", error=error.message)
                done = False
            await asyncio.sleep(self.period if done else min(SOON, self.period))

    async def look(self) -> bool:
        """Make what is due, show it, have it trusted; False when a configuration is not there. Raises KubeError."""
        kept = await self._kept()
        if kept.chain != self._shown:
            _load(self.context, kept)
            self._shown = kept.chain
        return not self.leads() or await self._trust(kept.bundle)

    async def _kept(self) -> Kept:
        for _ in range(TRIES):
            found = await self._read()
            kept = kept_of(_decoded(found)) if found else None
            step = decide(self.now(), kept, self.names, self.lifetimes)
            if kept is not None and step == "keep":
                return kept
            made = take(step, self.now(), kept, self.names, self.lifetimes)
            if await self._write(found, made):
                log("certificates", step=step)
        raise Conflict(409, "Conflict", f"the Secret {self.secret} changes faster than it can be kept")

    async def _read(self) -> KubeObject | None:
        try:
            return await self.api.get(SECRETS, self.secret, self.namespace)
        except NotFound:
            return None

    async def _write(self, found: KubeObject | None, kept: Kept) -> bool:
        """False when another was first."""
        values = {name: base64.b64encode(text.encode()).decode() for name, text in data_of(kept).items()}
        try:
            if found is None:
                await self.api.create(SECRETS, self._document(values), self.namespace)
            else:
                version = {"metadata": {"resourceVersion": found["metadata"]["resourceVersion"]}, "data": values}
                await self.api.patch(SECRETS, self.secret, version, self.namespace)
        except (AlreadyExists, Conflict, NotFound):
            return False
        return True

    def _document(self, values: dict[str, str]) -> KubeObject:
        labels = {LABEL_MANAGED_BY: MANAGED_BY, LABEL_COMPONENT: "admission"}
        metadata = {"name": self.secret, "namespace": self.namespace, "labels": labels}
        return {"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "metadata": metadata, "data": values}

    async def _trust(self, bundle: str) -> bool:
        encoded = base64.b64encode(bundle.encode()).decode()
        await self._trust_in(MUTATING_WEBHOOKS, encoded)  # only where the cluster has no policies in its place
        return await self._trust_in(WEBHOOKS, encoded)

    async def _trust_in(self, resource: Resource, bundle: str) -> bool:
        try:
            found = await self.api.get(resource, self.configuration)
            if patch := bundle_patch(found, bundle):
                # applied, as one field of each webhook: whoever installs owns the others
                await self.api.patch(resource, self.configuration, patch, type="apply", manager=MANAGER, force=True)
        except NotFound:
            return False
        except Forbidden:
            if resource is WEBHOOKS:
                raise
            return False
        return True


def _decoded(secret: KubeObject) -> dict[str, str]:
    try:
        data = secret.get("data") or {}
        return {name: base64.b64decode(value, validate=True).decode() for name, value in data.items()}
    except (binascii.Error, UnicodeDecodeError):
        return {}


def _load(context: ssl.SSLContext, kept: Kept) -> None:
    """Python reads certificates from files alone: these are in memory, and no other program sees them."""
    with ExitStack() as stack:
        paths = []
        for name, text in (("chain", kept.chain), ("key", kept.key)):
            descriptor = os.memfd_create(name, os.MFD_CLOEXEC)
            stack.callback(os.close, descriptor)
            os.write(descriptor, text.encode())
            paths.append(f"/proc/self/fd/{descriptor}")
        context.load_cert_chain(*paths)
