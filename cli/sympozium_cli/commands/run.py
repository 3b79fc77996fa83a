"""``sympozium run``: here, or on a cluster."""

from __future__ import annotations

from typing import Final

import typer

from sympozium_cli.commands import kube as k, options as o
from sympozium_cli.commands.typed import files_of, flags_of, option, typed

_WHERE: Final = frozenset(
    {"on", "directory", "registry", "tag", "bus", "bus_token", "bus_ca", "bus_key"}
    | {"namespace", "kube_context", "kubeconfig"}
)
_SEEN: Final = frozenset({"text", "file", "approve", "dry_run", "output", "quiet"})
"""Options of any run: what is to be done, and how it is seen."""
_OF_A_CLUSTER: Final = _SEEN | {"on", "namespace", "kube_context", "kubeconfig", "bus_token"}


def run_command(
    context: typer.Context,
    text: o.Text = None,
    file: o.Files = None,
    instance: o.Instance = "",
    provider: o.Provider = "",
    model: o.Model = "",
    base_url: o.BaseUrl = "",
    script: o.Script = "",
    skill: o.Skill = None,
    memory: o.Memory = False,
    mcp: o.Mcp = None,
    policy: o.Policy = "",
    timeout: o.Timeout = "",
    max_steps: o.MaxSteps = None,
    max_tokens: o.MaxTokens = None,
    max_usd: o.MaxUsd = None,
    approve: o.ApproveOption = "ask",
    replay: o.Replay = "",
    directory: o.Place = None,
    dry_run: o.DryRun = False,
    on: o.RunWhere = "processes",
    registry: o.Registry = "sympozium",
    tag: o.Tag = "dev",
    bus: o.BusUrl = "",
    bus_token: o.BusToken = "",
    bus_ca: o.BusAuthorities = "",
    bus_key: o.BusKey = "",
    elsewhere: o.Elsewhere = None,
    namespace: k.RunNamespace = "",
    kube_context: k.RunContext = "",
    kubeconfig: k.RunKubeconfig = "",
    output: o.Output = "text",
    quiet: o.Quiet = False,
) -> int:
    """Run an agent on INPUT, or on the AgentRun in FILE.

    It runs as a pod of local processes, or of containers; what these cannot enforce is said by name. With --on cluster
    the objects of FILE are applied there and the run is a new AgentRun: of FILE, or of the instance named.
    """
    if on == "cluster":
        return _on_cluster(context)
    return _here(context)


def _on_cluster(context: typer.Context) -> int:
    from sympozium_cli.cluster.running import Wanted, run
    from sympozium_cli.cluster.there import There

    said = context.params
    token = said["bus_token"] if typed(context, "bus_token") else ""  # the environment's is for another bus
    return run(
        Wanted(
            there=There(said["kubeconfig"], said["kube_context"], said["namespace"], token),
            text=said["text"],
            files=files_of(said),
            flags=flags_of(said),
            output=said["output"],
            quiet=said["quiet"],
            dry_run=said["dry_run"],
            given=frozenset(option(name) for name in said if name not in _OF_A_CLUSTER and typed(context, name)),
        )
    )


def _here(context: typer.Context) -> int:
    from sympozium_cli.cluster.there import check_no_cluster

    said = context.params
    check_no_cluster(said["kubeconfig"], said["kube_context"], said["namespace"])
    from sympozium_cli.bus.named import bus_of
    from sympozium_cli.podfile import On
    from sympozium_cli.starting import Wanted, start

    return start(
        Wanted(
            text=said["text"],
            flags=flags_of(said),
            files=files_of(said),
            script=said["script"],
            replay=said["replay"],
            directory=said["directory"],
            output=said["output"],
            quiet=said["quiet"],
            dry_run=said["dry_run"],
            on=On(said["on"], said["registry"], said["tag"]) if said["on"] != "processes" else On(),
            bus=bus_of(said["bus"], said["bus_token"], said["bus_ca"], said["bus_key"]),
            plain=_given(context),
        )
    )


def _given(context: typer.Context) -> frozenset[str]:
    """The options that say what the run is, and were given."""
    named = (name for name in context.params if name not in _WHERE | _SEEN | {"replay"})
    return frozenset(option(name) for name in named if context.params[name] not in ("", None, [], (), False))
