"""A server that misbehaves costs its own tools: those of another go on being answered, and the run goes on."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from sympozium_protocol.exits import Reason
from sympozium_protocol.files import open_root
from sympozium_protocol.messages import BlobPart, Reply
from sympozium_protocol.messages.servers import ServerSpec
from sympozium_protocol.unready import unready
from tests.mcp.conftest import Bridge, free_port, text_of
from tests.support.ipc import wait_for


def fine(bridge: Bridge) -> None:
    """The server beside it answers."""
    assert text_of(bridge.call("a_echo", text="fine")) == "fine"


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


# -- the start ------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["hangs", "dies", "floods-garbage", "endless-line"])
def test_an_optional_server_that_cannot_start_holds_up_nobody(bridge: Bridge, fault: str) -> None:
    bridge.start(bridge.own("a"), bridge.raw(fault))
    assert not any(name.startswith("b_") for name in bridge.names())
    fine(bridge)
    if fault != "hangs":
        bridge.heard("server lost", server="b")
    fine(bridge)
    assert bridge.stop() == Reason.Suspended


def test_a_flood_on_standard_error_is_read_and_counted_and_keeps_nobody_from_answering(bridge: Bridge) -> None:
    bridge.start(bridge.own("a"), bridge.raw("floods-errors", required=True))
    assert text_of(bridge.call("b_echo", text="here")) == "here"
    fine(bridge)
    assert len(bridge.events("server says")) <= 100


def test_a_server_that_cannot_start_is_tried_again_with_growing_pauses(bridge: Bridge) -> None:
    bridge.start(bridge.raw("dies-twice"))
    bridge.offers("b_echo")
    lost = bridge.events("server lost")
    assert [event["why"] for event in lost] == ["it ended with code 3"] * 2
    assert 0.125 <= lost[0]["again_in"] <= 0.25 <= lost[1]["again_in"] <= 0.5
    assert text_of(bridge.call("b_echo", text="here")) == "here"


def test_the_reason_of_a_server_that_dies_is_its_code_and_its_last_words(bridge: Bridge) -> None:
    bridge.start(bridge.own("a"), bridge.raw("dies"))
    assert bridge.heard("server lost")["why"] == "it ended with code 3: cannot read the configuration"


def test_the_first_manifest_waits_for_the_required_server_however_slow_it_starts(bridge: Bridge) -> None:
    bridge.start(bridge.own("a", required=False), bridge.raw("slow-start", required=True), wait=False)
    bridge.heard("server ready", server="a")
    assert not bridge.has("mcp/tools/1.json")
    (bridge.marks / "begin").touch()
    assert "b_echo" in bridge.names()


def test_what_the_first_manifest_waits_for_is_said_until_it_is_there(bridge: Bridge) -> None:
    def waits(words: str) -> bool | None:
        with open_root(bridge.ipc).open(("mcp",)) as own:
            return words in unready(own) or None

    bridge.start(bridge.own("a"), bridge.raw("slow-start", required=True), wait=False)
    wait_for(lambda: waits("MCP server b: it has not answered yet"), "the reason")
    (bridge.marks / "begin").touch()
    bridge.manifest()
    wait_for(lambda: not bridge.has("mcp/unready") or None, "an end of the reason")


def test_an_optional_server_that_is_slow_comes_in_a_later_manifest(bridge: Bridge) -> None:
    bridge.start(bridge.own("a"), bridge.raw("slow-start"))
    assert "b_echo" not in bridge.names()
    (bridge.marks / "begin").touch()
    bridge.offers("b_echo")
    fine(bridge)


def test_a_required_server_that_cannot_be_started_ends_the_program_with_its_name_and_why(bridge: Bridge) -> None:
    bridge.start(bridge.own("a", command=("/nowhere/server",)), bridge.own("c"), wait=False)
    assert bridge.end() == Reason.ParticipantUnavailable
    (ended,) = bridge.events("ended")
    said = "MCP server a: /nowhere/server cannot be started: there is no file /nowhere/server where "
    assert ended["message"] == said + "the MCP bridge runs"
    assert not bridge.has("mcp/tools/1.json")


def test_a_required_server_that_never_comes_is_named_with_its_reason_before_the_agent_gives_up(bridge: Bridge) -> None:
    port = free_port()
    away = ServerSpec(name="b", prefix="b_", transport="http", url=f"http://127.0.0.1:{port}/mcp")
    bridge.start(bridge.own("a"), away, bridge.raw("hangs", "c", required=True), wait=False)
    assert bridge.end() == Reason.ParticipantUnavailable
    (ended,) = bridge.events("ended")
    reached = f"it cannot be reached: nothing listens at 127.0.0.1:{port} where the MCP bridge runs"
    assert ended["message"] == f"MCP server b: {reached}; MCP server c: it has not answered yet (waited 25 s)"


def test_a_required_server_that_ends_by_itself_three_times_before_a_word_is_not_waited_for(bridge: Bridge) -> None:
    bridge.start(bridge.raw("hangs", "c", required=True), bridge.raw("dies", required=True), wait=False)
    assert bridge.end() == Reason.ParticipantUnavailable
    (ended,) = bridge.events("ended")
    assert ended["message"] == "MCP server b: it ended with code 3: cannot read the configuration"
    assert len(bridge.events("server lost")) == 3


def test_a_program_that_is_nowhere_on_the_path_is_missed_where_the_bridge_runs(bridge: Bridge) -> None:
    bridge.start(bridge.own("a", command=("no-such-program-anywhere",)), wait=False)
    assert bridge.end() == Reason.ParticipantUnavailable
    said = "there is no program no-such-program-anywhere where the MCP bridge runs"
    assert bridge.events("ended")[0]["message"].endswith(f"no-such-program-anywhere cannot be started: {said}")


def test_a_program_whose_interpreter_is_missing_is_not_said_to_be_missing_itself(bridge: Bridge) -> None:
    program = bridge.base / "server"
    program.write_text("#!/nowhere/python\n")
    program.chmod(0o755)
    bridge.start(bridge.own("a", command=(str(program),)), wait=False)
    assert bridge.end() == Reason.ParticipantUnavailable
    assert "its interpreter is not where the MCP bridge runs" in bridge.events("ended")[0]["message"]


def test_a_server_that_dies_of_the_newer_handshake_is_met_with_the_older(bridge: Bridge) -> None:
    bridge.start(bridge.raw("dies-of-the-unknown", required=True))
    assert text_of(bridge.call("b_echo", text="old")) == "old"
    assert bridge.events("server ready")[0]["protocol"] == "2025-06-18"


# -- what it lists --------------------------------------------------------------------------------


def test_paging_is_followed(bridge: Bridge) -> None:
    bridge.start(bridge.raw("paged", required=True))
    assert bridge.names() == {"b_echo", "b_other"}


def test_a_list_whose_pages_never_end_is_cut(bridge: Bridge) -> None:
    bridge.start(bridge.own("a"), bridge.raw("endless-pages"))
    bridge.offers("b_p0")
    assert len([name for name in bridge.newest() if name.startswith("b_")]) == 200
    fine(bridge)


def test_a_cursor_that_comes_again_ends_the_list(bridge: Bridge) -> None:
    bridge.start(bridge.raw("same-cursor", required=True))
    assert bridge.names() == {"b_echo", "b_other"}


def test_a_flood_of_tools_is_cut_and_takes_no_room_from_others(bridge: Bridge) -> None:
    bridge.start(bridge.own("a"), bridge.raw("many-tools", required=True))
    names = bridge.names()
    assert {"a_echo", "b_echo"} <= names
    assert 100 < len([name for name in names if name.startswith("b_")]) < 300
    assert bridge.heard("tools left out", server="b")["tools"] > 600


def test_tools_whose_schemas_are_invalid_are_left_out_and_named(bridge: Bridge) -> None:
    bridge.start(bridge.raw("bad-schemas", required=True))
    assert bridge.names() == {"b_echo", "b_other"}
    assert {event["tool"] for event in bridge.events("tool left out")} == {"wrong-type", "refers-out"}


def test_a_tool_that_can_only_be_called_as_a_task_is_left_out(bridge: Bridge) -> None:
    bridge.start(bridge.raw("tasks-only", required=True, allow=("echo", "other", "thrid")))
    assert bridge.names() == {"b_echo"}
    assert "as a task" in bridge.heard("tool left out", tool="other")["why"]
    assert "none of this name" in bridge.heard("tool left out", tool="thrid")["why"]


def test_names_that_no_tool_may_have_are_made_valid(bridge: Bridge) -> None:
    bridge.start(bridge.raw("odd-names", required=True))
    assert len(bridge.names()) == 6
    name = next(name for name in bridge.names() if name.startswith("b_a_b_"))
    assert bridge.call(name).outcome == "ok"


def test_allow_and_deny_go_by_the_servers_own_names(bridge: Bridge) -> None:
    allowed = bridge.own("a", allow=("echo", "read_resource", "add"), deny=("add",))
    bridge.start(allowed, bridge.raw("none", deny=("other",), required=True))
    assert bridge.names() == {"a_echo", "a_read_resource", "b_echo"}


def test_a_list_that_cannot_be_read_again_leaves_the_tools_as_they_were(bridge: Bridge) -> None:
    bridge.start(bridge.raw("list-fails-later", required=True))
    assert bridge.call("b_echo", text="x").outcome == "ok"
    bridge.heard("list refused", server="b")
    assert bridge.newest() == {"b_echo", "b_other"}
    assert bridge.call("b_echo", text="x").outcome == "ok"


def test_a_server_that_says_for_ever_that_its_tools_changed_writes_no_manifests(bridge: Bridge) -> None:
    bridge.start(bridge.own("a"), bridge.raw("changes-for-ever", required=True))
    assert bridge.call("b_echo", text="x").outcome == "ok"
    fine(bridge)
    assert os.listdir(bridge.ipc / "mcp/tools") == ["1.json"]


# -- calls ----------------------------------------------------------------------------------------


def test_a_server_that_dies_in_a_call_leaves_it_interrupted_and_the_next_unavailable_until_it_is_back(
    bridge: Bridge,
) -> None:
    bridge.start(bridge.own("a"), bridge.own("b"))
    reply = bridge.call("b_die")
    assert reply.outcome == "interrupted"
    assert "may have taken effect" in text_of(reply)
    reply = bridge.call("b_echo", text="x")
    assert reply.outcome == "unavailable"
    assert not bridge.has(f"mcp/started/{reply.id}")
    fine(bridge)
    assert text_of(bridge.until("ok", "b_echo", text="back")) == "back"
    assert os.listdir(bridge.ipc / "mcp/tools") == ["1.json"], "its tools are offered all the time"


def test_a_server_that_is_killed_comes_back(bridge: Bridge) -> None:
    bridge.start(bridge.own("a"))
    pid = int((bridge.marks / "starts").read_text())
    os.kill(pid, signal.SIGKILL)
    assert bridge.heard("server lost", server="a")["why"] == "it was killed by signal 9"
    assert text_of(bridge.until("ok", "a_echo", text="back")) == "back"


def test_a_server_that_comes_back_is_asked_for_its_tools_again(bridge: Bridge) -> None:
    bridge.start(bridge.raw("grows-with-each-life", required=True))
    assert bridge.names() == {"b_echo", "b_other", "b_life1"}
    (server,) = servers_of(bridge)
    os.kill(server, signal.SIGKILL)
    bridge.offers("b_life2")
    assert bridge.newest() == {"b_echo", "b_other", "b_life2"}


def test_a_server_that_hangs_in_a_call_loses_it_at_its_deadline_and_is_told(bridge: Bridge) -> None:
    bridge.start(bridge.own("a"), bridge.raw("hangs-in-call", required=True))
    hanging = bridge.ask("b_echo", 0.5, text="x")
    fine(bridge)
    assert bridge.reply(hanging).outcome == "timeout"
    bridge.marked("cancelled")


def test_a_server_that_does_not_read_any_more_delays_nobody(bridge: Bridge) -> None:
    bridge.start(bridge.own("a"), bridge.raw("deaf", required=True))
    asked = [bridge.ask("b_echo", 1.0, text="x" * 100_000) for _ in range(4)]
    fine(bridge)
    assert {bridge.reply(call).outcome for call in asked} <= {"timeout", "interrupted"}
    assert bridge.heard("server lost", server="b")["why"] == "it did not read its input for 10 s"
    fine(bridge)


def test_an_answer_of_too_many_bytes_ends_the_connection_and_is_said(bridge: Bridge) -> None:
    bridge.start(bridge.own("a"), bridge.raw("long-line", required=True))
    assert bridge.call("b_echo", text="x").outcome == "interrupted"
    assert "more than 8 MiB" in bridge.heard("server lost", server="b")["why"]
    fine(bridge)
    bridge.until("interrupted", "b_echo", text="x")


def test_answers_that_come_twice_or_to_nobody_are_passed_over(bridge: Bridge) -> None:
    bridge.start(bridge.raw("repeats-ids", required=True))
    for number in range(5):
        assert text_of(bridge.call("b_echo", text=f"call {number}")) == f"call {number}"


def test_words_that_are_no_mcp_on_its_output_are_passed_over(bridge: Bridge) -> None:
    bridge.start(bridge.raw("garbage", required=True))
    assert text_of(bridge.call("b_echo", text="through")) == "through"


def test_a_flood_of_notifications_slows_its_own_server_alone(bridge: Bridge) -> None:
    bridge.start(bridge.own("a"), bridge.raw("floods-notifications", required=True))
    flooding = bridge.ask("b_echo", 2.0, text="x")
    for _ in range(20):
        fine(bridge)
    assert bridge.reply(flooding).outcome in ("ok", "timeout")


def test_a_flood_of_requests_whose_answers_are_not_read_delays_nobody(bridge: Bridge) -> None:
    bridge.start(bridge.own("a"), bridge.raw("floods-pings", required=True))
    flooding = bridge.ask("b_echo", 3.0, text="x")
    for _ in range(20):
        fine(bridge)
    assert bridge.reply(flooding).outcome in ("timeout", "interrupted")
    fine(bridge)


def test_a_flood_of_questions_is_declined_and_told_of_in_a_few_lines(bridge: Bridge) -> None:
    bridge.start(bridge.raw("floods-questions", required=True))
    assert text_of(bridge.call("b_echo", text="x")) == "x"
    assert 1 <= len(bridge.events("declined")) <= 40


def test_a_flood_of_progress_is_thinned(bridge: Bridge) -> None:
    bridge.start(bridge.own("a"), bridge.raw("floods-progress", required=True))
    call = bridge.ask("b_echo", 3.0, text="x")
    path = bridge.ipc / "mcp/progress" / call
    wait_for(lambda: (path.exists() and path.read_text().startswith("0\n1\n2\n")) or None, "progress")
    fine(bridge)
    assert len(path.read_text().splitlines()) <= 140
    assert bridge.reply(call).outcome == "timeout"


def test_an_answer_that_is_no_result_is_an_error_that_says_so(bridge: Bridge) -> None:
    bridge.start(bridge.raw("invalid-answer", required=True))
    reply = bridge.call("b_echo", text="x")
    assert reply.outcome == "error"
    assert "not valid MCP" in text_of(reply)


def test_the_patterns_of_an_output_schema_are_not_run(bridge: Bridge) -> None:
    bridge.start(bridge.raw("output-schema", required=True))
    assert bridge.call("b_echo", text="x").outcome == "ok"


# -- the end --------------------------------------------------------------------------------------


def test_sigterm_ends_a_server_that_ignores_it_within_2_s(bridge: Bridge) -> None:
    bridge.start(bridge.own("a"), bridge.raw("ignores-the-end", required=True))
    pids = servers_of(bridge)
    assert len(pids) == 2
    began = time.monotonic()
    assert bridge.stop() == Reason.Suspended
    assert time.monotonic() - began < 2.0
    wait_for(lambda: not any(alive(pid) for pid in pids) or None, "the end of its servers")


def test_servers_end_with_a_bridge_that_is_killed(bridge: Bridge) -> None:
    bridge.start(bridge.own("a"), bridge.raw("ignores-the-end", required=True))
    pids = servers_of(bridge)
    assert len(pids) == 2
    assert bridge.process is not None
    bridge.process.kill()
    wait_for(lambda: not any(alive(pid) for pid in pids) or None, "the end of its servers")


def servers_of(bridge: Bridge) -> list[int]:
    """The processes of its stdio servers."""
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit() and _bears(entry, bridge)]


def _bears(entry: Path, bridge: Bridge) -> bool:
    """Is it a server of this test?"""
    try:
        line = (entry / "cmdline").read_bytes()
    except OSError:
        return False
    return b"mcp_server.py" in line and str(bridge.marks).encode() in line


def test_a_call_that_a_killed_bridge_had_started_is_not_done_twice(bridge: Bridge) -> None:
    bridge.start(bridge.raw("hangs-in-call", required=True))
    call = bridge.ask("b_echo", text="x")
    bridge.marked("called")
    assert bridge.process is not None
    bridge.process.kill()
    bridge.process.wait()
    bridge.again(number=2)
    reply: Reply = bridge.reply(call)
    assert reply.outcome == "interrupted"
    assert (bridge.marks / "called").read_text() == "x"


def test_a_reply_with_many_parts_and_blobs_fits(bridge: Bridge) -> None:
    bridge.start(bridge.own("a"))
    reply = bridge.call("a_many", texts=200, characters=5000)
    assert reply.outcome == "ok"
    assert "left out" in text_of(reply)
    assert any(isinstance(part, BlobPart) for part in reply.content)
