"""``sympozium runs``: those of the past and present."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from sympozium_cli.commands import kube as k, options as o
from sympozium_cli.commands.objects import get_command
from sympozium_protocol.kube.resources import RUNS

runs = typer.Typer(help="Runs of the past and present.", no_args_is_help=True, rich_markup_mode=None)

ShowOutput = Annotated[
    Literal["text", "json"],
    typer.Option("--output", help="text, or json: RunSpec, messages, questions, verdicts, result."),
]


@runs.command("list")
def list_command(
    bus: o.ListedUrl = "",
    bus_ca: o.BusAuthorities = "",
    namespace: k.ThereNamespace = "",
    on: k.ListedOnCluster = None,
    everywhere: k.AllNamespaces = False,
    context: k.Context = "",
    kubeconfig: k.Kubeconfig = "",
    output: k.ListedOutput = None,
) -> None:
    """List runs: name, time, how each stands, how its input begins.

    Those of this machine in their default place; with --bus those of a bus, with --on cluster the AgentRuns there.
    """
    from sympozium_cli.place import place_of

    place = place_of(bus, "", bus_ca, namespace, on, context, kubeconfig)
    if place.cluster:
        from sympozium_cli.cluster.objects import Look, show

        show(Look(RUNS, place.cluster, k.of_cluster(output), everywhere))
        return
    from sympozium_cli.view.records import print_list

    print_list(k.of_here(output, everywhere), place.bus, place.namespace)


@runs.command("show")
def show_command(
    run: o.Run,
    bus: o.ThereUrl = "",
    bus_token: o.BusToken = "",
    bus_ca: o.BusAuthorities = "",
    namespace: k.ThereNamespace = "",
    on: k.OnCluster = None,
    context: k.Context = "",
    kubeconfig: k.Kubeconfig = "",
    output: ShowOutput = "text",
) -> None:
    """Show a run: its messages, its calls, how it ended."""
    from sympozium_cli.place import place_of
    from sympozium_cli.view.records import show

    show(run, output, place_of(bus, bus_token, bus_ca, namespace, on, context, kubeconfig))


runs.command("get", help="Show one AgentRun of a cluster; with -o yaml, whole.")(get_command(RUNS))


@runs.command("cancel")
def cancel_command(
    name: k.Name,
    namespace: k.Namespace = "",
    context: k.Context = "",
    kubeconfig: k.Kubeconfig = "",
) -> None:
    """End an AgentRun of a cluster cleanly. It cannot be taken back."""
    from sympozium_cli.cluster.objects import cancel
    from sympozium_cli.cluster.there import There

    cancel(name, There(kubeconfig, context, namespace))


@runs.command("prune")
def prune_command() -> None:
    """Remove what killed commands left in the container engine.

    These are containers and networks of runs; their directories stay.
    """
    from sympozium_cli.pruning import prune

    prune()
