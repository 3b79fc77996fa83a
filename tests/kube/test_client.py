"""The port on a real API server: what each verb does, and what it raises."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
from aiohttp import web

from sympozium_protocol.exits import Ended
from sympozium_protocol.kube import errors, resources
from sympozium_protocol.kube.client import Client, whole
from sympozium_protocol.kube.login import login
from tests.support.cluster import Cluster

T = TypeVar("T")


def using(cluster: Cluster, act: Callable[[Client], Awaitable[T]]) -> T:
    async def run() -> T:
        async with Client(await login(str(cluster.kubeconfig))) as client:
            return await act(client)

    return asyncio.run(run())


def config(name: str, **data: str) -> dict[str, object]:
    return {"metadata": {"name": name, "labels": {"of": "test"}}, "data": data}


def test_what_is_created_can_be_read_changed_and_deleted(cluster: Cluster, namespace: str) -> None:

    async def act(api: Client) -> None:
        made = await api.create(resources.CONFIG_MAPS, config("one", a="1"), namespace)
        changed = await api.patch(resources.CONFIG_MAPS, "one", {"data": {"b": "2"}}, namespace)
        assert changed["data"] == {"a": "1", "b": "2"}
        assert (await api.get(resources.CONFIG_MAPS, "one", namespace))["data"] == changed["data"]
        with pytest.raises(errors.Conflict):
            await api.delete(resources.CONFIG_MAPS, "one", namespace, uid="0" * 8)
        await api.delete(resources.CONFIG_MAPS, "one", namespace, uid=made["metadata"]["uid"])
        with pytest.raises(errors.NotFound):
            await api.get(resources.CONFIG_MAPS, "one", namespace)

    using(cluster, act)


def test_refusals_are_told_apart_and_say_what_the_server_said(cluster: Cluster, namespace: str) -> None:

    async def act(api: Client) -> None:
        await api.create(resources.CONFIG_MAPS, config("one"), namespace)
        with pytest.raises(errors.AlreadyExists, match='"one" already exists'):
            await api.create(resources.CONFIG_MAPS, config("one"), namespace)
        with pytest.raises(errors.Invalid, match=r"metadata\.name"):
            await api.create(resources.CONFIG_MAPS, config("No Name"), namespace)
        old = {"metadata": {"resourceVersion": "1"}, "data": {"a": "b"}}
        with pytest.raises(errors.Conflict):
            await api.patch(resources.CONFIG_MAPS, "one", old, namespace)

    using(cluster, act)


def test_a_list_in_pages_is_whole(cluster: Cluster, namespace: str) -> None:

    async def act(api: Client) -> list[str]:
        for number in range(7):
            await api.create(resources.CONFIG_MAPS, config(f"n{number}"), namespace)
        return [
            one["metadata"]["name"] async for one in whole(api, resources.CONFIG_MAPS, namespace, labels="of", page=3)
        ]

    assert using(cluster, act) == [f"n{number}" for number in range(7)]


def test_a_watch_tells_changes_after_a_version_in_their_order(cluster: Cluster, namespace: str) -> None:

    async def act(api: Client) -> list[tuple[str, str]]:
        version = (await api.list(resources.CONFIG_MAPS, namespace)).version
        await api.create(resources.CONFIG_MAPS, config("one"), namespace)
        await api.patch(resources.CONFIG_MAPS, "one", {"data": {"a": "b"}}, namespace)
        await api.delete(resources.CONFIG_MAPS, "one", namespace)
        seen = []
        async for change in api.watch(resources.CONFIG_MAPS, version, namespace, fields="metadata.name=one"):
            seen.append((change.type, change.object["metadata"]["name"]))
            if change.type == "DELETED":
                break
        return seen

    assert using(cluster, act) == [("ADDED", "one"), ("MODIFIED", "one"), ("DELETED", "one")]


def test_an_apply_owns_its_fields(cluster: Cluster, namespace: str) -> None:
    mine = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "one"}, "data": {"a": "1"}}

    async def act(api: Client) -> None:
        await api.patch(resources.CONFIG_MAPS, "one", mine, namespace, type="apply", manager="first")
        with pytest.raises(errors.Conflict, match="first"):
            await api.patch(
                resources.CONFIG_MAPS, "one", {**mine, "data": {"a": "2"}}, namespace, type="apply", manager="second"
            )

    using(cluster, act)


def test_a_table_has_what_kubectl_shows(cluster: Cluster, namespace: str) -> None:
    async def act(api: Client) -> Any:
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "one"}, "data": {"a": "1", "b": "2"}}
        await api.create(resources.CONFIG_MAPS, body, namespace)
        return await api.table(resources.CONFIG_MAPS, "one", namespace)

    found = using(cluster, act)

    assert [column["name"] for column in found["columnDefinitions"]] == ["Name", "Data", "Age"]
    assert found["rows"][0]["cells"][:2] == ["one", 2]
    assert found["rows"][0]["object"]["metadata"]["namespace"] == namespace


def test_no_server_is_away(cluster: Cluster, tmp_path: Path) -> None:
    port = cluster.kubectl("config", "view", "-o", "jsonpath={.clusters[0].cluster.server}").rsplit(":", 1)[1].strip()
    elsewhere = tmp_path / "kubeconfig"
    elsewhere.write_text(cluster.kubeconfig.read_text().replace(f":{port}", ":1"))

    async def act() -> None:
        async with Client(await login(str(elsewhere))) as api:
            with pytest.raises(errors.Away):
                await api.get(resources.NAMESPACES, "default")

    asyncio.run(act())


def test_who_has_a_certificate_has_no_token(cluster: Cluster) -> None:
    async def act() -> str:
        return await (await login(str(cluster.kubeconfig))).token()

    assert asyncio.run(act()) == ""


@pytest.mark.parametrize(("text", "told"), [(None, "no kubeconfig"), ("nonsense: [", ""), ("a: b", "")])
def test_a_kubeconfig_that_is_none_is_named(tmp_path: Path, text: str | None, told: str) -> None:
    file = tmp_path / "kubeconfig"
    if text is not None:
        file.write_text(text)
    with pytest.raises(Ended) as refused:
        asyncio.run(login(str(file)))
    assert str(file) in str(refused.value)
    assert told in str(refused.value)


def test_what_the_server_puts_off_is_asked_again_when_it_said(tmp_path: Path) -> None:
    answers = [(429, {"Retry-After": "0"}), (429, {"Retry-After": "0"}), (200, {})]

    async def answer(_: web.Request) -> web.Response:
        status, headers = answers.pop(0)
        return web.json_response({"kind": "Status", "metadata": {}}, status=status, headers=headers)

    async def act() -> None:
        application = web.Application()
        application.router.add_get("/api/v1/namespaces/default", answer)
        runner = web.AppRunner(application)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        port = runner.addresses[0][1]
        clusters = [{"name": "x", "cluster": {"server": f"http://127.0.0.1:{port}"}}]
        contexts = [{"name": "x", "context": {"cluster": "x", "user": "x"}}]
        users = [{"name": "x", "user": {"token": "t"}}]
        config = {"current-context": "x", "clusters": clusters, "contexts": contexts, "users": users}
        (tmp_path / "kubeconfig").write_text(json.dumps(config))
        try:
            async with Client(await login(str(tmp_path / "kubeconfig"))) as api:
                await api.get(resources.NAMESPACES, "default")
        finally:
            await runner.cleanup()

    asyncio.run(act())
    assert not answers
