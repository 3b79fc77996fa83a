"""The memory of an instance as a service: several runs at once on one file."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sympozium_memory.store import Memory
from sympozium_protocol.bus.documents import Turned
from sympozium_protocol.exits import Reason
from sympozium_protocol.messages import ParticipantSpec, RunSpec, ToolSpec
from tests.support.bus import Bridge, copies, died, go, words
from tests.support.ipc import run_spec
from tests.support.memory import EFFECTS
from tests.support.nats import NatsServer

PROGRAM = Path(sys.executable).with_name("sympozium-memory")
SERVICE = "memory-of-ops"


def spec_of(run: str, **changes: Any) -> RunSpec:
    tools = tuple(ToolSpec(name=name, effect=effect) for name, effect in EFFECTS.items())  # type: ignore[arg-type]
    lives = ParticipantSpec(name="memory", role="memory", tools=tools, placement="bus", service=SERVICE)
    return run_spec(run=run, participants=(lives,), **changes)


def memories(number: int, folder: Path, nats: NatsServer, *words: str, **environment: str) -> Any:
    file = folder / "memory.db"
    command = (PROGRAM, "serve", "--bus", "--service", SERVICE, "--file", file, *words)
    return copies(number, folder, nats.url, *command, **environment)


def test_what_one_run_stores_another_finds_while_both_go_on(nats_server: NatsServer, tmp_path: Path) -> None:
    url = nats_server.url

    async def both() -> None:
        async with (
            memories(1, tmp_path, nats_server),
            Bridge(url, spec_of("one", seeds=("the seed of all",))) as one,
            Bridge(url, spec_of("two")) as two,
        ):
            assert {tool.name for tool in (await one.manifest(SERVICE)).tools} == set(EFFECTS)
            await one.taken("1-1", "memory_store", "memory", content="orders-db fails over to zone b")
            assert "Remembered" in words(await one.reply("1-1", "memory"))
            await two.taken("1-1", "memory_search", "memory", query="where does orders-db fail over to")
            assert "zone b" in words(await two.reply("1-1", "memory"))
            stores = [(bridge, f"{n}-1") for n in range(2, 22) for bridge in (one, two)]
            await asyncio.gather(
                *(run.taken(call, "memory_store", "memory", content=f"{run.run.run} {call}") for run, call in stores)
            )
            for run, call in stores:
                assert (await run.reply(call, "memory")).outcome == "ok"

    go(both())
    with Memory.open(tmp_path / "memory.db") as memory:
        found = memory.list(limit=100)
        assert len(found) == 42
        assert {entry.count for entry in found} == {1}
        assert memory.list(run="one", limit=100) != memory.list(run="two", limit=100)


def test_a_store_that_was_done_by_a_copy_that_died_is_done_again_and_counted_once(
    nats_server: NatsServer, tmp_path: Path
) -> None:
    async def die() -> None:
        async with (
            memories(2, tmp_path, nats_server, SYMPOZIUM_FAILPOINT=f"before-reply@{tmp_path}/died") as found,
            Bridge(nats_server.url, spec_of("one")) as bridge,
        ):
            await bridge.taken("1-1", "memory_store", "memory", content="kept")
            await died(found)
            await bridge.taken("1-1", "memory_store", "memory", again=True, content="kept")
            assert (await bridge.reply("1-1", "memory")).outcome == "ok"

    go(die())
    with Memory.open(tmp_path / "memory.db") as memory:
        assert [(entry.content, entry.count) for entry in memory.list()] == [("kept", 1)]


def test_a_memory_serves_the_namespaces_that_it_is_told_to(nats_server: NatsServer, tmp_path: Path) -> None:
    async def ask() -> None:
        url = nats_server.url
        async with (
            memories(1, tmp_path, nats_server, "--namespace", "ours"),
            Bridge(url, spec_of("one", namespace="ours")) as ours,
            Bridge(url, spec_of("one", namespace="theirs")) as theirs,
        ):
            await ours.taken("1-1", "memory_list", "memory")
            assert (await ours.reply("1-1", "memory")).outcome == "ok"
            assert isinstance(await theirs.ask("1-1", "memory_list", "memory"), Turned)

    go(ask())


def test_a_bad_file_is_told_to_whoever_asks(nats_server: NatsServer, tmp_path: Path) -> None:
    (tmp_path / "memory.db").write_text("no database at all, but long enough to be taken for one" * 100)

    async def ask() -> None:
        async with memories(1, tmp_path, nats_server), Bridge(nats_server.url, spec_of("one")) as bridge:
            await bridge.taken("1-1", "memory_list", "memory")
            assert (await bridge.reply("1-1", "memory")).outcome == "error"

    go(ask())


def test_sigterm_ends_it(nats_server: NatsServer, tmp_path: Path) -> None:
    async def end() -> int:
        async with memories(1, tmp_path, nats_server) as (copy,), Bridge(nats_server.url, spec_of("one")) as bridge:
            await bridge.taken("1-1", "memory_store", "memory", content="kept")
            await bridge.reply("1-1", "memory")
            return await copy.end()

    assert go(end()) == Reason.Suspended


@pytest.mark.parametrize(
    "words", [["--bus"], ["--service", "m"], ["--namespace", "n"], ["--bus", "--service", "m", "--ipc", "/x"]]
)
def test_options_of_the_bus_go_together(words: list[str]) -> None:
    done = subprocess.run([PROGRAM, "serve", *words], env={}, capture_output=True, timeout=60, check=False)
    assert done.returncode == Reason.Usage
