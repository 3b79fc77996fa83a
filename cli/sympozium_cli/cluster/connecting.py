"""One connection to the API server, and its refusals as words for a person and an exit code."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Final, TypeVar

from sympozium_cli.cluster.kubeconfig import check_context
from sympozium_cli.cluster.rights import needed
from sympozium_cli.cluster.there import There, check_installed
from sympozium_cli.cluster.unreachable import told
from sympozium_cli.expectations import PATTERNS
from sympozium_protocol.exits import Ended, Reason
from sympozium_protocol.kube import errors
from sympozium_protocol.kube.client import Client
from sympozium_protocol.kube.errors import KubeError
from sympozium_protocol.kube.login import Login, login
from sympozium_protocol.kube.resources import NAMESPACES, OURS, Resource

T = TypeVar("T")

_NAMESPACE: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_IN_NAMESPACE: Final = re.compile(r' in the namespace "([a-z0-9-]+)"')

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


def ended(error: KubeError, known: Login, what: str = "") -> Ended:
    """What an API server said, or why it said nothing, as this command's end. ``what``: the object that it is about."""
    if why := told(error, known):
        return Ended(Reason.EngineLost if isinstance(error, errors.Away) else Reason.Usage, why)
    reason = next((reason for kind, reason in _REASONS if isinstance(error, kind)), Reason.EngineLost)
    if isinstance(error, errors.NotFound) and error.details.get("kind") == NAMESPACES.plural:
        return no_namespace(str(error.details.get("name")))
    if isinstance(error, errors.Invalid) and (causes := _causes(error)):
        return Ended(reason, f"{what or error.details.get('name') or 'the object'}: {causes}")
    said = f"{error.message}{_right(error)}"
    return Ended(reason, f"{what}: {said}" if what and what not in said else said)


def _causes(error: KubeError) -> str:
    """What the server's schema or our rules refuse, field by field; empty where it does not say so."""
    found = error.details.get("causes") or ()
    said = [": ".join(filter(None, (one.get("field"), _plain(str(one.get("message")))))) for one in found]
    if len(said) < 2:
        return "".join(said)
    return "\n".join((f"the cluster refuses {len(said)} fields:", *(f"  {one}" for one in said)))


def _plain(message: str) -> str:
    """A cause without what only repeats it, and patterns as words."""
    said = message.removeprefix('Invalid value: "object": ').removeprefix("Invalid value: ")
    value, _, pattern = said.rstrip("'").rpartition(" in body should match '")
    return f"{value.rpartition(': ')[0]} {PATTERNS[pattern]}" if pattern in PATTERNS else said


def _right(error: KubeError) -> str:
    """Who has the right that is wanted for a kind of ours. Admission refuses in other words."""
    for resource in OURS:
        if error.details.get("group") == resource.group and error.details.get("kind") == resource.plural:
            verb = error.message.partition(" cannot ")[2].partition(" ")[0]
            where = _IN_NAMESPACE.search(error.message)
            roles = needed(verb, resource, where[1] if where else "").partition("; ")[2]
            return f"; {roles}" if isinstance(error, errors.Forbidden) and roles else ""
    return ""


@contextlib.contextmanager
def administrating(known: Login, what: str) -> Iterator[None]:
    """Whoever has not the rights for ``what`` is told who has. Raises Ended (PolicyDenied), KubeError."""
    try:
        yield
    except errors.Forbidden as error:
        by_rights = " cannot " in error.message or "attempting to grant" in error.message  # else admission refuses
        if not by_rights or told(error, known):
            raise
        who = f"{what} takes an administrator of the cluster (the ClusterRole cluster-admin)"
        raise Ended(Reason.PolicyDenied, f"{who}: {error.message}") from None


def not_installed(resource: Resource) -> Ended:
    """The cluster does not know a kind of ours. Pure."""
    why = f"Sympozium is not installed in this cluster (it has no {resource.plural}.{resource.group}); install it with:"
    return Ended(Reason.MissingReference, f"{why} sympozium install")


def no_namespace(name: str) -> Ended:
    """The namespace that is meant is not there. Pure."""
    if not _NAMESPACE.fullmatch(name):
        why = f"command line: --namespace: {name}: is no name of a namespace: 1 to 63 small letters, digits and -"
        return Ended(Reason.Usage, why)
    why = f"the cluster has no namespace {name}: kubectl create namespace {name}, or name another with -n"
    return Ended(Reason.MissingReference, why)


async def check_namespace(api: Client, name: str) -> None:
    """It is there, or whoever asks may not look. Raises Ended (MissingReference), KubeError."""
    try:
        await api.get(NAMESPACES, name)
    except errors.NotFound:
        raise no_namespace(name) from None
    except errors.Forbidden:  # what comes next is refused in better words
        return


@contextlib.asynccontextmanager
async def connected(there: There) -> AsyncIterator[Client]:
    """Raises Ended: the kubeconfig, the server and what it refuses, in words."""
    check_installed()
    check_context(there)
    known = await login(there.kubeconfig, there.context, there.namespace)
    async with Client(known, user_agent="sympozium-cli") as api:
        try:
            yield api
        except KubeError as error:
            raise ended(error, known) from None


def at_once(there: There, work: Callable[[Client], Awaitable[T]]) -> T:
    """Do it now, or say why the cluster does not let us. Raises Ended."""

    async def act() -> T:
        async with connected(there) as api:
            return await work(api)

    return asyncio.run(act())
