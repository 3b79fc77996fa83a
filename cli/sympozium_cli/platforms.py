"""Where a run's programs are to run, as it was asked for, and what that place needs."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from urllib.parse import urlsplit

from sympozium_cli.launch.platform import Platform
from sympozium_cli.launch.processes import ProcessPlatform
from sympozium_cli.podfile import On
from sympozium_cli.rundir import RunDirectory, memory_directory
from sympozium_controller.pod import Pod
from sympozium_controller.render.processes import Roots, render
from sympozium_protocol.exits import Ended, Reason
from sympozium_protocol.messages.spec import RunSpec

IMAGE_USER = 1000
"""Whose the containers are when root starts them."""


def platform_of(pod: Pod, run: RunDirectory, spec: RunSpec, on: On) -> Platform:
    """Raises Ended when a program or an image is missing, or the place is not there or cannot do what is asked."""
    return _containers(pod, run, spec, on) if on.place == "compose" else _processes(pod, run, spec)


def _processes(pod: Pod, run: RunDirectory, spec: RunSpec) -> Platform:
    roots = Roots(run.path, memory_directory(spec.namespace, spec.agent))
    processes = render(pod, roots, Path(sys.executable).parent)
    for process in processes.programs:
        if not os.access(process.argv[0], os.X_OK):
            raise Ended(Reason.MissingReference, f"{process.argv[0]}: is not installed")
    return ProcessPlatform(processes)


def _containers(pod: Pod, run: RunDirectory, spec: RunSpec, on: On) -> Platform:
    from sympozium_cli.launch import secretfiles
    from sympozium_cli.launch.containers import ContainerPlatform
    from sympozium_cli.launch.engine import Engine
    from sympozium_controller.render import compose

    check_reachable(spec)
    owner = (os.getuid(), os.getgid()) if os.getuid() else (IMAGE_USER, IMAGE_USER)
    secrets = secretfiles.directory(pod.name)
    where = compose.OnHost(run.path, memory_directory(spec.namespace, spec.agent), secrets, "{}:{}".format(*owner))
    project = compose.render(pod, where, compose.Images(on.registry, on.tag))
    engine = Engine()
    engine.check_runtime(project.services[0].runtime)
    engine.check_images(service.image for service in project.services)
    return ContainerPlatform(project, engine, owner, secrets)


def check_reachable(spec: RunSpec) -> None:
    """A container's own loopback is not this machine's. Raises Ended (InvalidDocument)."""
    url = spec.model.base_url
    if url and urlsplit(url).hostname in ("localhost", "127.0.0.1", "::1"):
        why = "is the container itself there; this machine is host.docker.internal (give it as --base-url)"
        raise Ended(Reason.InvalidDocument, f"spec.provider.baseURL: {url}: {why}")
