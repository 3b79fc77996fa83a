"""``sympozium instances`` and ``sympozium policies``: objects of a cluster."""

from __future__ import annotations

from collections.abc import Callable

import typer

from sympozium_cli.commands import kube as k
from sympozium_protocol.kube.resources import INSTANCES, POLICIES, Resource

instances = typer.Typer(
    help="Instances of a cluster: its agents, between their runs.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
policies = typer.Typer(help="Policies of a cluster.", no_args_is_help=True, rich_markup_mode=None)


def list_command(resource: Resource) -> Callable[..., None]:
    """``list`` of one kind."""

    def command(
        everywhere: k.AllNamespaces = False,
        output: k.Output = "table",
        namespace: k.Namespace = "",
        context: k.Context = "",
        kubeconfig: k.Kubeconfig = "",
    ) -> None:
        from sympozium_cli.cluster.objects import Look, show
        from sympozium_cli.cluster.there import There

        show(Look(resource, There(kubeconfig, context, namespace), output, everywhere))

    return command


def get_command(resource: Resource) -> Callable[..., None]:
    """``get`` of one kind."""

    def command(
        name: k.Name,
        output: k.Output = "table",
        namespace: k.Namespace = "",
        context: k.Context = "",
        kubeconfig: k.Kubeconfig = "",
    ) -> None:
        from sympozium_cli.cluster.objects import Look, show
        from sympozium_cli.cluster.there import There

        show(Look(resource, There(kubeconfig, context, namespace), output, name=name))

    return command


instances.command("list", help="List the instances of a namespace.")(list_command(INSTANCES))
instances.command("get", help="Show one instance; with -o yaml, whole.")(get_command(INSTANCES))
policies.command(
    "list",
    help="List the policies of a namespace.\n\npermissive, default and restrictive are built in and need no object.",
)(list_command(POLICIES))
policies.command("get", help="Show one policy; with -o yaml, whole.")(get_command(POLICIES))


@instances.command("apply")
def apply_command(
    file: k.Files,
    dry_run: k.DryRun = False,
    force_conflicts: k.ForceConflicts = False,
    namespace: k.Namespace = "",
    context: k.Context = "",
    kubeconfig: k.Kubeconfig = "",
) -> None:
    """Create or change the objects in FILE.

    These are instances, and whatever belongs to them: policies, skill packs, Secrets, …
    """
    from sympozium_cli.cluster.objects import apply
    from sympozium_cli.cluster.there import There

    apply(file, There(kubeconfig, context, namespace), dry_run=dry_run, force=force_conflicts)


@instances.command("delete")
def delete_command(
    name: k.Names,
    namespace: k.Namespace = "",
    context: k.Context = "",
    kubeconfig: k.Kubeconfig = "",
) -> None:
    """Delete instances.

    What they remember goes with them, unless their memory.retain says otherwise.
    """
    from sympozium_cli.cluster.objects import delete
    from sympozium_cli.cluster.there import There

    delete(INSTANCES, name, There(kubeconfig, context, namespace))
