"""Attending a run of a cluster from a terminal: who is asked, what is said, and what is tidied up at the end."""

from __future__ import annotations

import asyncio
import gc
import importlib
import io
import os
import pty
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sympozium_cli.cluster import attending
from sympozium_cli.cluster.attending import Attendance, Wishes
from sympozium_cli.cluster.ending import put_off
from sympozium_cli.cluster.reaching import known
from sympozium_cli.cluster.there import There
from sympozium_cli.cluster.watching import Window
from sympozium_cli.terminal import Terminal
from sympozium_cli.view.ask import AtTerminal
from sympozium_cli.view.events import Asked, Event, Judged
from sympozium_cli.view.live import Live
from sympozium_cli.view.present import Presenter
from sympozium_cli.view.wait import Elsewhere
from sympozium_protocol.exits import Ended, Reason
from sympozium_protocol.files import digest
from sympozium_protocol.kube.attested import attest
from sympozium_protocol.kube.client import Client
from sympozium_protocol.kube.login import login
from sympozium_protocol.messages.calls import Question, Verdict
from tests.support.canned import Canned, canned
from tests.support.ipc import NOW

API = "/apis/sympozium.ai/v1alpha1/namespaces/payments/agentruns/careful-1"
ACCESS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
WHO = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
AUTHORITIES = "/api/v1/namespaces/sympozium-system/configmaps/sympozium-bus-ca"
RUN = {
    "metadata": {"name": "careful-1", "namespace": "payments"},
    "status": {"phase": "Running", "run": "careful-1-0", "startTime": NOW},
}


def question(call: str) -> Question:
    return Question(
        id=call,
        participant="ops",
        tool="execute_command",
        arguments={"command": f"touch /srv/{call}"},
        effect="write",
        digest="a" * 64,
        reason="policy default asks",
        time=NOW,
        expires=NOW,
    )


def withdrawn(call: str) -> Verdict:
    why = "the call was withdrawn before it was answered"
    return Verdict(id=call, participant="ops", decision="deny", digest="a" * 64, by="gate", reason=why, time=NOW)


def command(verb: str, call: str) -> str:
    return f"sympozium {verb} careful-1 {call} --on cluster -n payments"


# -- the end --------------------------------------------------------------------------------------------------


def test_the_view_has_tidied_up_before_a_command_that_is_told_to_go_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []

    async def states(*_: object) -> AsyncIterator[dict[str, Any]]:
        yield RUN
        await asyncio.Event().wait()

    async def show(window: Window, api: object, found: object) -> None:
        asyncio.get_running_loop().call_later(0.1, os.kill, os.getpid(), signal.SIGTERM)
        try:
            await asyncio.Event().wait()
        finally:
            await slow_server()
            order.append("taken back")

    async def slow_server() -> None:
        """Takes longer than somebody who is impatient waits before saying again that this is to end."""
        answered = asyncio.Event()
        asyncio.get_running_loop().call_later(0.5, answered.set)
        await answered.wait()

    async def found(*_: object, **__: object) -> object:
        return object()

    async def attend() -> None:
        wishes = Wishes("wait", "text", quiet=False)
        api: Any = object()
        with pytest.raises(Ended, match="the run goes on") as told:
            await Attendance(api, There(), "careful-1", "payments", wishes, Terminal(io.StringIO())).run()
        order.append("closed")
        assert told.value.reason is Reason.Suspended

    monkeypatch.setattr(attending, "states", states)
    monkeypatch.setattr(attending, "known", found)
    monkeypatch.setattr(Window, "show", show)
    asyncio.run(asyncio.wait_for(attend(), 30))
    assert order == ["taken back", "closed"]


def finished(phase: str, reason: str, text: str) -> dict[str, Any]:
    """The run when it is over: with this answer, or why it has none."""
    said = {"output": text, "outputDigest": digest(text.encode())} if phase == "Succeeded" else {"message": text}
    metadata = {**RUN["metadata"], "creationTimestamp": NOW}
    return {"metadata": metadata, "status": {**RUN["status"], "phase": phase, "reason": reason, **said}}


