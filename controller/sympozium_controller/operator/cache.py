"""What a cluster holds of one kind, kept up to date: a list in pages, then a watch. Objects are trimmed as they come.

Who changes an object puts the server's answer in at once (``put``): what is decided next is decided on what was done.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, TypeAlias

from sympozium_protocol.kube.api import KubeApi, KubeObject
from sympozium_protocol.kube.errors import Away, Busy, Expired, KubeError
from sympozium_protocol.kube.resources import Resource
from sympozium_protocol.process import log

PAGE: Final = 500
TOGETHER: Final = 20
"""Changes that are taken before anybody else has a turn: what is there has come before what is done about it."""
AGAIN_FIRST: Final = 0.2
AGAIN_MOST: Final = 15.0
"""Seconds between attempts at a server that does not answer; doubled each time."""

Key: TypeAlias = tuple[str, str]
"""Namespace and name."""
Trim: TypeAlias = Callable[[KubeObject], KubeObject]
Index: TypeAlias = Callable[[KubeObject], Iterable[str]]
Handler: TypeAlias = Callable[[KubeObject | None, KubeObject | None], None]
"""Told what an object was and what it is; None for what is not there."""


def key_of(one: KubeObject) -> Key:
    metadata = one["metadata"]
    return metadata.get("namespace", ""), metadata["name"]


def version_of(one: KubeObject) -> int:
    """Versions of one kind grow: Kubernetes 1.35 promises it, and etcd always did so."""
    return int(one["metadata"].get("resourceVersion") or 0)


class Cache:
    """Objects of one kind by namespace and name. ``namespaces``: empty for all of the cluster."""

    def __init__(
        self,
        api: KubeApi,
        resource: Resource,
        namespaces: Sequence[str] = (),
        *,
        labels: str = "",
        fields: str = "",
        trim: Trim = dict,
        indexes: Mapping[str, Index] | None = None,
        bookmarks: bool = True,
    ) -> None:
        """``bookmarks``: does the server say now and then that it is there? Not of Events, which it does not cache."""
        self.resource = resource
        self._api = api
        self._places = tuple(dict.fromkeys(namespaces)) or ("",)
        self._labels = labels
        self._fields = fields
        self._trim = trim
        self._bookmarks = bookmarks
        self._indexes = dict(indexes or {})
        self._found: dict[Key, KubeObject] = {}
        self._by: dict[tuple[str, str], dict[Key, None]] = {}
        self._handlers: list[Handler] = []
        self._unsynced = set(self._places)
        self._synced = asyncio.Event()

    def on_change(self, handler: Handler) -> None:
        self._handlers.append(handler)

    async def synced(self) -> None:
        """Returns when everything that was there at the start is here."""
        await self._synced.wait()

    @property
    def is_synced(self) -> bool:
        return self._synced.is_set()

    def get(self, namespace: str, name: str) -> KubeObject | None:
        return self._found.get((namespace, name))

    def all(self) -> Iterator[KubeObject]:
        return iter(self._found.values())

    def by(self, index: str, value: str) -> list[KubeObject]:
        return [self._found[key] for key in self._by.get((index, value), ())]

    def __len__(self) -> int:
        return len(self._found)

    def put(self, one: KubeObject) -> None:
        """As the server has it now; an older version than the one that is here is not taken."""
        self._put(self._trim(one))

    def _put(self, trimmed: KubeObject) -> None:
        key = key_of(trimmed)
        before = self._found.get(key)
        if before is None or version_of(before) < version_of(trimmed):
            self._set(key, before, trimmed)

    def remove(self, one: KubeObject) -> None:
        """The server has it no more; another object of its name stays."""
        key = key_of(one)
        before = self._found.get(key)
        if before is not None and version_of(before) <= version_of(one):
            self._set(key, before, None)

    async def run(self) -> None:
        """Follow the server until cancelled."""
        async with asyncio.TaskGroup() as group:
            for place in self._places:
                group.create_task(self._follow(place))

    async def _follow(self, place: str) -> None:
        pause = AGAIN_FIRST
        version = ""
        while True:
            try:
                version = version or await self._list(place)
                pause = AGAIN_FIRST
                taken = 0
                async for change in self._api.watch(
                    self.resource, version, place, labels=self._labels, fields=self._fields, each=self._trim
                ):
                    version = change.version
                    self._take(change.type, change.object)
                    taken += 1
                    if taken % TOGETHER == 0:
                        await asyncio.sleep(0)  # thousands may come at once, and the Lease is to be renewed
            except Expired:
                version = ""
            except KubeError as error:  # whatever it is: rights and kinds may come later than we do
                version = version if isinstance(error, Away | Busy) else ""
                if self._bookmarks or not isinstance(error, Away):  # else it is a silence, most likely
                    log("cannot watch", kind=self.resource.kind, namespace=place, why=error.message, again=pause)
                await asyncio.sleep(pause)
                pause = min(2 * pause, AGAIN_MOST)

    async def _list(self, place: str) -> str:
        seen: set[Key] = set()
        more = ""
        while True:
            page = await self._api.list(
                self.resource, place, labels=self._labels, fields=self._fields, limit=PAGE, more=more, each=self._trim
            )
            for one in page.items:
                seen.add(key_of(one))
                self._put(one)
            await asyncio.sleep(0)  # a page takes a while, and the Lease is to be renewed
            more = page.more
            if not more:
                break
        self._forget(place, seen, int(page.version))
        self._unsynced.discard(place)
        if not self._unsynced:
            self._synced.set()
        return page.version

    def _forget(self, place: str, seen: set[Key], version: int) -> None:
        """What a list does not have was deleted while nobody watched."""
        for key, one in list(self._found.items()):
            if (not place or key[0] == place) and key not in seen and version_of(one) <= version:
                self._set(key, one, None)

    def _take(self, kind: str, one: KubeObject) -> None:
        if kind == "DELETED":
            self.remove(one)
        elif kind != "BOOKMARK":
            self._put(one)

    def _set(self, key: Key, before: KubeObject | None, after: KubeObject | None) -> None:
        for index, values in self._indexes.items():
            for value in values(before) if before else ():
                self._leave((index, value), key)
            for value in values(after) if after else ():
                self._by.setdefault((index, value), {})[key] = None
        if after is None:
            del self._found[key]
        else:
            self._found[key] = after
        for handler in self._handlers:
            handler(before, after)

    def _leave(self, index: tuple[str, str], key: Key) -> None:
        keys = self._by.get(index, {})
        keys.pop(key, None)
        if not keys:
            self._by.pop(index, None)
