"""What nobody foresaw in an object costs that object alone, and is told of it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sympozium_controller.documents import DEEPEST, read_object
from sympozium_controller.errors import InvalidObject, Origin, Refused
from sympozium_controller.lifecycle.gateways import fault_of
from sympozium_controller.lifecycle.gather import gather
from sympozium_controller.lifecycle.plan import Place, plan
from sympozium_controller.objects import AgentRun, MCPServer, Object, Provider
from sympozium_controller.operator.checks import state_of
from sympozium_controller.operator.queue import Queue
from sympozium_controller.render.kubernetes import Images
from sympozium_protocol.kube.errors import Away


def thing(kind: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "a", "uid": f"uid-{name}", "resourceVersion": "1"}
    return {"apiVersion": "sympozium.ai/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec}


def nested(levels: int) -> Any:
    found: Any = 1
    for _ in range(levels):
        found = {"a": [found]}
    return found


def test_a_fault_with_one_key_keeps_no_other_from_being_worked_on(capsys: pytest.CaptureFixture[str]) -> None:
    done: list[str] = []
    told: list[str] = []

    async def work(key: str) -> None:
        if key == "away":
            raise Away("no answer")
        if key == "bad":
            raise ZeroDivisionError("of nothing")
        done.append(key)

    async def run() -> None:
        queue: Queue[str] = Queue("keys")
        queue.on_failure = told.append
        for key in ("bad", "away", "good"):
            queue.add(key)
        working = asyncio.create_task(queue.run(work, 1))
        async with asyncio.timeout(10):
            while not done or told.count("fault") < 2:  # it is tried again
                await asyncio.sleep(0)
        working.cancel()

    asyncio.run(run())
    assert done == ["good"]
    assert set(told) == {"server", "fault"}
    assert "ZeroDivisionError: of nothing" in "".join(capsys.readouterr())


def test_an_object_that_is_nested_too_deeply_is_refused_where_it_is() -> None:
    spec = {"provider": {"name": "scripted", "options": {"x": nested(5000)}}}
    with pytest.raises(InvalidObject, match="nested too deeply") as refused:
        read_object(thing("SympoziumInstance", "i", spec), Origin("i"))
    assert refused.value.field == "spec.provider.options.x.a.0.a.0"
    kept = {"provider": {"name": "scripted", "options": {"x": nested(DEEPEST // 2 - 3)}}}
    read_object(thing("SympoziumInstance", "i", kept), Origin("i"))


def test_what_only_a_run_spec_refuses_is_a_fault_of_the_instance() -> None:
    server = read_object(
        thing("MCPServer", "m", {"transport": "http", "url": "https://m.example", "oauth": {"clientId": "x"}}),
        Origin("m"),
    )
    assert isinstance(server, MCPServer)
    oauth = server.spec.oauth.model_copy(update={"scopes": ("",)})  # as an older schema let it be
    server = server.model_copy(update={"spec": server.spec.model_copy(update={"oauth": oauth})})
    instance = {"provider": {"name": "scripted"}, "skills": [], "mcpServers": ["m"]}
    objects: dict[str, Object] = {"m": server, "i": read_object(thing("SympoziumInstance", "i", instance), Origin("i"))}
    run = thing("AgentRun", "r", {"instanceRef": "i", "input": "x"})
    asked = read_object(run, Origin("r"))
    assert isinstance(asked, AgentRun)
    found = gather(asked, lambda kind, namespace, name: objects.get(name), lambda namespace: (), "system", {})
    with pytest.raises(Refused, match=r"SympoziumInstance/i: runs of it would not be valid: scopes\.0"):
        plan(run, asked, found, Place(Images("r", "1")), 0.0)


@pytest.mark.parametrize("url", ["https://[::1", "https://h:99999", "ftp://h", "https://user:word@h", "h"])
def test_a_gateway_is_not_made_for_what_is_no_address(url: str) -> None:
    fault = fault_of(Provider(name="openai", model="m", api_key_secret="s", base_url=url))
    assert fault
    assert fault[0] == "spec.provider.baseURL"


@pytest.mark.parametrize(
    ("kind", "spec", "ready", "field"),
    [
        ("SympoziumPolicy", {"template": "Default"}, True, ""),
        ("SympoziumPolicy", {"template": "Lax"}, False, "spec.template"),
        ("SkillPack", {"sidecar": {"commands": [], "egress": ["x"]}}, False, "spec.sidecar.egress.0"),
        ("MCPServer", {"transport": "http", "url": "https://m.example", "secretRef": "later"}, True, ""),
        ("MCPServer", {"transport": "http"}, False, "url"),
    ],
)
def test_an_object_is_ready_if_it_is_written_right(kind: str, spec: dict[str, Any], ready: bool, field: str) -> None:
    state = state_of(thing(kind, "o", spec), "system")
    assert state.ready is ready
    assert field in state.message
    assert f"{kind}/o" not in state.message  # whose status it is
