"""``sympozium instances`` and ``sympozium policies``, ``install`` and ``uninstall``: options alone."""

from __future__ import annotations

from typing import Annotated

import typer

from sympozium_cli.cluster import options as o

instances = typer.Typer(
    help="The instances of a cluster: agents' profiles, between their runs.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
policies = typer.Typer(help="The policies of a cluster.", no_args_is_help=True, rich_markup_mode=None)


@instances.command("list")
def instances_list(
    everywhere: o.AllNamespaces = False,
    output: o.Output = "table",
    namespace: o.Namespace = "",
    context: o.Context = "",
    kubeconfig: o.Kubeconfig = "",
) -> None:
    """Every instance of a namespace."""
    from sympozium_cli.cluster.objects import Look, show
    from sympozium_cli.cluster.there import There
    from sympozium_protocol.kube.resources import INSTANCES

    show(Look(INSTANCES, There(kubeconfig, context, namespace), output, everywhere))


@instances.command("get")
def instances_get(
    name: o.Name,
    output: o.Output = "table",
    namespace: o.Namespace = "",
    context: o.Context = "",
    kubeconfig: o.Kubeconfig = "",
) -> None:
    """One instance; with -o yaml, whole."""
    from sympozium_cli.cluster.objects import Look, show
    from sympozium_cli.cluster.there import There
    from sympozium_protocol.kube.resources import INSTANCES

    show(Look(INSTANCES, There(kubeconfig, context, namespace), output, name=name))


@instances.command("apply")
def instances_apply(
    file: o.Files,
    dry_run: o.DryRun = False,
    force_conflicts: o.ForceConflicts = False,
    namespace: o.Namespace = "",
    context: o.Context = "",
    kubeconfig: o.Kubeconfig = "",
) -> None:
    """Create or change the objects in FILE: instances, and whatever belongs to them."""
    from sympozium_cli.cluster.objects import apply
    from sympozium_cli.cluster.there import There

    apply(file, There(kubeconfig, context, namespace), dry_run=dry_run, force=force_conflicts)


@instances.command("delete")
def instances_delete(
    name: o.Names,
    namespace: o.Namespace = "",
    context: o.Context = "",
    kubeconfig: o.Kubeconfig = "",
) -> None:
    """Delete instances. What they remember goes with them, unless their memory.retain says otherwise."""
    from sympozium_cli.cluster.objects import delete
    from sympozium_cli.cluster.there import There
    from sympozium_protocol.kube.resources import INSTANCES

    delete(INSTANCES, name, There(kubeconfig, context, namespace))


@policies.command("list")
def policies_list(
    everywhere: o.AllNamespaces = False,
    output: o.Output = "table",
    namespace: o.Namespace = "",
    context: o.Context = "",
    kubeconfig: o.Kubeconfig = "",
) -> None:
    """Every SympoziumPolicy of a namespace. permissive, default and restrictive are built in and need no object."""
    from sympozium_cli.cluster.objects import Look, show
    from sympozium_cli.cluster.there import There
    from sympozium_protocol.kube.resources import POLICIES

    show(Look(POLICIES, There(kubeconfig, context, namespace), output, everywhere))


@policies.command("get")
def policies_get(
    name: o.Name,
    output: o.Output = "table",
    namespace: o.Namespace = "",
    context: o.Context = "",
    kubeconfig: o.Kubeconfig = "",
) -> None:
    """One policy; with -o yaml, whole."""
    from sympozium_cli.cluster.objects import Look, show
    from sympozium_cli.cluster.there import There
    from sympozium_protocol.kube.resources import POLICIES

    show(Look(POLICIES, There(kubeconfig, context, namespace), output, name=name))


Registry = Annotated[
    str,
    typer.Option(metavar="NAME", envvar="SYMPOZIUM_REGISTRY", help="Where the images are: NAME/controller:TAG."),
]
Tag = Annotated[str, typer.Option(metavar="NAME", envvar="SYMPOZIUM_TAG", help="The images' tag.")]
PullSecret = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME", help="A Secret of sympozium-system to pull the images with. May be repeated."),
]
PullPolicy = Annotated[str, typer.Option(metavar="POLICY", help="Always, IfNotPresent or Never.")]
Storage = Annotated[
    str,
    typer.Option(
        metavar="SIZE|none",
        help="What the bus keeps runs in: a volume of this size, or the node's own disk until the pod is gone.",
    ),
]
StorageClass = Annotated[str, typer.Option(metavar="NAME", help="Of that volume. Default: the cluster's default.")]
Timeout = Annotated[str, typer.Option(metavar="TIME", help="How long one stage may take.")]


def install(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be applied; change nothing.")] = False,
    image_registry: Registry = "sympozium",
    image_tag: Tag = "dev",
    image_pull_secret: PullSecret = None,
    image_pull_policy: PullPolicy = "IfNotPresent",
    bus_storage: Storage = "10Gi",
    bus_storage_class: StorageClass = "",
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Until everything works.")] = True,
    probe: Annotated[bool, typer.Option("--probe/--no-probe", help="Try whether NetworkPolicies hold.")] = True,
    timeout: Timeout = "5m",
    context: o.Context = "",
    kubeconfig: o.Kubeconfig = "",
) -> None:
    """Install Sympozium in a cluster, or change what is installed. What is so already stays as it is."""
    from sympozium_cli.cluster.installing import Wanted, install
    from sympozium_cli.cluster.there import There
    from sympozium_controller.install.settings import Settings

    settings = Settings.of(
        registry=image_registry,
        tag=image_tag,
        pull_secrets=tuple(image_pull_secret or ()),
        pull_policy=image_pull_policy,
        bus_storage=bus_storage,
        bus_storage_class=bus_storage_class,
    )
    install(Wanted(settings, There(kubeconfig, context), timeout=timeout, dry_run=dry_run, wait=wait, probe=probe))


def uninstall(
    keep_data: Annotated[
        bool, typer.Option("--keep-data", help="Keep all objects, and what the bus has: another install goes on.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    timeout: Timeout = "2m",
    context: o.Context = "",
    kubeconfig: o.Kubeconfig = "",
) -> None:
    """Remove Sympozium from a cluster: all runs, instances and policies, and what was installed."""
    from sympozium_cli.cluster.there import There
    from sympozium_cli.cluster.uninstalling import Wanted, uninstall

    uninstall(Wanted(There(kubeconfig, context), timeout=timeout, keep_data=keep_data, yes=yes))
