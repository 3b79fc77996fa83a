"""``sympozium install`` and ``sympozium uninstall``."""

from __future__ import annotations

from typing import Annotated

import typer

from sympozium_cli.commands import kube as k, options as o

PullSecret = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME", help="A Secret of sympozium-system to pull the images with. May be repeated."),
]
PullPolicy = Annotated[str, typer.Option(metavar="POLICY", help="Always, IfNotPresent or Never.")]
Storage = Annotated[
    str,
    typer.Option(
        metavar="SIZE|none",
        help="What the bus keeps runs in: a volume of this size, or the node's own disk until the pod is gone. "
        "Default: as it is; at first 10Gi.",
    ),
]
StorageClass = Annotated[
    str, typer.Option(metavar="NAME", help="Of that volume. Default: as it is, or the cluster's own.")
]
Timeout = Annotated[str, typer.Option(metavar="TIME", help="How long one stage may take, such as 5m.")]


def install(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be applied; change nothing.")] = False,
    image_registry: o.Registry = "sympozium",
    image_tag: o.Tag = "dev",
    image_pull_secret: PullSecret = None,
    image_pull_policy: PullPolicy = "IfNotPresent",
    bus_storage: Storage = "",
    bus_storage_class: StorageClass = "",
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until everything works.")] = True,
    probe: Annotated[bool, typer.Option("--probe/--no-probe", help="Try whether NetworkPolicies hold.")] = True,
    timeout: Timeout = "5m",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before what the bus has is lost.")] = False,
    context: k.Context = "",
    kubeconfig: k.Kubeconfig = "",
) -> None:
    """Install Sympozium in a cluster, or change what is installed.

    What is so already stays as it is: with the same options it changes nothing.
    """
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
    install(
        Wanted(
            settings,
            There(kubeconfig, context),
            timeout=timeout,
            storage_said=bool(bus_storage),
            dry_run=dry_run,
            wait=wait,
            probe=probe,
            yes=yes,
        )
    )


def uninstall(
    keep_data: Annotated[
        bool,
        typer.Option("--keep-data", help="Keep all objects, and the bus's volume and keys, for another install."),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    timeout: Timeout = "2m",
    context: k.Context = "",
    kubeconfig: k.Kubeconfig = "",
) -> None:
    """Remove Sympozium from a cluster.

    All runs, instances and policies go, and then what was installed. What instances remember stays where their
    memory.retain says so, and is named.
    """
    from sympozium_cli.cluster.there import There
    from sympozium_cli.cluster.uninstalling import Wanted, uninstall

    uninstall(Wanted(There(kubeconfig, context), timeout=timeout, keep_data=keep_data, yes=yes))