def attended(monkeypatch: pytest.MonkeyPatch, end: dict[str, Any], seen: str, *, quiet: bool = False) -> str:
    """What stands on standard error of a person who saw ``seen`` and then the end."""

    async def states(*_: object) -> AsyncIterator[dict[str, Any]]:
        yield RUN
        yield end

    async def show(window: Window, api: object, found: object) -> None:
        window._presenter.last_turn = seen

    async def found(*_: object, **__: object) -> object:
        return object()

    terminal = io.StringIO()

    async def attend() -> None:
        api: Any = object()
        wishes = Wishes("wait", "text", quiet)
        await Attendance(api, There(), "careful-1", "payments", wishes, Terminal(terminal)).run()

    monkeypatch.setattr(attending, "states", states)
    monkeypatch.setattr(attending, "known", found)
    monkeypatch.setattr(Window, "show", show)
    asyncio.run(asyncio.wait_for(attend(), 30))
    return terminal.getvalue()


def test_why_a_run_was_cancelled_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    said = attended(monkeypatch, finished("Cancelled", "Cancelled", "cancelled by admin"), "")

    assert said.count("cancelled by admin") == 1
    assert "error: Cancelled: cancelled by admin\n" in said


@pytest.mark.parametrize(
    ("seen", "one_screen", "quiet", "printed"),
    [
        ("It is done.", True, False, ""),
        ("It is done.", False, False, "It is done.\n"),
        ("It is done.", True, True, "It is done.\n"),
        ("I look.", True, False, "It is done.\n"),
    ],
)
def test_an_answer_that_a_person_has_just_read_is_not_printed_on_the_same_screen_again(
    monkeypatch: pytest.MonkeyPatch,
    capfdbinary: pytest.CaptureFixture[bytes],
    seen: str,
    one_screen: bool,
    quiet: bool,
    printed: str,
) -> None:
    monkeypatch.setattr(attending, "one_screen", lambda: one_screen)

    attended(monkeypatch, finished("Succeeded", "Completed", "It is done."), seen, quiet=quiet)

    assert capfdbinary.readouterr().out.decode() == printed


def test_a_run_that_goes_on_without_its_command_is_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    program = importlib.import_module("sympozium_cli.__main__")
    gc.enable()  # a program begins without its collector

    assert program._failed(Ended(Reason.Suspended, "the run goes on; see it with: …")) == Reason.Suspended
    assert program._failed(Ended(Reason.RunNotFound, "one: is no run")) == Reason.RunNotFound
    assert capsys.readouterr().err == "the run goes on; see it with: …\nerror: one: is no run\n"


def test_who_is_told_to_go_while_the_server_writes_down_who_asks_leaves_no_request() -> None:
    class Slow:
        """An API server that has taken the request and not answered yet."""

        def __init__(self) -> None:
            self.there: set[str] = set()
            self.taken, self.answer = asyncio.Event(), asyncio.Event()

        async def create(self, _: object, body: dict[str, Any]) -> dict[str, Any]:
            self.there.add(body["metadata"]["name"])
            self.taken.set()
            await self.answer.wait()
            return body

        async def delete(self, _: object, name: str) -> None:
            self.there.remove(name)

    async def leave() -> set[str]:
        server: Any = Slow()
        asking = asyncio.create_task(attest(server))
        await server.taken.wait()
        asking.cancel()
        await asyncio.sleep(0)
        server.answer.set()
        with pytest.raises(asyncio.CancelledError):
            await asking
        return set(server.there)

    assert asyncio.run(asyncio.wait_for(leave(), 30)) == set()


REACHING = """
import os, signal
from types import SimpleNamespace
from sympozium_cli.cluster import reaching
from sympozium_cli.cluster.there import There

def at_once(there, work):
    asked.append(work)
    if len(asked) == 1:
        return SimpleNamespace(attested="csr.secret", login=None)
    print("taken back", flush=True)

def told_to_end(*_):
    os.kill(os.getpid(), signal.SIGTERM)

asked = []
reaching.at_once, reaching.forwarding = at_once, told_to_end
with reaching.reached(There(), "careful-1", "get"):
    print("reached")
"""


def test_a_command_that_is_told_to_end_before_it_has_reached_the_bus_takes_back_what_it_showed() -> None:
    done = subprocess.run([sys.executable, "-c", REACHING], capture_output=True, text=True, check=False, timeout=60)

    assert (done.returncode, done.stdout) == (128 + signal.SIGTERM, "taken back\n"), done.stderr


# -- a run whose pod has ended before it ----------------------------------------------------------------------


def test_a_run_that_waits_without_a_pod_goes_on_by_an_answer_and_not_by_resume() -> None:
    said = put_off(["4-1", "5-1"], command)

    assert said == (
        "its pod has ended; an answer begins its next one: sympozium approve careful-1 4-1 --on cluster -n payments"
    )
    assert "the cluster begins its next one" in put_off([], command)


