"""Which tokens a keeper accepts: signed ones, a cluster's, or both."""

from __future__ import annotations

import os
from contextlib import AsyncExitStack
from pathlib import Path

from sympozium_bus_auth.commandline import SYSTEM
from sympozium_bus_auth.keys import TOKEN_PUBLIC
from sympozium_bus_auth.verifying import SignedTokens, Verifier


async def verifier(stack: AsyncExitStack, keys: Path, *, cluster: bool) -> Verifier:
    """Good until ``stack`` ends. Raises Ended: MissingKey, Usage."""
    if not cluster:
        return SignedTokens.of(keys / TOKEN_PUBLIC)
    from sympozium_bus_auth.cluster.verifying import ClusterTokens
    from sympozium_protocol.kube.client import Client
    from sympozium_protocol.kube.labels import SYSTEM_NAMESPACE
    from sympozium_protocol.kube.login import login

    signed = SignedTokens.of(keys / TOKEN_PUBLIC) if (keys / TOKEN_PUBLIC).exists() else None
    api = await stack.enter_async_context(Client(await login(), connections=64, user_agent="sympozium-bus-auth"))
    return ClusterTokens(api, system=os.environ.get(SYSTEM) or SYSTEM_NAMESPACE, signed=signed)
