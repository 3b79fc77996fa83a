"""The options of commands that speak to a cluster: called and meant as kubectl's. Nothing heavy is imported."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

Kubeconfig = Annotated[
    str,
    typer.Option(
        "--kubeconfig", metavar="FILE", help="Which clusters there are. Default: $KUBECONFIG, or ~/.kube/config."
    ),
]
Context = Annotated[
    str, typer.Option("--context", metavar="NAME", help="Context of the kubeconfig. Default: its current one.")
]
Namespace = Annotated[
    str, typer.Option("--namespace", "-n", metavar="NAME", help="Namespace. Default: that of the kubeconfig's context.")
]
RunKubeconfig = Annotated[
    str,
    typer.Option("--kubeconfig", metavar="FILE", help="With --on cluster. Default: $KUBECONFIG, or ~/.kube/config."),
]
RunContext = Annotated[
    str,
    typer.Option("--context", metavar="NAME", help="With --on cluster: of the kubeconfig. Default: its current one."),
]
RunNamespace = Annotated[
    str, typer.Option("--namespace", "-n", metavar="NAME", help="With --on cluster. Default: that of the context.")
]
AllNamespaces = Annotated[bool, typer.Option("--all-namespaces", "-A", help="Those of all namespaces of the cluster.")]
Format = Literal["table", "wide", "json", "yaml", "name"]
Output = Annotated[Format, typer.Option("--output", "-o", metavar="FORMAT", help="table, wide, json, yaml or name.")]
Name = Annotated[str, typer.Argument(metavar="NAME", help="Its name.", show_default=False)]
Names = Annotated[list[str], typer.Argument(metavar="NAME", help="Their names.", show_default=False)]
Files = Annotated[
    list[str],
    typer.Option(
        "--file", "-f", "--filename", metavar="FILE", help="Objects in YAML; may be repeated. -: standard input."
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="The API server checks it and keeps nothing.")]
ForceConflicts = Annotated[bool, typer.Option("--force-conflicts", help="Take over fields that others have applied.")]

OnCluster = Annotated[
    Literal["cluster"] | None,
    typer.Option(
        "--on", metavar="cluster", help="The run is an AgentRun of a cluster; RUN is its name.", show_default=False
    ),
]
ListedOutput = Annotated[
    Literal["text", "json", "table", "wide", "yaml", "name"] | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FORMAT",
        help="text, or json: one object a line. Of a cluster: table, wide, json, yaml, name.",
    ),
]
ListedOnCluster = Annotated[
    Literal["cluster"] | None, typer.Option("--on", metavar="cluster", help="Those of a cluster.", show_default=False)
]
ThereNamespace = Annotated[
    str,
    typer.Option(
        "--namespace",
        "-n",
        metavar="NAME",
        help="Namespace of runs: in a cluster (default: the context's), or on a bus (default: default).",
    ),
]


def of_cluster(output: str | None) -> str:
    """How a list of a cluster is shown: text is a table there."""
    return "table" if output in (None, "text") else output


def of_here(output: str | None, everywhere: bool) -> str:
    """How a list of this machine is shown. Raises Ended (Usage) for what only a cluster's can be."""
    from sympozium_protocol.exits import Ended, Reason

    if everywhere:
        raise Ended(Reason.Usage, "command line: --all-namespaces: needs --on cluster")
    if output not in (None, "text", "json"):
        raise Ended(Reason.Usage, f"command line: --output: {output} needs --on cluster")
    return output or "text"
