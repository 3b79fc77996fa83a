"""Calls of a real server's tools, resources and prompts, over both transports and every revision that is spoken."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from sympozium_protocol.messages import BlobPart, TextPart
from tests.mcp.conftest import Bridge, text_of
from tests.support.ipc import wait_for

WAYS = [f"{way} {revision}" for way in ("stdio", "http") for revision in ("2025-06-18", "2025-11-25", "2026-07-28")]


@pytest.fixture(scope="module", params=WAYS)
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bridge]:
    way, revision = request.param.split()
    found = Bridge(tmp_path_factory.mktemp("world"))
    make = found.own if way == "stdio" else found.http
    found.start(make("a", "--revision", revision, elicitation="defaults"))
    yield found
    found.close()


@pytest.fixture
def revision(request: pytest.FixtureRequest) -> str:
    return str(request.node.callspec.params["world"]).split()[1]


def test_the_revision_that_the_server_knows_is_spoken(world: Bridge, revision: str) -> None:
    assert world.events("server ready")[0]["protocol"] == revision


def test_tools_are_offered_under_the_prefix_with_their_schemas_whole(world: Bridge) -> None:
    tools = {tool.name: tool for tool in world.manifest().tools}
    assert all(name.startswith("a_") for name in tools)
    assert tools["a_add"].parameters["properties"] == {
        "a": {"title": "A", "type": "integer"},
        "b": {"title": "B", "type": "integer"},
    }
    assert tools["a_add"].parameters["required"] == ["a", "b"]
    assert tools["a_echo"].description == "Says what it is told."


def test_text_comes_back_once_though_the_server_says_it_as_structure_too(world: Bridge) -> None:
    reply = world.call("a_echo", text="hello")
    assert (reply.outcome, text_of(reply)) == ("ok", "hello")
    assert reply.details == {"structuredContent": {"result": "hello"}}


def test_structure_that_no_text_says_becomes_text(world: Bridge) -> None:
    reply = world.call("a_mixed")
    lines = text_of(reply).splitlines()
    assert lines[0] == "see here"
    assert json.loads(lines[-1]) == {"count": 3}
    assert reply.details["structuredContent"] == {"count": 3}


def test_embedded_resources_and_links_are_text_that_names_them(world: Bridge) -> None:
    text = text_of(world.call("a_mixed"))
    assert "[resource note://one]\ninside" in text
    assert "[resource file:///var/log/x: log, text/plain]" in text


def test_a_picture_is_a_blob_with_its_type_and_a_note(world: Bridge) -> None:
    (part,) = world.call("a_picture").content
    assert isinstance(part, BlobPart)
    assert (part.media_type, part.note) == ("image/png", "an image")
    assert world.blob(part.digest).startswith(b"\x89PNG")


def test_a_text_that_is_too_large_for_a_reply_is_kept_whole_beside_its_head(world: Bridge) -> None:
    reply = world.call("a_large", characters=3_000_000)
    text, blob = reply.content
    assert isinstance(text, TextPart)
    assert text.text.startswith("xxxx")
    assert "the whole text has 3000000 bytes" in text.text
    assert len(text.text) < 100_000
    assert isinstance(blob, BlobPart)
    assert world.blob(blob.digest) == b"x" * 3_000_000


def test_an_error_of_a_tool_is_an_error_that_the_model_reads(world: Bridge) -> None:
    reply = world.call("a_fail")
    assert reply.outcome == "error"
    assert "fail" in text_of(reply)


def test_arguments_that_do_not_fit_never_reach_the_server(world: Bridge) -> None:
    reply = world.call("a_add", a="one", b=2)
    assert reply.outcome == "error"
    assert "not valid" in text_of(reply)


def test_resources_and_their_templates_are_listed_and_read(world: Bridge) -> None:
    listed = [json.loads(line) for line in text_of(world.call("a_list_resources")).splitlines()]
    assert listed[0]["uri"] == "data://pixel"
    assert listed[1]["uriTemplate"] == "note://{name}"
    assert text_of(world.call("a_read_resource", uri="note://milk")) == "note of milk"
    (part,) = world.call("a_read_resource", uri="data://pixel").content
    assert isinstance(part, BlobPart)
    assert part.media_type == "image/png"


def test_a_resource_that_is_not_there_is_an_error_and_no_more(world: Bridge) -> None:
    assert world.call("a_read_resource", uri="nothing://here").outcome == "error"
    assert world.call("a_echo", text="still there").outcome == "ok"


def test_prompts_are_listed_and_filled_in(world: Bridge) -> None:
    assert json.loads(text_of(world.call("a_list_prompts")))["name"] == "greet"
    reply = world.call("a_get_prompt", name="greet", arguments={"who": "you"})
    assert text_of(reply) == "user: Hello you!"


def test_a_withdrawn_call_is_cancelled_at_the_server(world: Bridge) -> None:
    for name in ("wait-began", "wait-cancelled"):
        (world.marks / name).unlink(missing_ok=True)
    call = world.ask("a_wait", seconds=60)
    world.marked("wait-began")
    world.withdraw(call)
    assert world.reply(call).outcome == "cancelled"
    world.marked("wait-cancelled")


def test_a_call_at_its_deadline_is_cancelled_at_the_server(world: Bridge) -> None:
    (world.marks / "wait-cancelled").unlink(missing_ok=True)
    assert world.call("a_wait", 0.4, seconds=60).outcome == "timeout"
    world.marked("wait-cancelled")


def test_calls_run_side_by_side(world: Bridge) -> None:
    slow = world.ask("a_wait", seconds=60)
    world.started(slow)
    assert world.call("a_echo", text="meanwhile").outcome == "ok"
    assert not world.has(f"mcp/replies/{slow}.json")
    world.withdraw(slow)
    world.reply(slow)


def test_progress_is_written_while_the_call_runs(world: Bridge) -> None:
    call = world.ask("a_pace", count=3)
    path = world.ipc / "mcp/progress" / call
    world.marked("pace-began")
    wait_for(lambda: (path.exists() and "3/3 step 3" in path.read_text()) or None, "progress")
    assert path.read_text().splitlines()[0] == "1/3 step 1"
    world.withdraw(call)
    world.reply(call)


def test_new_tools_are_offered_in_a_further_manifest(world: Bridge) -> None:
    assert world.call("a_grow", name="sprout").outcome == "ok"
    world.offers("a_sprout")
    assert text_of(world.call("a_sprout")) == "fresh"


def test_a_form_is_answered_with_its_defaults_where_the_run_says_so(world: Bridge) -> None:
    assert text_of(world.call("a_ask")) == "accept blue 4"


def test_a_form_without_defaults_is_declined(world: Bridge) -> None:
    assert "decline" in text_of(world.call("a_ask_name"))
    world.heard("declined", method="elicitation/create", server="a")


def test_sampling_is_declined(world: Bridge) -> None:
    assert world.call("a_sample").outcome == "error"
