"""Schedules of faults, found by searching: gate and server killed, the server paused, the network cut and frozen."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Literal, TypeAlias

from hypothesis import HealthCheck, given, settings, strategies as st

from tests.support.bus_pod import Outside, Pod, spec_of, until
from tests.support.nats import NatsServer
from tests.support.proxy import Between

Act: TypeAlias = Literal["read", "write", "kill gate", "kill server", "pause", "cut", "freeze", "lose answers", "mend"]
ACTS: tuple[Act, ...] = (
    "read", "write", "write", "kill gate", "kill server", "pause", "cut", "freeze", "lose answers", "mend",
)  # fmt: skip
_numbers = itertools.count(1)


class Play:
    """One run under a schedule. What the agent does waits for nothing but the verdict on what only reads."""

    def __init__(self, server: NatsServer, between: Between, path: Path) -> None:
        self.server = server
        self.between = between
        self.outside = Outside(server.url)
        spec = spec_of(f"r{next(_numbers)}")
        self.outside.begin(spec)
        self.pod = Pod(path, spec, between.url)
        self.calls: dict[str, bytes] = {}
        self.answered: set[str] = set()
        self.paused = self.dead = False

    def act(self, act: Act) -> None:
        do: dict[Act, Callable[[], None]] = {
            "read": lambda: self.call("look"),
            "write": lambda: self.call("change"),
            "kill gate": self.kill_gate,
            "kill server": self.kill_server,
            "pause": self.pause,
            "cut": self.between.cut,
            "freeze": self.between.freeze,
            "lose answers": lambda: self.between.freeze("client"),
            "mend": self.mend,
        }
        do[act]()
        self.answer()

    def call(self, tool: str) -> None:
        self.pod.message()
        call = f"{self.pod.seq}-1"
        self.calls[call] = self.pod.call(call, tool)
        if tool == "look":
            self.pod.verdict(call)

    def answer(self) -> None:
        """As a participant would: what is allowed, and has no answer."""
        for call, data in self.calls.items():
            if call not in self.answered and self.pod.has(f"bridge/verdicts/ops/{call}.json"):
                self.pod.reply(call, data)
                self.answered.add(call)

    def kill_gate(self) -> None:
        self.pod.kill()
        self.pod.start()

    def kill_server(self) -> None:
        self.server.kill()
        self.dead, self.paused = True, False

    def pause(self) -> None:
        if not self.dead:
            self.server.pause()
            self.paused = True

    def mend(self) -> None:
        if self.dead:
            self.server.start()
        elif self.paused:
            self.server.go_on()
        self.dead = self.paused = False
        self.between.heal()

    def finish(self) -> list[str]:
        """Everything mended: each call is answered in the end, and the paths are all that the run has."""
        self.mend()
        for call in self.calls:
            self.pod.verdict(call)
        self.answer()
        self.pod.message("the end")
        last = f"agent/transcript/{self.pod.seq}.json"
        until(lambda: last in self.paths(), f"the end is not in the stream: {self.pod.said()[-2000:]}")
        return self.paths()

    def paths(self) -> list[str]:
        return [found.path for found in self.outside.files(self.pod.run)]


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(st.lists(st.sampled_from(ACTS), min_size=4, max_size=12))
def test_whatever_fails_meanwhile_each_file_is_in_the_stream_once_and_whole(
    shared_nats: NatsServer, tmp_path_factory: object, acts: list[Act]
) -> None:
    path = tmp_path_factory.mktemp("run") / "ipc"  # type: ignore[attr-defined]
    Outside(shared_nats.url).make_stream()
    with Between(shared_nats.port) as between:
        play = Play(shared_nats, between, path)
        with play.pod:
            for act in acts:
                play.act(act)
            found = play.finish()
            files = {one.path: one.data for one in play.outside.files(play.pod.run)}
    assert len(found) == len(set(found))
    assert all(data == (path / name).read_bytes() for name, data in files.items())
    calls = [f"agent/calls/ops/{call}.json" for call in play.calls]
    for call in play.calls:
        seq = call.partition("-")[0]
        ordered = [f"agent/transcript/{seq}.json", f"agent/calls/ops/{call}.json", f"bridge/verdicts/ops/{call}.json"]
        assert [found.index(name) for name in ordered] == sorted(found.index(name) for name in ordered)
        assert f"ops/replies/{call}.json" in found
    assert len(found) == 1 + play.pod.seq + 3 * len(calls)
