"""The containers of one run, as the engine and as somebody inside them sees them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import docker
from docker.models.containers import Container

from sympozium_cli.launch.leftovers import DIRECTORY_LABEL
from sympozium_controller.render.compose import PROGRAM_LABEL


class Containers:
    """Found by the run's directory, so that runs of other tests do not matter."""

    def __init__(self, client: docker.DockerClient, directory: Path) -> None:
        self.client = client
        self._label = f"{DIRECTORY_LABEL}={directory}"

    def all(self, *further: str) -> list[Container]:
        labels = {"label": [self._label, *further]}
        return self.client.containers.list(all=True, filters=labels, ignore_removed=True)  # type: ignore[no-any-return]

    def networks(self) -> list[object]:
        return self.client.networks.list(filters={"label": self._label})  # type: ignore[no-any-return]

    def left(self) -> list[object]:
        """Everything that the engine still has of the run."""
        return [*self.all(), *self.networks()]

    def of(self, program: str) -> Container:
        [found] = self.all(f"{PROGRAM_LABEL}={program}")
        return found

    def python(self, program: str, code: str, *words: str) -> Any:
        """What ``found`` is after this code ran in the program's container, as the program's user: the attacker
        who has taken it over."""
        told = f"import json, os, sys\nfound = None\n{code}\nprint(json.dumps(found))"
        code_, output = self.of(program).exec_run(["python3", "-c", told, *words])
        assert code_ == 0, output.decode(errors="replace")
        return json.loads(output)

    def starts(self, program: str) -> str:
        """When it was started last; empty while it does not run."""
        state = self.of(program).attrs["State"]
        return str(state["StartedAt"]) if state["Running"] else ""


@contextmanager
def containers_of(directory: Path) -> Iterator[Containers]:
    client = docker.from_env()
    try:
        yield Containers(client, directory)
    finally:
        client.close()
