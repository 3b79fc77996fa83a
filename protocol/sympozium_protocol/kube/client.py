"""The port over HTTP: kubernetes.aio's connection (TLS, certificates, proxies), our verbs, errors by kind."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import urlencode

from sympozium_protocol.kube.api import Change, Each, JsonPatch, KubeObject, Page, PatchType
from sympozium_protocol.kube.errors import Away, Busy, Expired, KubeError, Unauthorized, error_of
from sympozium_protocol.kube.login import Login
from sympozium_protocol.kube.nesting import parse
from sympozium_protocol.kube.resources import Resource
from sympozium_protocol.kube.streamed import lines, listed

if TYPE_CHECKING:
    import aiohttp

TIMEOUT: Final = 30.0
"""Seconds for an answer: admission webhooks have up to 30, and ours 10."""
WATCH: Final = 300
"""Seconds after which the server ends a watch; who watches begins anew."""
SILENCE: Final = 90.0
"""Seconds without a word on a watch: the server sends bookmarks about every minute, so the connection is dead."""
CONNECTIONS: Final = 32
LISTS: Final = 4
"""Lists that are read at once: some megabytes of each are here, whoever wrote them."""
PUT_OFF: Final = 5
"""Times that a request is made again which the server did not take (429) and said when: nothing was done."""
LONGEST_PUT_OFF: Final = 2.0
"""Seconds, whatever it said."""

JSON: Final = "application/json"
TABLE: Final = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
"""The server's own table of a list: the columns that ``kubectl get`` shows."""

_TYPES: Final[Mapping[PatchType, str]] = {
    "merge": "application/merge-patch+json",
    "json": "application/json-patch+json",
    "apply": "application/apply-patch+yaml",  # JSON is YAML
}


