"""``sympozium render``: a run as a file that something else starts."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from sympozium_cli.commands import options as o
from sympozium_cli.commands.typed import files_of, flags_of

render = typer.Typer(help="A run as a file that something else starts.", no_args_is_help=True, rich_markup_mode=None)


@render.command("compose")
def compose_command(
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
    name: o.Name = "",
    registry: o.Registry = "sympozium",
    tag: o.Tag = "dev",
) -> None:
    """Print a compose project, for docker compose up.

    It ends as the agent does with --exit-code-from agent. Nobody is asked in such a run: what a policy would ask
    about is denied. Keys are files: OPENAI_API_KEY_FILE and the like name them when it is started.
    """
    from sympozium_cli.rendering import project_file

    flags = flags_of(context.params, approve="none")
    sys.stdout.write(project_file(text, files_of(context.params), script, flags, name, registry, tag))


@render.command("kubernetes")
def kubernetes_command(
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
    name: o.Name = "",
    account: Annotated[
        str, typer.Option(metavar="NAME", help="Its ServiceAccount: skills that ask for rights get a token of it.")
    ] = "default",
    bus: o.BusUrl = "",
    bus_ca: o.BusAuthorities = "",
    registry: o.Registry = "sympozium",
    tag: o.Tag = "dev",
    pull_policy: Annotated[
        str, typer.Option(metavar="POLICY", help="Always, IfNotPresent or Never. Default: the cluster's.")
    ] = "",
) -> None:
    """Print a Job, for kubectl create.

    kubectl logs -f JOB -c agent shows the answer. Keys are Secrets of its namespace. Without a bus nobody is asked in
    such a run: what a policy would ask about is denied. An AgentRun of a cluster that has the controller needs none
    of this.
    """
    from sympozium_cli.rendering import Cluster, cluster_file

    flags = flags_of(context.params, approve="wait" if bus else "none")
    place = Cluster(account, bus, bus_ca, registry, tag, pull_policy)
    sys.stdout.write(cluster_file(text, files_of(context.params), script, flags, name, place))
