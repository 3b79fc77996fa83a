"""The port: six verbs on objects of an API server. Who acts on a cluster has one of these, and a test may have its own.

Every verb raises ``errors.KubeError``; ``Away`` after the connection failed, when a write may have been done.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias

from sympozium_protocol.kube.resources import Resource

KubeObject: TypeAlias = dict[str, Any]
"""As the server writes it: apiVersion, kind, metadata and so on."""

Each: TypeAlias = Callable[[KubeObject], KubeObject]
"""What is kept of an object, made before the next one is read: an object may be large, and many of them are."""

JsonPatch: TypeAlias = list[Mapping[str, Any]]
"""The operations of RFC 6902."""

PatchType: TypeAlias = Literal["merge", "json", "apply"]
"""JSON merge patch (RFC 7396), JSON patch (RFC 6902), server-side apply."""


@dataclass(frozen=True, slots=True)
class Page:
    """Part of a list. ``more``: the token of the next page, empty on the last. ``version``: to watch from."""

    items: tuple[KubeObject, ...]
    version: str
    more: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """What a watch saw. A ``BOOKMARK`` says only that ``version`` was reached."""

    type: Literal["ADDED", "MODIFIED", "DELETED", "BOOKMARK"]
    object: KubeObject

    @property
    def version(self) -> str:
        found: str = self.object["metadata"]["resourceVersion"]
        return found


class KubeApi(Protocol):
    """``namespace`` is empty for kinds without one, and in ``list`` and ``watch`` for all namespaces."""

    async def get(self, resource: Resource, name: str, namespace: str = "") -> KubeObject: ...

    async def list(
        self,
        resource: Resource,
        namespace: str = "",
        *,
        labels: str = "",
        fields: str = "",
        limit: int = 0,
        more: str = "",
        version: str = "",
        each: Each | None = None,
    ) -> Page:
        """One page: all objects when ``limit`` is 0. ``version`` "0": what the server has in memory will do."""
        ...

    def watch(
        self,
        resource: Resource,
        version: str,
        namespace: str = "",
        *,
        labels: str = "",
        fields: str = "",
        each: Each | None = None,
    ) -> AsyncIterator[Change]:
        """Changes after ``version``, until the server ends the watch (it does, after minutes): go on from the last
        version seen. Raises Expired when that is forgotten."""
        ...

    async def create(
        self, resource: Resource, body: KubeObject, namespace: str = "", *, name: str = "", subresource: str = ""
    ) -> KubeObject:
        """``name`` and ``subresource`` for what is created of an object: a token, an eviction."""
        ...

    async def patch(
        self,
        resource: Resource,
        name: str,
        body: KubeObject | JsonPatch,
        namespace: str = "",
        *,
        subresource: str = "",
        type: PatchType = "merge",
        manager: str = "",
        force: bool = False,
        dry_run: bool = False,
    ) -> KubeObject:
        """``manager``, ``force``: who applies, and whether it takes fields of others over."""
        ...

    async def delete(
        self,
        resource: Resource,
        name: str,
        namespace: str = "",
        *,
        uid: str = "",
        propagation: Literal["", "Background", "Foreground", "Orphan"] = "Background",
        grace: int | None = None,
    ) -> None:
        """Only the object with that ``uid``, where one is given (else Conflict). ``grace``: seconds."""
        ...
