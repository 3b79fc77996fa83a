"""What runs have in the engine, known by its labels: containers and networks of launchers that were killed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sympozium_cli.launch import secretfiles
from sympozium_cli.launch.engine import Engine
from sympozium_cli.rundir import RunDirectory
from sympozium_controller.render.compose import RUN_LABEL

if TYPE_CHECKING:
    from docker import APIClient

DIRECTORY_LABEL: Final = "ai.sympozium.directory"
"""The run's directory on this machine: what has none was not started by this command."""


def labels(run: str, directory: Path) -> dict[str, str]:
    return {RUN_LABEL: run, DIRECTORY_LABEL: str(directory)}


def remove(engine: Engine, run: str) -> int:
    """Remove all that a run has in the engine; how many containers there were. Raises Ended."""
    wanted = [f"{RUN_LABEL}={run}", DIRECTORY_LABEL]
    found = engine.ask(lambda client: client.containers(all=True, filters={"label": wanted}))
    _each(engine, found, lambda client, identity: client.remove_container(identity, force=True, v=True))
    networks = engine.ask(lambda client: client.networks(filters={"label": wanted}))
    _each(engine, networks, lambda client, identity: client.remove_network(identity))
    return len(found)


def _each(engine: Engine, found: list[dict[str, Any]], removal: Callable[[APIClient, str], None]) -> None:
    """Side by side: each takes the engine a while, and most of it is waiting."""
    if found:
        with ThreadPoolExecutor(len(found)) as threads:
            list(threads.map(lambda one: engine.ask(lambda client: _gone(engine, client, one["Id"], removal)), found))


def _gone(engine: Engine, client: APIClient, identity: str, removal: Callable[[APIClient, str], None]) -> None:
    try:
        removal(client, identity)
    except Exception as error:  # the library has no one word for what is gone; all else goes on
        if not engine.gone(error):
            raise


def running(engine: Engine, run: RunDirectory) -> bool:
    """Does a container of this run still work, whoever started it? Raises Ended."""
    wanted = [f"{DIRECTORY_LABEL}={run.path}"]
    return bool(engine.ask(lambda client: client.containers(filters={"label": wanted})))


def abandoned(engine: Engine) -> Iterator[tuple[str, RunDirectory]]:
    """Runs that have something in the engine, and no launcher."""
    listed = engine.ask(
        lambda client: [
            *client.containers(all=True, filters={"label": [RUN_LABEL, DIRECTORY_LABEL]}),
            *client.networks(filters={"label": [RUN_LABEL, DIRECTORY_LABEL]}),
        ]
    )
    runs = {one["Labels"][RUN_LABEL]: one["Labels"][DIRECTORY_LABEL] for one in listed}
    for name, directory in sorted(runs.items()):
        run = RunDirectory(Path(directory))
        if not run.live():
            yield name, run


def prune(engine: Engine) -> list[str]:
    """Remove what launchers that were killed have left; the names of those runs. Raises Ended."""
    names = []
    for name, _ in abandoned(engine):
        remove(engine, name)
        secretfiles.remove(secretfiles.directory(name))
        names.append(name)
    return names
