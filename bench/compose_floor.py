"""The containers of a run, started as the launcher starts them, that write one file each: the floor of ``compose``."""

from __future__ import annotations

import asyncio
import secrets
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from sympozium_cli.inputs import prepare
from sympozium_cli.launch.containers import ContainerPlatform
from sympozium_cli.launch.platform import Held
from sympozium_cli.launch.prepare import lay_out
from sympozium_cli.platforms import platform_of
from sympozium_cli.podfile import On, save
from sympozium_cli.rundir import RunDirectory
from sympozium_controller.flags import Flags
from sympozium_controller.render.compose import Service

ON = On("compose", "sympozium", "dev")


async def write_one_file_each(platform: ContainerPlatform, held: Held) -> None:
    own = {one.name: next(m for m in one.mounts if m.writable) for one in platform.project.services}
    async with platform.starter(held) as starter:
        await asyncio.gather(*(starter.start(name) for name in platform.programs))
        while not all((Path(mount.source) / "one").exists() for mount in own.values()):
            await asyncio.sleep(0.001)
        print("written", flush=True)


def writer(service: Service) -> tuple[str, ...]:
    """One file into its own volume, and nothing more."""
    target = next(mount.target for mount in service.mounts if mount.writable)
    return ("python3", "-c", f"open('{target}/one', 'w'); import time; time.sleep(60)")


def main() -> None:
    with tempfile.TemporaryDirectory() as place:
        run = RunDirectory(Path(place) / "run")
        flags, name = Flags(input="x", approve="none", policy="permissive"), f"floor-{secrets.token_hex(3)}"
        prepared = prepare((), flags, run_id=name, now="2026-01-01T00:00:00Z")
        platform = platform_of(prepared.saved.pod, run, prepared.spec, ON)
        assert isinstance(platform, ContainerPlatform)
        run.make()
        lock = run.lock()
        lay_out(run, prepared.spec, prepared.saved.pod.run, save(prepared.saved), platform)
        platform.settle()
        writing = tuple(replace(one, command=writer(one)) for one in platform.project.services)
        idle = replace(platform, project=replace(platform.project, services=writing))
        asyncio.run(write_one_file_each(idle, Held(run, prepared.values, lock)))


if __name__ == "__main__":
    sys.exit(main())
