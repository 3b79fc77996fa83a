"""Whose question the keeper answers next."""

from __future__ import annotations

import asyncio

import pytest

from sympozium_bus_auth import turns
from sympozium_bus_auth.turns import AT_ONCE, OF_A_HOST, Late, Turns

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Asked:
    """Questions that are in hand until ``answer`` is set."""

    def __init__(self) -> None:
        self.turns = Turns()
        self.answer = asyncio.Event()
        self.in_hand: list[str] = []
        self.late: list[str] = []

    async def ask(self, host: str) -> None:
        try:
            async with self.turns.turn(host):
                self.in_hand.append(host)
                await self.answer.wait()
        except Late:
            self.late.append(host)


async def until_idle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_one_host_takes_no_more_than_its_part_and_all_get_their_turn() -> None:
    asked = Asked()
    async with asyncio.TaskGroup() as tasks:
        for host in ("a",) * 100 + ("b",) * 3:
            tasks.create_task(asked.ask(host))
        await until_idle()
        assert asked.in_hand == ["a"] * OF_A_HOST + ["b"] * 3
        asked.answer.set()
    assert asked.in_hand.count("a") == 100
    assert asked.late == []


async def test_of_all_hosts_so_many_are_in_hand() -> None:
    asked = Asked()
    async with asyncio.TaskGroup() as tasks:
        for number in range(2 * AT_ONCE):
            tasks.create_task(asked.ask(str(number)))
        await until_idle()
        assert len(asked.in_hand) == AT_ONCE
        asked.answer.set()
    assert len(asked.in_hand) == 2 * AT_ONCE
    assert asked.turns._hosts == {}


async def test_who_has_waited_too_long_is_not_answered_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "WAITED", 0.01)
    asked = Asked()
    async with asyncio.TaskGroup() as tasks:
        waiting = [tasks.create_task(asked.ask("a")) for _ in range(OF_A_HOST + 2)]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.gather(*waiting[OF_A_HOST:])
        asked.answer.set()
    assert asked.late == ["a", "a"]
    assert len(asked.in_hand) == OF_A_HOST
    assert asked.turns._hosts == {}
