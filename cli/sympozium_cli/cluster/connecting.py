"""One connection to the API server, and its refusals as words for a person and an exit code."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final, TypeVar

from sympozium_cli.cluster.there import There, check_installed
from sympozium_protocol.exits import Ended, Reason
from sympozium_protocol.kube import errors
from sympozium_protocol.kube.client import Client
from sympozium_protocol.kube.errors import KubeError
from sympozium_protocol.kube.login import login

T = TypeVar("T")

MANAGER: Final = "sympozium"
"""As whom the command applies what people give it."""

_REASONS: Final[tuple[tuple[type[KubeError], Reason], ...]] = (
    (errors.Invalid, Reason.InvalidDocument),
    (errors.Unauthorized, Reason.Usage),
    (errors.Forbidden, Reason.PolicyDenied),
    (errors.NotFound, Reason.MissingReference),
    (errors.AlreadyExists, Reason.Usage),
    (errors.Conflict, Reason.Usage),
    (errors.Busy, Reason.EngineLost),
    (errors.Away, Reason.EngineLost),
)


def ended(error: KubeError, what: str = "") -> Ended:
    """What an API server said, as this command's end. ``what``: the object that it is about."""
    reason = next((reason for kind, reason in _REASONS if isinstance(error, kind)), Reason.EngineLost)
    said = error.message
    if isinstance(error, errors.Unauthorized):
        said = f"the API server does not know who you are ({said}); log in, or choose another --context"
    return Ended(reason, f"{what}: {said}" if what and what not in said else said)


@contextlib.asynccontextmanager
async def connected(there: There) -> AsyncIterator[Client]:
    """Raises Ended (Usage, MissingReference)."""
    check_installed()
    async with Client(await login(there.kubeconfig, there.context, there.namespace), user_agent="sympozium-cli") as api:
        yield api


def at_once(there: There, work: Callable[[Client], Awaitable[T]]) -> T:
    """Do it now, or say why the cluster does not let us. Raises Ended."""

    async def act() -> T:
        async with connected(there) as api:
            return await work(api)

    try:
        return asyncio.run(act())
    except KubeError as error:
        raise ended(error) from None
