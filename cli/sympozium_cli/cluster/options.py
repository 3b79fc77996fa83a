"""The options of commands that speak to a cluster: called and meant as kubectl's. Nothing heavy is imported."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

Kubeconfig = Annotated[
    str, typer.Option("--kubeconfig", metavar="FILE", help="Default: KUBECONFIG, or ~/.kube/config.")
]
Context = Annotated[str, typer.Option("--context", metavar="NAME", help="Of the kubeconfig. Default: its current one.")]
Namespace = Annotated[
    str, typer.Option("--namespace", "-n", metavar="NAME", help="Default: that of the kubeconfig's context.")
]
AllNamespaces = Annotated[bool, typer.Option("--all-namespaces", "-A", help="Those of all namespaces.")]
Format = Literal["table", "wide", "json", "yaml", "name"]
Output = Annotated[Format, typer.Option("--output", "-o", help="As kubectl has it.")]
Name = Annotated[str, typer.Argument(metavar="NAME", show_default=False)]
Names = Annotated[list[str], typer.Argument(metavar="NAME…", show_default=False)]
Files = Annotated[
    list[str],
    typer.Option("--file", "-f", "--filename", metavar="FILE", help="Objects in YAML; may be repeated."),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="The API server checks it and keeps nothing.")]
ForceConflicts = Annotated[
    bool, typer.Option("--force-conflicts", help="Take over fields that somebody else has applied.")
]

OnCluster = Annotated[
    Literal["", "cluster"],
    typer.Option(
        "--on", metavar="cluster", help="The run is an AgentRun of a cluster, RUN its name.", show_default=False
    ),
]
ListedOutput = Annotated[
    Literal["", "text", "json", "table", "wide", "yaml", "name"],
    typer.Option(
        "--output",
        "-o",
        metavar="FORMAT",
        help="text, or json: one object a line. Of a cluster: table, wide, json, yaml, name.",
    ),
]
ListedOnCluster = Annotated[
    Literal["", "cluster"], typer.Option("--on", metavar="cluster", help="Those of a cluster.", show_default=False)
]
ThereNamespace = Annotated[
    str,
    typer.Option(
        "--namespace",
        "-n",
        metavar="NAME",
        help="Of the run, on the bus (default: default) or in the cluster (default: that of the context).",
    ),
]


def of_cluster(output: str) -> str:
    """How a list of a cluster is shown: text is a table there."""
    return "table" if output in ("", "text") else output


def of_here(output: str, everywhere: bool) -> str:
    """How a list of this machine is shown. Raises Ended (Usage) for what only a cluster's can be."""
    from sympozium_protocol.exits import Ended, Reason

    if everywhere:
        raise Ended(Reason.Usage, "command line: --all-namespaces: needs --on cluster")
    if output not in ("", "text", "json"):
        raise Ended(Reason.Usage, f"command line: --output: {output} needs --on cluster")
    return output or "text"
