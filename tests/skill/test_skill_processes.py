"""Commands as real processes: what they are given, what comes back, and that nothing of them stays."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from sympozium_protocol.exits import Reason
from tests.skill.conftest import Make, gone, text_of
from tests.support.scratch import soon


def test_a_command_answers_with_its_output_exit_code_and_size(make: Make) -> None:
    reply = make([]).run("echo out; echo err >&2; exit 3")
    assert reply.outcome == "error"
    assert text_of(reply) == "out\nerr\n[exit code 3]"
    assert (reply.details["exitCode"], reply.details["outputBytes"]) == (3, 8)


def test_a_line_of_plain_words_is_started_without_a_shell(make: Make) -> None:
    reply = make([]).run("cat /proc/self/stat")
    assert reply.outcome == "ok"
    sidecar_child = text_of(reply).split()
    assert sidecar_child[1] == "(cat)"


@pytest.mark.parametrize("line", ["ps -o ppid= -p 1", "cat 'a b' \"c d\""])
def test_plain_words_keep_their_quoting(make: Make, line: str) -> None:
    ops = make([])
    (ops.workspace / "a b").write_text("1")
    (ops.workspace / "c d").write_text("2")
    reply = ops.run(line)
    assert reply.outcome == "ok"


def test_only_listed_programs_are_on_the_path_even_for_bash(make: Make) -> None:
    ops = make(["cat", "ls"])
    assert text_of(ops.run("ls; echo $PATH")).strip().startswith(str(ops.path / "tmp"))
    reply = ops.run("cat x | rm x")
    assert reply.outcome == "error"
    assert "rm is not one of this skill's programs; there are: cat, ls" in text_of(reply)


def test_a_listed_program_that_is_not_installed_is_said(make: Make) -> None:
    ops = make(["no-such-program"])
    for line in ("no-such-program x", "no-such-program x | no-such-program"):
        reply = ops.run(line)
        assert (reply.outcome, text_of(reply)) == (
            "error",
            "Not run: no-such-program is not installed where this skill runs.",
        )


def test_output_of_any_bytes_is_readable(make: Make) -> None:
    reply = make([]).run(r"printf 'a\xff\x00\xc3\xa9\n'")
    assert text_of(reply) == "a\\xff\x00é\n"


def test_long_output_shows_head_and_tail_and_keeps_the_whole(make: Make) -> None:
    ops = make([])
    reply = ops.run("seq 1 200000")
    whole = "".join(f"{n}\n" for n in range(1, 200001)).encode()
    text = text_of(reply)
    assert text.startswith("1\n2\n")
    assert text.endswith("199999\n200000\n")
    assert "bytes left out" in text
    assert len(text) < 25 * 1024
    assert ops.blob(reply) == whole
    assert reply.details["outputBytes"] == len(whole)


def test_output_without_end_stays_bounded(make: Make) -> None:
    ops = make([])
    reply = ops.run("head -c 40000000 /dev/zero | tr '\\0' x")
    assert reply.details["outputBytes"] == 40_000_000
    assert len(ops.blob(reply)) == 16 << 20


def test_output_comes_as_progress_while_the_command_runs(make: Make) -> None:
    ops = make([])
    ops.send("1-1", "echo begun; until [ -e go ]; do sleep 0.01; done; echo done")
    progress = ops.path / "ipc" / "ops" / "progress" / "1-1"
    soon(lambda: progress.exists() and progress.read_text() == "begun\n", "progress")
    (ops.workspace / "go").touch()
    assert text_of(ops.reply("1-1")) == "begun\ndone\n"
    assert not progress.exists()


def test_a_timeout_stops_the_command_and_keeps_what_it_wrote(make: Make) -> None:
    reply = make([]).run("trap '' TERM; echo begun; sleep 1000 & wait; sleep 1000", timeout=0.5)
    assert reply.outcome == "timeout"
    assert "begun" in text_of(reply)
    assert reply.details["exitCode"] == 128 + signal.SIGKILL


def test_a_shorter_timeout_among_the_arguments_is_heeded(make: Make) -> None:
    ops = make([])
    ops.ipc.send("1-1", ops.name, "execute_command", arguments={"command": "echo begun; sleep 1000", "timeout": 0.3})
    reply = ops.reply("1-1")
    assert (reply.outcome, text_of(reply)) == ("error", "begun\n[stopped: it did not end within 0.3 s]")


def test_term_lets_a_command_clean_up(make: Make) -> None:
    ops = make([])
    reply = ops.run("trap 'echo cleaned > cleaned; exit 1' TERM; echo begun; sleep 1000 & wait", timeout=0.5)
    assert reply.outcome == "timeout"
    assert ops.file("cleaned") == "cleaned\n"


@pytest.mark.parametrize(
    "escape",
    [
        "sleep 1000 & echo $! > pid",
        "setsid sleep 1000 & echo $! > pid",
        "setsid bash -c 'echo $$ > pid; exec sleep 1000' &",
        "(setsid bash -c '(setsid sleep 1000 & echo $! > pid)' &)",
        "env -i setsid bash -c 'echo $BASHPID > pid; exec sleep 1000' & until [ -s pid ]; do :; done",
        "trap '' TERM HUP; nohup setsid bash -c 'trap \"\" TERM; echo $$ > pid; while :; do sleep 1; done' & "
        "until [ -s pid ]; do :; done",
    ],
)
def test_nothing_that_a_command_started_outlives_it(make: Make, escape: str) -> None:
    ops = make([])
    reply = ops.run(f"{escape}\nuntil [ -s pid ]; do sleep 0.01; done; echo done")
    assert text_of(reply).endswith("done\n")
    assert gone(int(ops.file("pid")))
    assert not ops.living()


def test_a_background_child_that_holds_the_output_open_does_not_hold_the_call(make: Make) -> None:
    assert text_of(make([]).run("sleep 1000 & echo done")) == "done\n"


def test_a_small_fork_bomb_is_over_when_the_call_is(make: Make) -> None:
    ops = make([])
    reply = ops.run("f() { [ $1 -gt 0 ] && { f $(($1-1)) & f $(($1-1)) & }; sleep 1000; }; f 5 & sleep 0.3; echo done")
    assert text_of(reply) == "done\n"
    assert not ops.living()


def test_calls_side_by_side_do_not_end_each_other(make: Make) -> None:
    ops = make([])
    ops.send("1-1", "setsid sleep 1000 & echo begun > begun; until [ -e go ]; do sleep 0.01; done; echo one")
    ops.file("begun")
    assert text_of(ops.run("sleep 1000 & echo two")) == "two\n"
    assert ops.living()
    (ops.workspace / "go").touch()
    assert text_of(ops.reply("1-1")) == "one\n"
    assert not ops.living()


def test_withdrawn_after_the_start_stops_it(make: Make) -> None:
    ops = make([])
    ops.send("1-1", "echo begun > begun; sleep 1000")
    ops.file("begun")
    ops.ipc.withdraw("1-1", ops.name)
    assert ops.reply("1-1").outcome == "cancelled"
    assert not ops.living()


def test_withdrawn_before_the_start_never_runs(make: Make) -> None:
    ops = make([], start=False)
    ops.send("1-1", "touch effect")
    ops.ipc.withdraw("1-1", ops.name)
    ops.send("2-1", "echo second")
    ops.start()
    ops.reply("2-1")
    assert not (ops.workspace / "effect").exists()


def test_started_names_the_group_before_the_command_can_do_anything(make: Make) -> None:
    ops = make([])
    file = ops.path / "ipc" / "ops" / "started" / "1-1"
    ops.send("1-1", f"bash -c 'cat {file}; echo $$ $(ps -o pgid= -p $$)'")
    text = text_of(ops.reply("1-1"))
    started, _, ids = text.partition("\n")
    assert json.loads(started)["processGroup"] == int(ids.split()[1])


def test_sigterm_ends_commands_and_leaves_the_call_to_the_next_life(make: Make) -> None:
    ops = make([])
    ops.send("1-1", "trap '' TERM; setsid sleep 1000 & echo begun > begun; sleep 1000")
    ops.file("begun")
    assert ops.stop() == 51
    assert not ops.living()
    assert ops.ipc.reply("1-1", ops.name) is None
    assert not list((ops.path / "tmp").iterdir())


@pytest.mark.parametrize(("effect", "outcome", "runs"), [("write", "interrupted", 1), ("idempotent", "ok", 2)])
def test_after_a_crash_the_old_command_is_dead_before_anything_is_done_again(
    make: Make, effect: str, outcome: str, runs: int
) -> None:
    ops = make([], effects={"execute_command": effect})
    line = "echo $$ >> runs; [ $(wc -l < runs) -gt 1 ] && exit 0; setsid sleep 1000 & echo $! > runaway; sleep 1000"
    ops.send("1-1", line)
    runaway = int(ops.file("runaway"))
    ops.stop(signal.SIGKILL)
    soon(lambda: gone(int(ops.file("runs").split()[0])), "the end of the group, with its sidecar")
    ops.start()
    assert ops.reply("1-1").outcome == outcome
    assert gone(runaway)
    assert len(ops.file("runs").split()) == runs


def test_a_reused_group_number_is_left_alone(make: Make) -> None:
    ops = make([], start=False)
    bystander = os.posix_spawn("/bin/sleep", ["sleep", "1000"], {}, setpgroup=0)
    try:
        ops.send("1-1", "true")
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        started: dict[str, Any] = {"kind": "Started", "id": "1-1", "digest": "0" * 64, "bootId": boot}
        started |= {"processGroup": bystander, "processStart": 1}
        ops.ipc.put(json.dumps(started).encode(), "ops", "started", "1-1")
        ops.start()
        assert ops.reply("1-1").outcome == "interrupted"
        assert not gone(bystander)
    finally:
        os.kill(bystander, signal.SIGKILL)
        os.waitpid(bystander, 0)


def test_a_command_has_the_named_variables_and_no_settings(make: Make) -> None:
    env = {"TOKEN": "secret", "PARAM_X": "1", "OTHER": "no", "SYMPOZIUM_PASS": "TOKEN,PARAM_X SYMPOZIUM_IPC"}
    found = dict(line.split("=", 1) for line in text_of(make([], env=env).run("env")).splitlines())
    assert found["TOKEN"] == "secret"
    assert found["PARAM_X"] == "1"
    assert "OTHER" not in found
    assert [name for name in found if name.startswith("SYMPOZIUM_")] == ["SYMPOZIUM_CALL"]
    assert found["TERM"] == "dumb"


CONFIG = json.dumps({"apiVersion": "v1", "kind": "Config", "clusters": [{"name": "of-the-secret"}]})


def test_a_kubeconfig_is_a_file_for_commands_and_no_variable(make: Make) -> None:
    env = {"kubeconfig": CONFIG, "KUBECONFIG": "/the/developer's", "SYMPOZIUM_PASS": "TOKEN kubeconfig", "TOKEN": "t"}
    ops = make([], env=env)
    found = dict(line.split("=", 1) for line in text_of(ops.run("env")).splitlines())
    assert "kubeconfig" not in found
    assert found["TOKEN"] == "t"
    file = Path(found["KUBECONFIG"])
    assert file.read_text() == CONFIG
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    assert text_of(ops.run('cat "$KUBECONFIG"')) == CONFIG
    ops.stop()
    assert not file.exists()


def test_no_program_can_be_put_beside_the_kubeconfig_on_the_path(make: Make) -> None:
    ops = make(["printenv"], env={"kubeconfig": CONFIG, "SYMPOZIUM_PASS": "kubeconfig"})
    path, file = (Path(text_of(ops.run(f"printenv {name}")).strip()) for name in ("PATH", "KUBECONFIG"))
    assert [one.name for one in path.iterdir()] == ["printenv"]
    assert path not in file.parents


def test_a_kubeconfig_that_was_not_passed_to_the_skill_is_nobodys(make: Make) -> None:
    env = {"kubeconfig": CONFIG, "KUBECONFIG": "/the/developer's"}
    found = dict(line.split("=", 1) for line in text_of(make([], env=env).run("env")).splitlines())
    assert found["KUBECONFIG"] == "/the/developer's"
    assert "kubeconfig" not in found


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("", "is empty"),
        (" \n", "is empty"),
        ("kind: Config\ntoken: &sesame [\n", "is no YAML (line 3)"),
        ("kind: Config\n---\nkind: sesame\n", "is no YAML (line 2)"),
        ("sesame: *nowhere", "is no YAML (line 1)"),
        ("[" * 20_000, "is nested too deeply"),
        ("sesame", "is no kubeconfig: its kind must be Config"),
        ("[sesame]", "is no kubeconfig: its kind must be Config"),
        ("kind: [sesame]", "is no kubeconfig: its kind must be Config"),
        ("kind: Secret\ndata: sesame", "is no kubeconfig: its kind must be Config"),
    ],
)
def test_what_is_no_kubeconfig_ends_the_skill_with_words_that_quote_nothing_of_it(
    make: Make, content: str, why: str
) -> None:
    ops = make([], env={"kubeconfig": content, "SYMPOZIUM_PASS": "kubeconfig"})
    assert ops.process is not None
    _, errors = ops.process.communicate(timeout=30)
    assert ops.process.returncode == Reason.InvalidDocument
    [last] = errors.decode().splitlines()
    assert json.loads(last)["message"] == f"the key kubeconfig of this skill's Secret: {why}"
    assert list((ops.path / "tmp").iterdir()) == []


def test_the_workdir_is_within_the_workspace_links_resolved(make: Make) -> None:
    ops = make([])
    (ops.workspace / "sub").mkdir()
    (ops.workspace / "inward").symlink_to("sub")
    (ops.workspace / "outward").symlink_to("/usr")
    assert text_of(ops.run("pwd")).strip() == str(ops.workspace)
    for inside in ("sub", "inward", str(ops.workspace / "sub")):
        assert text_of(ops.run("pwd", workdir=inside)).strip() == str(ops.workspace / "sub")
    for outside in ("outward", "..", "/", "sub/../.."):
        reply = ops.run("pwd", workdir=outside)
        assert (reply.outcome, text_of(reply)) == ("error", f"Not run: workdir: {outside} is outside the workspace.")
    assert "no such file" in text_of(ops.run("pwd", workdir="nowhere"))


def test_standard_input_is_empty(make: Make) -> None:
    assert text_of(make([]).run("cat")) == "(no output)"


def test_a_declared_tool_is_started_without_a_shell(make: Make) -> None:
    tool: dict[str, object] = {
        "name": "show",
        "parameters": {
            "type": "object",
            "properties": {"words": {"type": "array", "items": {"type": "string"}}, "sep": {"type": "string"}},
        },
        "argv": ["printf", "%s|", "--sep={sep}", "{words}"],
        "effect": "read",
    }
    ops = make(tools=[tool])
    assert text_of(ops.call("show", words=["a b", "$(id)", ";ls"], sep="x")) == "--sep=x|a b|$(id)|;ls|"
    assert text_of(ops.call("show", words=[])) == "|"
    refused = ops.call("show", words=["-n"])
    assert (refused.outcome, text_of(refused)) == (
        "error",
        "Not run: words: must not begin with '-': it would be taken for an option.",
    )


def test_a_declared_tools_standard_input_is_its_template(make: Make) -> None:
    properties = {"text": {"type": "string"}}
    tool: dict[str, object] = {
        "name": "count",
        "parameters": {"type": "object", "properties": properties},
        "argv": ["wc", "-c"],
        "stdin": "<{text}>",
    }
    assert text_of(make(tools=[tool]).call("count", text="x" * 200_000)).strip() == "200002"
