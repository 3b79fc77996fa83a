"""Programs that die, hang, fork and hide: the pod survives what it can, and nothing is ever left behind."""

from __future__ import annotations

import os
import signal

import pytest

WAITS_FOR = "wait(lambda: (DIR / 'go').exists())\nresult('ok')\n"
COUNTS = """
with open(DIR / f"lives-{NAME}", "a") as file:
    file.write("x")
"""


def lives(installation, name):
    path = installation.directory / f"lives-{name}"
    return len(path.read_text()) if path.exists() else 0


@pytest.mark.parametrize(("name", "program"), [("bridge", "bridge"), ("model", "model"), ("ops", "skill")])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_participant_that_dies_is_started_again(installation, until, name, program, number):
    installation.program(program, COUNTS + "idle()")
    installation.program(
        "agent",
        f"lives = DIR / 'lives-{name}'\nwait(lambda: lives.exists() and lives.read_text() == 'xx'); result('ok')",
    )
    process = installation.started()
    os.kill(installation.pid(name), number)
    stdout, stderr = process.communicate(timeout=30)
    assert (process.returncode, stdout) == (0, "ok\n"), stderr
    assert f"{name} was killed by {number.name}; started again" in stderr
    assert installation.left() == []


def test_an_agent_that_a_signal_killed_is_started_again(installation):
    installation.program(
        "agent", COUNTS + "if len((DIR / 'lives-agent').read_text()) < 3: os.kill(os.getpid(), 9)\nresult('ok')"
    )
    done = installation.run()
    assert (done.returncode, done.stdout) == (0, "ok\n"), done.stderr
    assert lives(installation, "agent") == 3


def test_an_agent_that_is_always_killed_has_crashed(installation):
    installation.program("agent", COUNTS + "os.kill(os.getpid(), 9)")
    assert installation.run().returncode == 63
    assert lives(installation, "agent") == 6


@pytest.mark.parametrize("code", [13, 14, 31, 64])
def test_a_configuration_that_cannot_work_ends_the_run_with_its_reason(installation, code):
    installation.program("agent", "idle()")
    installation.program(
        "skill", COUNTS + f"print(json.dumps({{'event': 'ended', 'message': 'field: why'}}))\nraise SystemExit({code})"
    )
    done = installation.run()
    assert done.returncode == code
    assert "field: why" in done.stderr
    assert lives(installation, "ops") == 1
    assert installation.left() == []


@pytest.mark.parametrize("name", ["skill", "bridge"])
def test_a_program_that_cannot_start_is_tried_three_times_and_its_last_words_and_log_are_named(installation, name):
    installation.program("agent", "idle()")
    installation.program(name, COUNTS + "raise SystemExit('no such thing')")
    done = installation.run()
    called = {"skill": "ops"}.get(name, name)
    assert done.returncode == {"skill": 30, "bridge": 62}[name], done.stderr
    assert lives(installation, called) == 3
    assert f"{called} ended with 1: no such thing ({installation.directory}/logs/{called}.log)" in done.stderr
    assert installation.left() == []


def test_a_participant_that_says_that_it_is_not_to_be_had_is_not_tried_again(installation):
    installation.program("agent", "idle()")
    installation.program("skill", COUNTS + "print('the far end is away'); raise SystemExit(30)")
    done = installation.run()
    assert done.returncode == 30
    assert lives(installation, "ops") == 1
    assert "the far end is away" in done.stderr


def test_programs_that_ignore_sigterm_are_killed(installation):
    installation.program("model", "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nwhile True: time.sleep(1)")
    assert installation.run().returncode == 0
    assert installation.left() == []


HIDES = """
def hide():
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            (DIR / f"hidden-{os.getpid()}").touch()
            while True: time.sleep(1)
        os._exit(0)
    os.wait()
"""


def test_a_daemon_that_a_program_left_behind_is_ended(installation):
    installation.program("skill", HIDES + "hide(); hide(); idle()")
    installation.program("agent", "wait(lambda: len(list(DIR.glob('hidden-*'))) > 1); result('ok')")
    assert installation.run().returncode == 0
    assert installation.left() == []