# -- who may not answer ---------------------------------------------------------------------------------------


@pytest.fixture
def server() -> Iterator[Canned]:
    """An API server for which alice may see the run, but not answer for it."""
    answers = {
        API: RUN,
        ACCESS: {"status": {"allowed": False}},
        WHO: {"status": {"userInfo": {"username": "alice"}}},
        AUTHORITIES: {"data": {"ca.crt": "certificates"}},
    }
    with canned(answers) as found:
        yield found


def kubeconfig(server: Canned, folder: Path) -> Path:
    path = folder / "config"
    path.write_text(
        "{apiVersion: v1, kind: Config, current-context: c,"
        " contexts: [{name: c, context: {cluster: c, user: u, namespace: payments}}],"
        f" clusters: [{{name: c, cluster: {{server: '{server.url}'}}}}],"
        " users: [{name: u, user: {token: hers}}]}"
    )
    return path


@pytest.mark.parametrize(("also", "asked"), [("approve", 1), ("", 0)])
def test_whether_this_person_may_answer_is_asked_once_and_no_fault(
    server: Canned, tmp_path: Path, also: str, asked: int
) -> None:
    async def look() -> str:
        async with Client(await login(str(kubeconfig(server, tmp_path)))) as api:
            return (await known(api, There(), "careful-1", "payments", also=also)).refused

    why = asyncio.run(look())
    assert sum(ACCESS in one for one in server.asked) == asked
    assert ("alice may not answer for this run: it takes the verb approve" in why) == bool(asked)


def test_who_may_not_answer_is_shown_the_question_and_that_it_is_somebody_else_s() -> None:
    seen = io.StringIO()
    Elsewhere(Terminal(seen), command, "careful-1: alice may not answer for this run").ask(question("4-1"))

    assert "touch /srv/4-1" in seen.getvalue()
    assert "somebody else must answer: careful-1: alice may not answer for this run\n" in seen.getvalue()
    assert command("approve", "4-1") in seen.getvalue()


def test_a_window_of_somebody_who_may_not_answer_has_no_prompt() -> None:
    window = Window("ask", Terminal(io.StringIO()), command, lambda _: None)
    voice: Any = SimpleNamespace()

    assert isinstance(window._answerer(voice, "alice may not"), Elsewhere)


# -- what is withdrawn ----------------------------------------------------------------------------------------


class Told:
    """Events that come one look at a time."""

    def __init__(self, *looks: list[Event]) -> None:
        self.looks = list(looks)

    def watch(self, _: object) -> None:
        """Nothing to watch."""

    def new(self, **_: object) -> list[Event]:
        return self.looks.pop(0) if self.looks else []


@pytest.fixture
def typing() -> Iterator[int]:
    master, slave = pty.openpty()
    yield slave
    os.close(master)
    os.close(slave)


def seen_of(typing: int, *looks: list[Event], withdraw_after: int = -1) -> str:
    """What stands on the terminal after these looks."""
    seen = io.StringIO()

    async def look() -> None:
        terminal = Terminal(seen)
        voice: Any = SimpleNamespace()
        events: Any = Told(*looks)
        live = Live(events, Presenter(terminal), AtTerminal(voice, terminal, typing))
        for number in range(len(looks)):
            live._look()
            if number == withdraw_after:
                live.withdraw()
        live.over()
        await live.follow()

    asyncio.run(look())
    return seen.getvalue()


ASKED: list[Event] = [Asked(question("4-1")), Asked(question("4-2"))]
GONE: list[Event] = [Judged(withdrawn("4-1"), asked=True), Judged(withdrawn("4-2"), asked=True)]


def test_a_question_whose_verdict_has_come_with_another_s_is_not_asked(typing: int) -> None:
    seen = seen_of(typing, ASKED, GONE)

    assert "Allow 4-1?" in seen
    assert "Allow 4-2?" not in seen


def test_a_question_that_comes_with_its_verdict_is_not_asked(typing: int) -> None:
    assert "Allow" not in seen_of(typing, [ASKED[0], GONE[0]])


def test_nobody_is_asked_any_more_by_a_run_that_is_being_cancelled(typing: int) -> None:
    seen = seen_of(typing, ASKED, [GONE[0]], [Asked(question("5-1"))], withdraw_after=0)

    assert "Allow 4-1?" in seen
    assert "Allow 4-2?" not in seen
    assert "Allow 5-1?" not in seen
