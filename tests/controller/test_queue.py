"""Whose turn it is in a queue of the controller."""

from __future__ import annotations

import asyncio

from sympozium_controller.operator.queue import SOON_AT_MOST, Queue


async def in_order(queue: Queue[str], number: int) -> list[str]:
    """The keys that one worker looks at, as they come."""
    seen: list[str] = []
    done = asyncio.Event()

    async def look(key: str) -> None:
        seen.append(key)
        if len(seen) == number:
            done.set()

    work = asyncio.create_task(queue.run(look, 1))
    await done.wait()
    work.cancel()
    await asyncio.wait([work])
    return seen


def test_who_is_wanted_soon_goes_first_and_the_others_in_the_order_in_which_they_came() -> None:
    async def play() -> list[str]:
        queue: Queue[str] = Queue("runs")
        for key in ("a", "b"):
            queue.add(key)
        for key in ("x", "y", "a"):
            queue.add(key, soon=True)
        assert len(queue) == 4
        return await in_order(queue, 4)

    assert asyncio.run(play()) == ["x", "y", "a", "b"]


def test_however_many_are_wanted_soon_the_others_have_their_turns() -> None:
    async def play() -> list[str]:
        queue: Queue[str] = Queue("runs")
        for number in range(3 * SOON_AT_MOST):
            queue.add(f"soon-{number}", soon=True)
        for key in ("a", "b"):
            queue.add(key)
        return await in_order(queue, 3 * SOON_AT_MOST + 2)

    seen = asyncio.run(play())
    assert (seen.index("a"), seen.index("b")) == (SOON_AT_MOST, 2 * SOON_AT_MOST + 1)
