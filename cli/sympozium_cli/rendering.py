"""The files of ``sympozium render``. It knows every renderer, so a command imports it when it is called."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import yaml

from sympozium_cli import inputs
from sympozium_cli.platforms import check_reachable
from sympozium_cli.rundir import new_run_id
from sympozium_controller.flags import Flags
from sympozium_controller.outfit import secrets_of
from sympozium_controller.pod import Pod
from sympozium_controller.render import compose, composefile, kubernetes
from sympozium_controller.render.images import Images
from sympozium_protocol import clock
from sympozium_protocol.exits import Ended, Reason
from sympozium_protocol.ids import is_id
from sympozium_protocol.messages.spec import RunSpec


def _made(text: str | None, files: Sequence[str], script: str, flags: Flags, name: str) -> tuple[RunSpec, Pod]:
    """Raises Ended."""
    if name and not is_id(name):
        raise Ended(Reason.Usage, f"command line: --name: {name}: is no name: small letters, digits and dashes")
    now = time.time()
    flags = replace(flags, input=inputs.input_text(text), script=inputs.script(script) if script else None)
    run_id = name or new_run_id(now)
    _, spec, pod = inputs.made(files, flags, run_id=run_id, now=clock.utc(now), contained=True)
    check_reachable(spec)
    return spec, pod


def project_file(
    text: str | None, files: Sequence[str], script: str, flags: Flags, name: str, registry: str, tag: str
) -> str:
    """The compose file's text. Raises Ended."""
    spec, pod = _made(text, files, script, flags, name)
    project = compose.render(pod, compose.InEngine(spec.namespace, spec.agent), Images(registry, tag))
    head = [
        f"# sympozium render compose: run {spec.run}",
        "# docker compose up --exit-code-from agent; then docker compose down --volumes, which takes all of it away",
        "# (a memory too: it is a volume of the engine's own, not the one of sympozium memory). Not enforced here:",
    ]
    told = [f"# - {one.name}: {one.what}" for one in project.not_enforced]
    return "\n".join([*head, *told, composefile.text(project)])


@dataclass(frozen=True, slots=True)
class Cluster:
    """What is said about a cluster on the command line; ``bus_ca`` is a file."""

    account: str
    bus: str
    bus_ca: str
    registry: str
    tag: str
    pull_policy: str


BEYOND: Final = 120
"""Seconds that a Job has beyond the run's own timeout: to start, and to end."""


def cluster_file(text: str | None, files: Sequence[str], script: str, flags: Flags, name: str, cluster: Cluster) -> str:
    """The documents of a run as YAML. Raises Ended."""
    spec, pod = _made(text, files, script, flags, name)
    _check_secrets(pod)
    try:
        found = kubernetes.render(pod, _where(spec, cluster), Images(cluster.registry, cluster.tag))
    except kubernetes.TooLarge as fault:
        raise Ended(Reason.InvalidDocument, str(fault)) from None
    head = [
        f"# sympozium render kubernetes: run {spec.run}",
        f"# kubectl create -f FILE; kubectl logs -n {spec.namespace} -f job/{spec.run} -c agent; "
        f"kubectl delete job -n {spec.namespace} {spec.run}",
        "# Its ServiceAccount, Secrets and claims must be there. Not enforced here:",
    ]
    told = [f"# - {one.name}: {one.what}" for one in found.not_enforced]
    return "\n".join(
        [*head, *told, yaml.safe_dump_all(found.documents, sort_keys=False, allow_unicode=True, width=120)]
    )


def _check_secrets(pod: Pod) -> None:
    for secret in secrets_of(pod):
        if not secret.secret:
            why = "name a Secret of the run's namespace in spec.provider.apiKeySecret: a cluster has no environment"
            raise Ended(Reason.MissingKey, f"{secret.variable}: {why}")


def _where(spec: RunSpec, cluster: Cluster) -> kubernetes.InCluster:
    ca = inputs.read(Path(cluster.bus_ca)).decode("utf-8", "replace") if cluster.bus_ca else ""
    return kubernetes.InCluster(
        namespace=spec.namespace,
        job=spec.run,
        account=cluster.account,
        bus=kubernetes.Bus(cluster.bus, ca=ca) if cluster.bus else None,
        # whoever waits for a person is not at work: with a bus there is no end that is known
        deadline=0 if cluster.bus or not spec.limits.timeout else math.ceil(spec.limits.timeout) + BEYOND,
        pull_policy=cluster.pull_policy,
    )
