"""Waiting finds what comes with notification and without; aliveness is judged by the reader's own clock."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sympozium_protocol.files import CannotWrite, Directory, open_root
from sympozium_protocol.waiting import DEAD_AFTER, Pace, Pulse, Watch, stay_alive, until

WRITER = """
import sys
from sympozium_protocol.files import open_root
here = open_root(sys.argv[1])
for line in sys.stdin:
    here.write(line.strip(), b"x") if line.strip().endswith("json") else here.mark(line.strip())
"""


@pytest.mark.parametrize("enabled", [True, False])
def test_files_of_another_process_are_seen_with_inotify_and_without(tmp_path: Path, enabled: bool) -> None:
    async def main() -> bool:
        here = open_root(tmp_path)
        watch = Watch(enabled=enabled)
        watch.add(here, marks=True)
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path)], stdin=subprocess.PIPE, text=True
        ) as writer:
            assert writer.stdin is not None
            for name in ("1.json", "2-1", "3.json"):
                writer.stdin.write(f"{name}\n")
                writer.stdin.flush()
                await asyncio.wait_for(until(lambda name=name: here.has(name) or None, watch), 20)  # type: ignore[misc]
        watch.close()
        return watch.proven

    assert asyncio.run(main()) is enabled


def test_inotify_can_be_refused_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async def main() -> None:
        watch = Watch()
        watch.add(open_root(tmp_path))
        (tmp_path / "x").touch()
        await watch.wait(0)
        assert not watch.proven
        watch.close()

    monkeypatch.setenv("SYMPOZIUM_INOTIFY", "off")
    asyncio.run(main())


def test_a_pulse_wakes_everyone_who_waits_and_a_watch_closes_twice() -> None:
    async def main() -> None:
        watch = Watch()
        waiters = [asyncio.create_task(watch.wait(3600)) for _ in range(3)]
        await asyncio.sleep(0)
        watch.pulse()
        await asyncio.wait_for(asyncio.gather(*waiters), 20)
        cancelled = asyncio.create_task(watch.wait(3600))
        await asyncio.sleep(0)
        cancelled.cancel()
        await asyncio.gather(cancelled, return_exceptions=True)
        watch.pulse()
        watch.close()
        watch.close()

    asyncio.run(main())


def test_the_pace_slows_with_silence_and_never_beyond_a_second() -> None:
    clock = [0.0]

    async def main() -> list[float]:
        watch = Watch(enabled=False)
        pace = Pace(watch, lambda: clock[0])
        found = []
        for now in (0.0, 0.1, 1.0, 10.0, 1000.0):
            clock[0] = now
            found.append(pace.next())
        pace.active()
        found.append(pace.next())
        watch.proven = True
        clock[0] += 1.0
        found.append(pace.next())
        return found

    assert asyncio.run(main()) == pytest.approx([0.005, 0.005, 0.02, 0.2, 1.0, 0.005, 0.2])


def test_an_error_of_the_probe_is_the_waiters(tmp_path: Path) -> None:
    def probe() -> None:
        raise CannotWrite("x", "for a test")

    async def main() -> None:
        await until(probe, Watch(enabled=False))

    with pytest.raises(CannotWrite):
        asyncio.run(main())


@pytest.fixture
def here(tmp_path: Path) -> Directory:
    return open_root(tmp_path)


def test_a_program_is_dead_after_ten_seconds_of_our_watching(here: Directory) -> None:
    here.touch("alive")
    pulse = Pulse(here, 100.0)
    assert not pulse.dead(100.0 + DEAD_AFTER)
    assert pulse.dead(100.1 + DEAD_AFTER)


def test_a_touch_is_a_sign_of_life_whatever_time_it_claims(here: Directory, tmp_path: Path) -> None:
    here.touch("alive")
    pulse = Pulse(here, 0.0)
    for number, stamp in enumerate((1, 10**18, 5, 4 * 10**18), start=1):
        os.utime(tmp_path / "alive", ns=(stamp, stamp))
        assert not pulse.dead(number * 9.0)
    assert pulse.dead(4 * 9.0 + DEAD_AFTER + 0.1)
    here.touch("alive")
    assert not pulse.dead(60.0)


def test_one_that_was_never_alive_is_dead_after_the_same_time(here: Directory) -> None:
    pulse = Pulse(here, 0.0)
    assert not pulse.dead(9.0)
    assert pulse.dead(11.0)
    here.touch("alive")
    assert not pulse.dead(12.0)


def test_staying_alive_touches_and_says_when_it_cannot(here: Directory) -> None:
    async def main() -> None:
        task = asyncio.create_task(stay_alive(here))
        await asyncio.sleep(0)
        assert here.has("alive")
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(main())
    with open_root("/proc/self/fdinfo") as unwritable, pytest.raises(CannotWrite):
        asyncio.run(stay_alive(unwritable))


@pytest.mark.parametrize("enabled", [True, False])
def test_waiting_for_what_never_comes_costs_next_to_nothing(tmp_path: Path, enabled: bool) -> None:
    """Counted in looks, not in time: a silence of an hour is looked at about once a second."""
    clock = [0.0]
    looks = [0]

    async def main() -> None:
        watch = Watch(enabled=enabled)
        pace = Pace(watch, lambda: clock[0])
        while clock[0] < 3600:
            looks[0] += 1
            clock[0] += pace.next()
        watch.close()

    asyncio.run(main())
    assert looks[0] < 4200
