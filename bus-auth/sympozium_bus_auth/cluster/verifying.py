"""Who presents a token of a cluster. Nothing is remembered: each connection is asked about anew."""

from __future__ import annotations

import asyncio
import time
from typing import Final

from sympozium_bus_auth.cluster.persons import identity_of_person
from sympozium_bus_auth.cluster.pods import ACCOUNT, identity_of_pod
from sympozium_bus_auth.cluster.reviews import holder_by_request, holder_of
from sympozium_bus_auth.verifying import LONGEST, Refused, Verified, Verifier
from sympozium_protocol.bus.shown import PREFIX, ShownToken
from sympozium_protocol.bus.tokens import AUDIENCE, BadClaims, ControllerIdentity
from sympozium_protocol.bus.unchecked import is_of_a_pod, unchecked_claims
from sympozium_protocol.kube.api import KubeApi
from sympozium_protocol.kube.attested import PREFIX as ATTESTED
from sympozium_protocol.kube.errors import KubeError
from sympozium_protocol.kube.labels import CONTROLLER_ACCOUNT

WITHIN: Final = 2.5
"""Seconds; the server of the bus waits for 3."""
PERSON_FOR: Final = 900
"""Seconds for which a person's rights are good: then the connection ends, and they are asked for anew."""


class ClusterTokens:
    """Pods' own tokens, and what people show; ``signed``: tokens of whoever else may come, if anybody."""

    def __init__(self, api: KubeApi, *, system: str, signed: Verifier | None = None) -> None:
        """``system``: the namespace of the controller."""
        self._api = api
        self._controller = f"{ACCOUNT}{system}:{CONTROLLER_ACCOUNT}"
        self._signed = signed

    async def verify(self, token: str) -> Verified:
        if not token:
            raise Refused("there is no token")
        if len(token) > LONGEST:
            raise Refused("the token is too long")
        if self._signed and not token.startswith(PREFIX) and not is_of_a_pod(token):
            return await self._signed.verify(token)
        try:
            async with asyncio.timeout(WITHIN):
                return await self._asked(token)
        except TimeoutError:
            raise Refused("the API server did not answer in time") from None
        except KubeError as error:
            raise Refused(f"the API server: {error.reason}: {error.message}") from None

    async def _asked(self, token: str) -> Verified:
        if token.startswith(PREFIX):
            return await self._person(token)
        holder = await holder_of(self._api, token, AUDIENCE)
        expires = _end(token)
        if expires is None:
            raise Refused("the token has no end")
        if holder.username == self._controller:
            return Verified(ControllerIdentity(name=CONTROLLER_ACCOUNT, namespaces=("*",)), expires)
        return Verified(await identity_of_pod(self._api, holder, time.time()), expires)

    async def _person(self, token: str) -> Verified:
        try:
            shown = ShownToken.decode(token)
        except BadClaims as error:
            raise Refused(f"the token {error}") from None
        now = time.time()
        latest = int(now) + PERSON_FOR
        if shown.token.startswith(ATTESTED):
            holder, ends = await holder_by_request(self._api, shown.token, now)
        else:
            holder = await holder_of(self._api, shown.token)
            ends = _end(shown.token) or latest
        return Verified(await identity_of_person(self._api, shown, holder), min(ends, latest))


def _end(token: str) -> int | None:
    """When a token ends that the cluster has accepted, if it says so. Raises Refused when it has.

    The API server remembers for some seconds what it has accepted, and does not look whether it ended meanwhile.
    """
    found = unchecked_claims(token).get("exp")
    if not isinstance(found, int | float):
        return None
    if found <= time.time():
        raise Refused("the token has ended")
    return int(found)