class Client:
    """``api.KubeApi`` on the server of a Login. Close it, or use it as a context."""

    def __init__(self, login: Login, *, connections: int = CONNECTIONS, user_agent: str = "sympozium") -> None:
        from kubernetes.aio.client.rest import RESTClientObject

        self._login = login
        login.configuration.connection_pool_maxsize = connections
        self._rest = RESTClientObject(login.configuration)
        self._agent = user_agent
        self._lists = asyncio.Semaphore(LISTS)

    @property
    def login(self) -> Login:
        return self._login

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        await self._rest.close()

    async def get(self, resource: Resource, name: str, namespace: str = "") -> KubeObject:
        return await self._answer("GET", resource.path(namespace, name))

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
        asked = {"labelSelector": labels, "fieldSelector": fields, "continue": more, "resourceVersion": version}
        asked["limit"] = str(limit) if limit else ""
        kind = {"apiVersion": resource.api_version, "kind": resource.kind}  # the items of a list leave it out

        def kept(item: KubeObject) -> KubeObject:
            one = {**kind, **item}
            return each(one) if each else one

        async with self._lists:
            return await self._page(resource.path(namespace), asked, kept)

    async def _page(self, path: str, query: Mapping[str, str], each: Each) -> Page:
        """It may take long: what counts is that it goes on. Raises KubeError."""
        import aiohttp

        timeout = aiohttp.ClientTimeout(total=None, sock_connect=TIMEOUT, sock_read=TIMEOUT)
        response = await self._request("GET", path, query, timeout=timeout, encoding="identity")
        try:
            items, rest = await listed(response.content.readany, each)
            await response.read()  # what follows is nothing, and the connection is free again
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Away(f"GET {path}: {error or 'no answer in time'}") from None
        except ValueError:
            raise KubeError(response.status, "NotJSON", f"GET {path}: the answer is no JSON") from None
        finally:
            response.release()
        metadata = rest["metadata"]
        return Page(tuple(items), metadata["resourceVersion"], metadata.get("continue") or "")

    async def table(self, resource: Resource, name: str = "", namespace: str = "", *, labels: str = "") -> KubeObject:
        """One object, or all of them, as people see them: a Table of meta.k8s.io/v1, with the server's own columns."""
        return await self._answer("GET", resource.path(namespace, name), {"labelSelector": labels}, accept=TABLE)

    async def watch(
        self,
        resource: Resource,
        version: str,
        namespace: str = "",
        *,
        labels: str = "",
        fields: str = "",
        each: Each | None = None,
    ) -> AsyncIterator[Change]:
        asked = {
            "watch": "1",
            "resourceVersion": version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(WATCH),
            "labelSelector": labels,
            "fieldSelector": fields,
        }
        async for line in self.lines(resource.path(namespace), asked):
            yield _change(line, each)

    async def lines(self, path: str, query: Mapping[str, str]) -> AsyncIterator[bytes]:
        """Lines of an answer that goes on: a watch, a pod's log. Raises KubeError."""
        import aiohttp

        timeout = aiohttp.ClientTimeout(total=None, sock_connect=TIMEOUT, sock_read=SILENCE)
        response = await self._request("GET", path, query, timeout=timeout)
        try:
            async for line in lines(response.content.readany):
                yield line
        except TimeoutError:
            raise Away(f"{path}: nothing was heard for {SILENCE:.0f} s") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise Away(f"{path}: {error}") from None
        finally:
            response.close()

    async def create(
        self, resource: Resource, body: KubeObject, namespace: str = "", *, name: str = "", subresource: str = ""
    ) -> KubeObject:
        return await self._answer("POST", resource.path(namespace, name, subresource), body=body)

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
        asked = {
            "fieldManager": manager,
            "force": "true" if force else "",
            "dryRun": "All" if dry_run else "",
        }
        path = resource.path(namespace, name, subresource)
        return await self._answer("PATCH", path, asked, body=body, content=_TYPES[type])

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
        options: KubeObject = {"apiVersion": "v1", "kind": "DeleteOptions"}
        if uid:
            options["preconditions"] = {"uid": uid}
        if propagation:
            options["propagationPolicy"] = propagation
        if grace is not None:
            options["gracePeriodSeconds"] = grace
        await self._answer("DELETE", resource.path(namespace, name), body=options)

    async def websocket(self, path: str, query: Mapping[str, str], protocol: str) -> aiohttp.ClientWebSocketResponse:
        """A connection both ways, that the server hands on to a pod. Raises KubeError."""
        import aiohttp

        headers = {"User-Agent": self._agent}
        if said := await self._login.authorization():
            headers["Authorization"] = said
        session = self._rest.pool_manager = self._rest.pool_manager or self._rest._create_pool_manager()
        try:
            async with asyncio.timeout(TIMEOUT):
                return await session.ws_connect(
                    f"{self._login.server}{path}?{urlencode(query)}",
                    protocols=(protocol,),
                    headers=headers,
                    proxy=self._rest.proxy,
                    server_hostname=self._login.configuration.tls_server_name,
                    max_msg_size=0,
                )
        except aiohttp.WSServerHandshakeError as error:
            raise error_of(error.status, f"GET {path}: {error.message}") from None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Away(f"GET {path}: {error or 'no answer in time'}") from None

    async def _answer(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        *,
        body: object = None,
        content: str = JSON,
        accept: str = JSON,
    ) -> KubeObject:
        """The answer's JSON. Raises KubeError."""
        import aiohttp

        response = await self._request(method, path, query or {}, body=body, content=content, accept=accept)
        try:
            found: KubeObject = parse(await response.read())
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Away(f"{method} {path}: {error or 'no answer in time'}") from None
        except ValueError:
            raise KubeError(response.status, "NotJSON", f"{method} {path}: the answer is no JSON") from None
        return found

    async def _request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        *,
        body: object = None,
        content: str = JSON,
        accept: str = JSON,
        timeout: aiohttp.ClientTimeout | None = None,
        encoding: str = "",
    ) -> aiohttp.ClientResponse:
        """``encoding``: the one of the answer; empty for any that is understood."""
        headers = {"Accept": accept, "Content-Type": content, "User-Agent": self._agent}
        if encoding:
            headers["Accept-Encoding"] = encoding
        left = PUT_OFF
        while True:
            try:
                return await self._known(method, path, query, body, headers, timeout)
            except Busy as error:
                if error.status != 429 or error.retry_after is None or not left:
                    raise
                left -= 1
                await asyncio.sleep(min(error.retry_after, LONGEST_PUT_OFF))

    async def _known(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        body: object,
        headers: dict[str, str],
        timeout: aiohttp.ClientTimeout | None,
    ) -> aiohttp.ClientResponse:
        """Who is known no more looks again who he is, once."""
        try:
            return await self._once(method, path, query, body, headers, timeout)
        except Unauthorized:
            if self._login.renew is None:
                raise
            await self._login.renew()
            return await self._once(method, path, query, body, headers, timeout)

    async def _once(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        body: object,
        headers: dict[str, str],
        timeout: aiohttp.ClientTimeout | None,
    ) -> aiohttp.ClientResponse:
        import aiohttp

        asked = urlencode({name: value for name, value in query.items() if value})
        url = f"{self._login.server}{path}" + (f"?{asked}" if asked else "")
        if said := await self._login.authorization():
            headers = {**headers, "Authorization": said}
        wait = timeout or aiohttp.ClientTimeout(total=TIMEOUT)
        try:
            answer = await self._rest.request(method, url, headers=headers, body=body, _request_timeout=wait)
            response: aiohttp.ClientResponse = answer.response
            if response.status < 400:
                return response
            text = await response.text()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Away(f"{method} {path}: {error or 'no answer in time'}") from None
        raise error_of(response.status, _parsed(text), _seconds(response.headers.get("Retry-After")))


def _change(line: bytes, each: Each | None) -> Change:
    """Who waits for the next one keeps nothing else of it. Raises KubeError."""
    event = parse(line)
    kind, found = event["type"], event["object"]
    if kind == "ERROR":
        raise error_of(int(found.get("code") or 500), found)
    return Change(kind, each(found) if each and kind != "BOOKMARK" else found)


def _parsed(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return text.strip()


def _seconds(text: str | None) -> float | None:
    return float(text) if text and text.isdigit() else None


async def whole(
    api: Client, resource: Resource, namespace: str = "", *, labels: str = "", fields: str = "", page: int = 500
) -> AsyncIterator[KubeObject]:
    """Every object of a list, page by page; from the beginning once when a page's token has expired."""
    more, seen = "", set()
    while True:
        try:
            found = await api.list(resource, namespace, labels=labels, fields=fields, limit=page, more=more)
        except Expired:
            if not more:
                raise
            more = ""
            continue
        for item in found.items:
            if item["metadata"]["uid"] not in seen:
                seen.add(item["metadata"]["uid"])
                yield item
        more = found.more
        if not more:
            return
