"""Keys and certificates into a cluster. Done twice, or by two at once, it gives the same: what is there is kept.

The keeper's Secret is filled once, by whoever comes first; all else follows from it. The objects may have been made
empty before: then no right to make any is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sympozium_bus_auth.cluster import documents
from sympozium_bus_auth.cluster.certificates import Pair, authority, is_good, server
from sympozium_bus_auth.cluster.documents import ACCESS, AUTHORITIES, CA, CA_KEY, CERTIFICATE, KEEPER_SECRET, KEY
from sympozium_bus_auth.keys import SEEDS, Keys
from sympozium_bus_auth.nkeys import BadKey, KeyPair
from sympozium_protocol.exits import Ended, Reason
from sympozium_protocol.kube.api import KubeApi, KubeObject
from sympozium_protocol.kube.errors import AlreadyExists, Conflict, NotFound
from sympozium_protocol.kube.resources import CONFIG_MAPS, SECRETS, Resource

TRIES = 10
"""Each lost to somebody who changed the object at the same moment."""


async def into_secrets(api: KubeApi, namespace: str, names: tuple[str, ...] = ()) -> list[str]:
    """What was done, a line for each object. ``names``: further ones of the server. Raises KubeError, Ended."""
    now = datetime.now(UTC)
    into = _Into(api, namespace)
    held = await into.put(SECRETS, KEEPER_SECRET, lambda there: there or _made(now))
    keys, issuer = _keys(held), Pair(held.get(CA, b""), held.get(CA_KEY, b""))
    wanted = documents.names(namespace, names)
    await into.put(CONFIG_MAPS, AUTHORITIES, lambda there: {CA: _with(issuer.certificate, there.get(CA, b""))})
    access = documents.access(keys.public).encode()
    await into.put(
        SECRETS, documents.SERVER_SECRET, lambda there: {ACCESS: access, **_server(there, issuer, wanted, now)}
    )
    return into.told


def _made(now: datetime) -> dict[str, bytes]:
    found = authority(now)
    seeds = {f"{name}.seed": f"{KeyPair.new(kind).text}\n".encode() for name, kind in SEEDS.items()}
    return {**seeds, CA: found.certificate, CA_KEY: found.key}


def _keys(data: Mapping[str, bytes]) -> Keys:
    """Raises Ended (MissingKey)."""
    try:
        return Keys({name: KeyPair.read(data[f"{name}.seed"].decode().strip(), kind) for name, kind in SEEDS.items()})
    except (KeyError, UnicodeDecodeError, BadKey) as error:
        raise Ended(Reason.MissingKey, f"Secret {KEEPER_SECRET}: has no such key: {error}") from None


def _with(certificate: bytes, there: bytes) -> bytes:
    """Those that are trusted already stay: one that was replaced may have vouched for a server that still runs."""
    return there if certificate in there else certificate + there


def _server(there: Mapping[str, bytes], issuer: Pair, wanted: tuple[str, ...], now: datetime) -> dict[str, bytes]:
    """The certificate that there is, or a new one when that will not do. Raises Ended (MissingKey)."""
    found = Pair(there.get(CERTIFICATE, b""), there.get(KEY, b""))
    if not is_good(found, issuer, wanted, now):
        try:
            found = server(issuer, wanted, now)
        except (ValueError, TypeError):
            raise Ended(Reason.MissingKey, f"Secret {KEEPER_SECRET}: holds no {CA} with its {CA_KEY}") from None
    return {CERTIFICATE: found.certificate, KEY: found.key}


@dataclass
class _Into:
    """Objects of one namespace, each brought to hold what it should."""

    api: KubeApi
    namespace: str
    told: list[str] = field(default_factory=list)

    async def put(
        self, resource: Resource, name: str, wanted: Callable[[dict[str, bytes]], dict[str, bytes]]
    ) -> dict[str, bytes]:
        """What it holds now. ``wanted``: of what it held. Raises KubeError, and what ``wanted`` does."""
        for _ in range(TRIES):
            found = await self._get(resource, name)
            had = documents.data_of(found) if found else {}
            data = wanted(had)
            try:
                self.told.append(f"{resource.kind} {name}: {await self._write(resource, name, found, had, data)}")
                return data
            except (AlreadyExists, Conflict, NotFound):
                continue  # somebody was quicker: what is there now counts
        raise Ended(Reason.BusRefused, f"{resource.kind} {name}: others change it all the time")

    async def _write(
        self,
        resource: Resource,
        name: str,
        found: KubeObject | None,
        had: Mapping[str, bytes],
        data: Mapping[str, bytes],
    ) -> str:
        document = documents.document(resource.kind, name, self.namespace, data)
        if found is None:
            await self.api.create(resource, document, self.namespace)
            return "made"
        if had == data:
            return "kept"
        gone = dict.fromkeys(set(had) - set(data))
        version = {"resourceVersion": found["metadata"]["resourceVersion"]}
        await self.api.patch(
            resource, name, {"metadata": version, "data": {**document["data"], **gone}}, self.namespace
        )
        return "changed" if had else "filled"

    async def _get(self, resource: Resource, name: str) -> KubeObject | None:
        try:
            return await self.api.get(resource, name, self.namespace)
        except NotFound:
            return None
