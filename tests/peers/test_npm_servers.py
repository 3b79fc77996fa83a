"""MCP servers from the npm registry behind the bridge, asked through files as an agent asks."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from sympozium_protocol.messages import BlobPart
from sympozium_protocol.messages.servers import ServerSpec
from tests.mcp.conftest import Bridge, connects, free_port, text_of
from tests.support import npm
from tests.support.ipc import wait_for

EVERYTHING = "mcp-server-everything"
NO_CLUSTER = {
    "apiVersion": "v1",
    "kind": "Config",
    "clusters": [{"name": "none", "cluster": {"server": "http://127.0.0.1:1"}}],
    "contexts": [{"name": "none", "context": {"cluster": "none", "user": "none"}}],
    "users": [{"name": "none", "user": {}}],
    "current-context": "none",
}
"""A kubeconfig whose cluster nobody serves."""


def everything(way: str, base: Bridge) -> ServerSpec:
    if way == "stdio":
        return ServerSpec(
            name="e", prefix="e_", transport="stdio", command=(npm.program("node"), npm.program(EVERYTHING), "stdio")
        )
    port = free_port()
    listening(base, port)
    return elsewhere(port)


def listening(base: Bridge, port: int, *command: str) -> None:
    """Start a server elsewhere, the reference server unless another command is given."""
    command = command or (npm.program("node"), npm.program(EVERYTHING), "streamableHttp")
    env = npm.environment(PORT=str(port))
    base.others.append(
        subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    )
    wait_for(lambda: connects(port), "a server that listens")


def elsewhere(port: int) -> ServerSpec:
    return ServerSpec(name="e", prefix="e_", transport="http", url=f"http://127.0.0.1:{port}/mcp")


@pytest.fixture(scope="module", params=["stdio", "http"])
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bridge]:
    found = Bridge(tmp_path_factory.mktemp("everything"))
    found.start(everything(request.param, found))
    yield found
    found.close()


def test_its_tools_are_offered_under_the_prefix(world: Bridge) -> None:
    assert {"e_echo", "e_get-sum", "e_get-tiny-image", "e_trigger-long-running-operation"} <= world.names()


def test_it_echoes_and_adds(world: Bridge) -> None:
    assert text_of(world.call("e_echo", message="grüße")) == "Echo: grüße"
    assert "42" in text_of(world.call("e_get-sum", a=20, b=22))


def test_an_image_becomes_a_blob(world: Bridge) -> None:
    reply = world.call("e_get-tiny-image")
    (image,) = [part for part in reply.content if isinstance(part, BlobPart)]
    assert image.media_type == "image/png"
    assert world.blob(image.digest).startswith(b"\x89PNG")


def test_an_embedded_resource_is_text_under_its_uri_or_a_blob(world: Bridge) -> None:
    text = text_of(world.call("e_get-resource-reference", resourceType="Text", resourceId=1))
    assert "[resource demo://resource/dynamic/text/1]\nResource 1: This is a plaintext resource" in text
    reply = world.call("e_get-resource-reference", resourceType="Blob", resourceId=2)
    (blob,) = [part for part in reply.content if isinstance(part, BlobPart)]
    assert blob.note == "resource demo://resource/dynamic/blob/2"
    assert world.blob(blob.digest).startswith(b"Resource 2:")


def test_a_link_to_a_resource_says_what_can_be_read(world: Bridge) -> None:
    assert "[resource demo://resource/dynamic/text/2: " in text_of(world.call("e_get-resource-links", count=2))
    assert text_of(world.call("e_read_resource", uri="demo://resource/dynamic/text/2")).startswith("Resource 2:")


def test_structured_content_is_told_and_kept(world: Bridge) -> None:
    reply = world.call("e_get-structured-content", location="New York")
    assert reply.outcome == "ok"
    assert set(reply.details["structuredContent"]) == {"temperature", "conditions", "humidity"}


def test_resources_and_prompts_are_tools_too(world: Bridge) -> None:
    assert {"e_list_resources", "e_read_resource", "e_list_prompts", "e_get_prompt"} <= world.names()
    assert "demo://" in text_of(world.call("e_list_resources"))
    assert "simple-prompt" in text_of(world.call("e_list_prompts"))
    assert text_of(world.call("e_get_prompt", name="args-prompt", arguments={"city": "Wien"})) == (
        "user: What's weather in Wien?"
    )


def test_what_it_refuses_is_an_error_in_its_words(world: Bridge) -> None:
    nowhere = world.call("e_read_resource", uri="demo://nowhere")
    assert (nowhere.outcome, "demo://nowhere not found" in text_of(nowhere)) == ("error", True)
    incomplete = world.call("e_get_prompt", name="args-prompt")
    assert (incomplete.outcome, "at city" in text_of(incomplete)) == ("error", True)


def progress_of(world: Bridge, duration: int) -> str:
    """Ask for an operation of a tenth of a second a step, and wait until it says how far it is; the call's id."""
    call = world.ask("e_trigger-long-running-operation", duration=duration, steps=10 * duration)
    progress = world.ipc / "mcp" / "progress" / call
    wait_for(lambda: (progress.exists() and progress.stat().st_size > 0) or None, "progress")
    return call


