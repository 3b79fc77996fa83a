"""Commands about one run, wherever it is: logs, send, approve, deny, cancel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from sympozium_cli.commands import kube as k, options as o

Call = Annotated[
    str,
    typer.Argument(metavar="CALL", help="The call, such as 4-1 or shell/4-1: sympozium logs RUN.", show_default=False),
]


def logs_command(
    run: o.Run,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on until the run has ended, and wait until it begins.")
    ] = False,
    bus: o.ThereUrl = "",
    bus_token: o.BusToken = "",
    bus_ca: o.BusAuthorities = "",
    namespace: k.ThereNamespace = "",
    on: k.OnCluster = None,
    context: k.Context = "",
    kubeconfig: k.Kubeconfig = "",
) -> None:
    """Show what has happened in a run, and with -f what happens."""
    from sympozium_cli.place import place_of
    from sympozium_cli.view.logs import logs

    logs(run, place_of(bus, bus_token, bus_ca, namespace, on, context, kubeconfig), follow=follow)


def send_command(
    run: o.Run,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What the agent is told.", show_default=False)],
    bus: o.ThereUrl = "",
    bus_token: o.BusToken = "",
    bus_ca: o.BusAuthorities = "",
    namespace: k.ThereNamespace = "",
    on: k.OnCluster = None,
    context: k.Context = "",
    kubeconfig: k.Kubeconfig = "",
) -> None:
    """Say something more to a running agent.

    It reads it before its next step.
    """
    from sympozium_cli.place import place_of
    from sympozium_cli.talking import send

    send(run, text, place_of(bus, bus_token, bus_ca, namespace, on, context, kubeconfig))


def answer_command(*, allow: bool) -> Callable[..., None]:
    """``approve``, or ``deny``."""

    def command(
        run: o.Run,
        call: Call,
        reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; the model reads it.")] = "",
        bus: o.ThereUrl = "",
        bus_token: o.BusToken = "",
        bus_ca: o.BusAuthorities = "",
        namespace: k.ThereNamespace = "",
        on: k.OnCluster = None,
        context: k.Context = "",
        kubeconfig: k.Kubeconfig = "",
    ) -> None:
        from sympozium_cli.place import place_of
        from sympozium_cli.talking import answer

        place = place_of(bus, bus_token, bus_ca, namespace, on, context, kubeconfig)
        answer(run, call, place, allow=allow, reason=reason)

    return command


def cancel_command(
    run: o.Run,
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help="Why; it stands in the run's result. Not with --on cluster.")
    ] = "",
    bus: o.ThereUrl = "",
    bus_token: o.BusToken = "",
    bus_ca: o.BusAuthorities = "",
    namespace: k.ThereNamespace = "",
    on: k.OnCluster = None,
    context: k.Context = "",
    kubeconfig: k.Kubeconfig = "",
) -> None:
    """End a run cleanly. It cannot be taken back."""
    from sympozium_cli.place import place_of
    from sympozium_cli.talking import cancel

    cancel(run, reason, place_of(bus, bus_token, bus_ca, namespace, on, context, kubeconfig))
