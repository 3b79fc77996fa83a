"""``sympozium render``: a run as a file that something else starts."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from sympozium_cli import options as o

render = typer.Typer(help="A run as a file that something else starts.", no_args_is_help=True, rich_markup_mode=None)


@render.callback()
def _group() -> None:
    """A run as a file that something else starts."""


@render.command("compose")
def compose_command(
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
    name: Annotated[str, typer.Option(metavar="NAME", help="The run's name. Default: one of its own.")] = "",
    registry: o.Registry = "sympozium",
    tag: o.Tag = "dev",
) -> None:
    """A compose project on standard output, for docker compose up --exit-code-from agent.

    Nobody is asked in such a run: what a policy would ask about is denied. Keys are files: OPENAI_API_KEY_FILE and
    the like name them when it is started.
    """
    from sympozium_cli.rendering import project_file
    from sympozium_controller.flags import Flags

    flags = Flags(
        instance=instance,
        provider=provider,
        model=model,
        base_url=base_url,
        skills=tuple(skill or ()),
        memory=memory,
        mcp=tuple(mcp or ()),
        policy=policy,
        timeout=timeout,
        max_steps=max_steps,
        max_tokens=max_tokens,
        max_usd=max_usd,
        approve="none",
    )
    sys.stdout.write(project_file(text, file or [], script, flags, name, registry, tag))


@render.command("kubernetes")
def kubernetes_command(
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
    name: Annotated[str, typer.Option(metavar="NAME", help="The run's name. Default: one of its own.")] = "",
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
    """A Job on standard output, for kubectl create; kubectl logs -f JOB -c agent shows the answer.

    Keys are Secrets of its namespace. Without a bus nobody is asked in such a run: what a policy would ask about is
    denied. An AgentRun of a cluster that has the controller needs none of this.
    """
    from sympozium_cli.rendering import Cluster, cluster_file
    from sympozium_controller.flags import Flags

    flags = Flags(
        instance=instance,
        provider=provider,
        model=model,
        base_url=base_url,
        skills=tuple(skill or ()),
        memory=memory,
        mcp=tuple(mcp or ()),
        policy=policy,
        timeout=timeout,
        max_steps=max_steps,
        max_tokens=max_tokens,
        max_usd=max_usd,
        approve="wait" if bus else "none",
    )
    place = Cluster(account, bus, bus_ca, registry, tag, pull_policy)
    sys.stdout.write(cluster_file(text, file or [], script, flags, name, place))