def test_a_long_operation_tells_how_far_it_is_and_ends(world: Bridge) -> None:
    assert "operation completed" in text_of(world.reply(progress_of(world, 1)))


def test_a_long_operation_can_be_withdrawn(world: Bridge) -> None:
    call = progress_of(world, 60)
    world.withdraw(call)
    assert world.reply(call).outcome == "cancelled"


def test_a_question_to_a_person_is_declined_and_a_models_answer_is_not_to_be_had(world: Bridge) -> None:
    """It offers tools that ask for these to clients alone that say that they can be asked."""
    assert "e_trigger-sampling-request" not in world.names()
    assert "decline" in text_of(world.call("e_trigger-elicitation-request")).lower()


def test_a_killed_server_interrupts_its_calls_and_comes_back(bridge: Bridge) -> None:
    bridge.start(everything("stdio", bridge))
    assert bridge.process is not None
    call = progress_of(bridge, 60)
    (server,) = children_of(bridge.process.pid)
    os.kill(server, signal.SIGKILL)
    assert bridge.reply(call).outcome == "interrupted"
    assert text_of(bridge.until("ok", "e_echo", message="two")) == "Echo: two"


def test_a_killed_server_elsewhere_is_used_again_when_it_is_back(bridge: Bridge) -> None:
    port = free_port()
    listening(bridge, port)
    bridge.start(elsewhere(port))
    call = progress_of(bridge, 60)
    bridge.others[0].kill()
    bridge.others[0].wait()
    assert bridge.reply(call).outcome == "interrupted"
    assert bridge.call("e_echo", message="one").outcome == "unavailable"
    listening(bridge, port)
    assert text_of(bridge.until("ok", "e_echo", message="two")) == "Echo: two"


def children_of(pid: int) -> list[int]:
    return [int(found) for found in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.parametrize("way", ["stdio", "http"])
def test_a_kubernetes_server_without_a_cluster_answers_in_words(bridge: Bridge, tmp_path: Path, way: str) -> None:
    config = tmp_path / "kubeconfig"
    config.write_text(json.dumps(NO_CLUSTER))
    command = (npm.program("node"), npm.program("kubernetes-mcp-server"), "--kubeconfig", str(config))
    spec = ServerSpec(name="k", prefix="k_", transport="stdio", command=command)
    if way == "http":
        port = free_port()
        listening(bridge, port, *command, "--port", str(port))
        spec = ServerSpec(name="k", prefix="k_", transport="http", url=f"http://127.0.0.1:{port}/mcp")
    bridge.start(spec)
    assert {"k_pods_list", "k_namespaces_list"} <= bridge.names()
    reply = bridge.call("k_namespaces_list")
    assert reply.outcome == "error"
    assert "127.0.0.1:1" in text_of(reply)