def test_what_a_killed_program_was_doing_does_not_go_on(installation, until):
    works = "if not list(DIR.glob('hidden-*')): hide()\nidle()"
    installation.program("skill", HIDES + works)
    installation.program("agent", WAITS_FOR)
    process = installation.started()
    hidden = until(lambda: list(installation.directory.glob("hidden-*")))[0]
    os.kill(installation.pid("ops"), signal.SIGKILL)
    pid = int(hidden.name.removeprefix("hidden-"))
    until(lambda: pid not in installation.left())
    assert process.poll() is None
    (installation.directory / "go").touch()
    assert process.communicate(timeout=30)[0] == "ok\n"


JOB = """
if os.fork() == 0:
    if os.fork() == 0:
        (DIR / "job").write_text(str(os.getpid()))
        while True: time.sleep(1)
    os._exit(0)
os.wait()
idle()
"""


def test_a_background_job_of_a_living_program_goes_on(installation, until):
    installation.program("skill", JOB)
    installation.program("model", COUNTS + "idle()")
    installation.program("agent", WAITS_FOR)
    process = installation.started()
    job_pid = int(
        until(lambda: (installation.directory / "job").exists() and (installation.directory / "job").read_text())
    )
    os.kill(installation.pid("model"), signal.SIGKILL)
    until(lambda: lives(installation, "model") == 2)
    assert job_pid in installation.left()
    (installation.directory / "go").touch()
    process.communicate(timeout=30)
    assert installation.left() == []


def test_a_killed_launcher_leaves_no_program(installation, until):
    installation.program("agent", "idle()")
    process = installation.started()
    for name in ("agent", "bridge", "model", "ops"):
        installation.pid(name)
    process.kill()
    process.communicate()
    until(lambda: installation.left() == [])
    installation.program("agent", "result('after all')")
    done = installation("resume", str(installation.directory))
    assert (done.returncode, done.stdout) == (0, "after all\n"), done.stderr


def test_sigterm_suspends_a_run_and_resume_goes_on(installation):
    installation.program("agent", "signal.signal(15, lambda *_: os._exit(51))\nidle()")
    process = installation.started()
    installation.pid("agent")
    process.terminate()
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == 51, stderr
    installation.program("agent", "result('resumed')")
    done = installation("resume", str(installation.directory))
    assert (done.returncode, done.stdout) == (0, "resumed\n"), done.stderr
    finished = installation("resume", str(installation.directory))
    assert finished.returncode == 19
    assert "has ended" in finished.stderr


def test_resume_refuses_while_a_program_of_the_run_is_there(installation):
    installation.program("agent", "idle()")
    process = installation.started()
    installation.pid("agent")
    assert installation("resume", str(installation.directory)).returncode == 18
    process.terminate()
    process.communicate(timeout=30)


CANCELS = """
(DIR / f"pid-{NAME}").write_text(str(os.getpid()))
wait(lambda: (IPC / "console/1.json").exists())
assert json.loads((IPC / "console/1.json").read_text())["kind"] == "Cancel"
result("", reason="Cancelled", phase="Cancelled")
raise SystemExit(50)
"""


def test_ctrl_c_cancels_cleanly(installation):
    installation.program("agent", CANCELS)
    process = installation.started()
    installation.pid("agent")
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == 50, stderr
    assert "Cancelled; the run is kept" in stderr


def test_a_second_ctrl_c_stops_at_once(installation, until):
    installation.program("agent", "signal.signal(15, signal.SIG_IGN)\nidle()")
    process = installation.started()
    installation.pid("agent")
    process.send_signal(signal.SIGINT)
    until(lambda: (installation.directory / "ipc/console/1.json").exists())
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 50
    assert installation.left() == []


def test_programs_have_no_terminal_and_no_standard_input(installation):
    installation.program("agent", "assert os.getsid(0) == os.getpid()\nassert sys.stdin.read() == ''\nresult('ok')")
    assert installation.run().returncode == 0
