"""The commands and their options. Nothing heavy is imported until a command knows that it needs it."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from sympozium_cli import options as o
from sympozium_cli.cluster import commands as cluster, options as k
from sympozium_cli.render_command import render
from sympozium_cli.skills import skills

Output = Literal["text", "json"]

app = typer.Typer(
    name="sympozium",
    help="Runs agents: as processes of this machine, as containers, as Jobs of a cluster.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["--help", "-h"]},
)
runs = typer.Typer(help="Runs of the past and present.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(runs, name="runs")
app.add_typer(skills, name="skills")
app.add_typer(render, name="render")
app.add_typer(cluster.instances, name="instances")
app.add_typer(cluster.policies, name="policies")
app.command("install")(cluster.install)
app.command("uninstall")(cluster.uninstall)

Run = Annotated[str, typer.Argument(metavar="RUN", help="A run's name, or its directory.", show_default=False)]
OutputOption = Annotated[Output, typer.Option("--output", help="text: the answer alone; json: the RunResult.")]
ListOutput = Annotated[Output, typer.Option("--output", help="json: one object a line.")]
ShowOutput = Annotated[Output, typer.Option("--output", help="json: RunSpec, messages, questions, verdicts, result.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Show nothing on standard error but questions and errors.")]


@app.command("run")
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
    namespace: k.Namespace = "",
    kube_context: k.Context = "",
    kubeconfig: k.Kubeconfig = "",
    output: OutputOption = "text",
    quiet: Quiet = False,
) -> int:
    """Run an agent on INPUT, or on the AgentRun in FILE.

    It runs as a pod of local processes, or of containers; what these cannot enforce is said by name. With --on cluster
    the objects of FILE are applied there and the run is a new AgentRun: of FILE, or of the instance named.
    """
    if on == "cluster":
        from sympozium_cli.cluster.running import Wanted as OnCluster, run
        from sympozium_cli.cluster.there import There

        token = bus_token if _source(context, "bus_token") == "COMMANDLINE" else ""
        return run(
            OnCluster(
                there=There(kubeconfig, kube_context, namespace, token),
                text=text,
                files=tuple(file or ()),
                instance=instance,
                policy=policy,
                timeout=timeout,
                max_steps=max_steps,
                max_tokens=max_tokens,
                max_usd=max_usd,
                approve=approve,
                output=output,
                quiet=quiet,
                dry_run=dry_run,
                given=_on_command_line(context),
            )
        )
    from sympozium_cli.cluster.there import check_no_cluster

    check_no_cluster(kubeconfig, kube_context, namespace)
    from sympozium_cli.bus.named import bus_of
    from sympozium_cli.podfile import On
    from sympozium_cli.starting import Wanted, start
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
        approve=approve,
        elsewhere=tuple(elsewhere or ()),
    )
    return start(
        Wanted(
            text=text,
            flags=flags,
            files=tuple(file or ()),
            script=script,
            replay=replay,
            directory=directory,
            output=output,
            quiet=quiet,
            dry_run=dry_run,
            on=On(on, registry, tag) if on != "processes" else On(),
            bus=bus_of(bus, bus_token, bus_ca, bus_key),
            plain=_given(context),
        )
    )


_WHERE = frozenset({"directory", "on", "registry", "tag", "bus", "bus_token", "bus_ca", "bus_key"}) | {
    "namespace",
    "kube_context",
    "kubeconfig",
}
_ANY_RUN = _WHERE | {"text", "file", "approve", "replay", "dry_run", "output", "quiet"}


_OF_ANY_CLUSTER = {
    "text",
    "file",
    "approve",
    "dry_run",
    "output",
    "quiet",
    "on",
    "namespace",
    "kube_context",
    "kubeconfig",
    "bus_token",
}


def _on_command_line(context: typer.Context) -> frozenset[str]:
    """The options that were typed, and are not about how a run of a cluster is seen."""
    typed = (name for name in context.params if _source(context, name) == "COMMANDLINE")
    return frozenset(f"--{name.replace('_', '-')}" for name in typed if name not in _OF_ANY_CLUSTER)


def _source(context: typer.Context, name: str) -> str:
    found = context.get_parameter_source(name)
    return found.name if found else ""


def _given(context: typer.Context) -> frozenset[str]:
    """The options that say what the run is, and were given."""
    named = (name for name in context.params if name not in _ANY_RUN)
    given = (name for name in named if context.params[name] not in ("", None, [], (), False))
    return frozenset(f"--{name.replace('_', '-')}" for name in given)


@app.command("resume")
def resume_command(
    run: Run,
    approve: Annotated[o.Approve | None, typer.Option(help="As of run; default: as it was started.")] = None,
    bus: o.ThereUrl = "",
    bus_token: o.ThereToken = "",
    bus_ca: o.ThereAuthorities = "",
    bus_key: o.BusKey = "",
    namespace: o.Namespace = "default",
    directory: o.Place = None,
    file: o.Files = None,
    instance: o.Instance = "",
    provider: o.Provider = "",
    model: o.Model = "",
    base_url: o.BaseUrl = "",
    script: o.Script = "",
    skill: o.Skill = None,
    mcp: o.Mcp = None,
    policy: o.Policy = "",
    on: o.Where = "processes",
    registry: o.Registry = "sympozium",
    tag: o.Tag = "dev",
    output: OutputOption = "text",
    quiet: Quiet = False,
) -> int:
    """Go on with a run whose programs have gone. Nothing that writes is done twice.

    With --bus also where its directory is not, or is empty: what the run is and what came of it is on the bus. What
    its programs are is not: give the documents and options again that it was started with (-f, --skill, --policy, …);
    the options from --dir to --tag are for that alone.
    """
    from sympozium_cli.bus.named import bus_of
    from sympozium_cli.place import bus_unless_here
    from sympozium_cli.podfile import On
    from sympozium_cli.resuming import Asked, resume
    from sympozium_controller.flags import Flags

    flags = Flags(
        instance=instance,
        provider=provider,
        model=model,
        base_url=base_url,
        skills=tuple(skill or ()),
        mcp=tuple(mcp or ()),
        policy=policy,
    )
    return resume(
        Asked(
            name=run,
            approve=approve,
            output=output,
            quiet=quiet,
            bus=bus_of(bus, bus_token, bus_ca, bus_key) or bus_unless_here(run, bus_key),
            namespace=namespace,
            directory=directory,
            files=tuple(file or ()),
            flags=flags,
            script=script,
            on=On(on, registry, tag) if on != "processes" else On(),
        )
    )


@runs.command("list")
def list_command(
    bus: o.ListedUrl = "",
    bus_ca: o.ThereAuthorities = "",
    namespace: k.ThereNamespace = "",
    on: k.ListedOnCluster = "",
    everywhere: k.AllNamespaces = False,
    context: k.Context = "",
    kubeconfig: k.Kubeconfig = "",
    output: k.ListedOutput = "",
) -> None:
    """Every run below the default place, on a bus or in a cluster: name, time, how it stands, how its input begins."""
    from sympozium_cli.place import place_of

    place = place_of(bus, "", bus_ca, namespace, on, context, kubeconfig)
    if place.cluster:
        from sympozium_cli.cluster.objects import Look, show
        from sympozium_protocol.kube.resources import RUNS

        show(Look(RUNS, place.cluster, k.of_cluster(output), everywhere))
        return
    from sympozium_cli.view.records import print_list

    print_list(k.of_here(output, everywhere), place.bus, place.namespace)


@runs.command("get")
def get_command(
    name: k.Name,
    output: k.Output = "table",
    namespace: k.Namespace = "",
    context: k.Context = "",
    kubeconfig: k.Kubeconfig = "",
) -> None:
    """One AgentRun of a cluster; with -o yaml, whole."""
    from sympozium_cli.cluster.objects import Look, show
    from sympozium_cli.cluster.there import There
    from sympozium_protocol.kube.resources import RUNS

    show(Look(RUNS, There(kubeconfig, context, namespace), output, name=name))


@runs.command("cancel")
def cancel_run_command(
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
    """Remove the containers and networks of runs whose command was killed. Their directories stay."""
    from sympozium_cli.pruning import prune

    prune()


@runs.command("show")
def show_command(
    run: Run,
    bus: o.ThereUrl = "",
    bus_token: o.ThereToken = "",
    bus_ca: o.ThereAuthorities = "",
    namespace: k.ThereNamespace = "",
    on: k.OnCluster = "",
    context: k.Context = "",
    kubeconfig: k.Kubeconfig = "",
    output: ShowOutput = "text",
) -> None:
    """The transcript of a run, readable; with json, its documents."""
    from sympozium_cli.place import place_of
    from sympozium_cli.view.records import show

    show(run, output, place_of(bus, bus_token, bus_ca, namespace, on, context, kubeconfig))


@app.command("logs")
def logs_command(
    run: Run,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the run has ended.")] = False,
    bus: o.ThereUrl = "",
    bus_token: o.ThereToken = "",
    bus_ca: o.ThereAuthorities = "",
    namespace: k.ThereNamespace = "",
    on: k.OnCluster = "",
    context: k.Context = "",
    kubeconfig: k.Kubeconfig = "",
) -> None:
    """What has happened in a run, and with -f what happens, from this machine or from the bus."""
    from sympozium_cli.place import place_of
    from sympozium_cli.view.logs import logs

    logs(run, place_of(bus, bus_token, bus_ca, namespace, on, context, kubeconfig), follow=follow)


@app.command("send")
def send_command(
    run: Run,
    text: Annotated[str, typer.Argument(metavar="TEXT", show_default=False)],
    bus: o.ThereUrl = "",
    bus_token: o.ThereToken = "",
    bus_ca: o.ThereAuthorities = "",
    namespace: k.ThereNamespace = "",
    on: k.OnCluster = "",
    context: k.Context = "",
    kubeconfig: k.Kubeconfig = "",
) -> None:
    """Say something more to a running agent."""
    from sympozium_cli.place import place_of
    from sympozium_cli.talking import send

    send(run, text, place_of(bus, bus_token, bus_ca, namespace, on, context, kubeconfig))


Call = Annotated[str, typer.Argument(metavar="CALL", help="The call's id, such as 4-1.", show_default=False)]
ReasonOption = Annotated[str, typer.Option("--reason", help="The model reads it.")]


@app.command("approve")
def approve_command(
    run: Run,
    call: Call,
    reason: ReasonOption = "",
    bus: o.ThereUrl = "",
    bus_token: o.ThereToken = "",
    bus_ca: o.ThereAuthorities = "",
    namespace: k.ThereNamespace = "",
    on: k.OnCluster = "",
    context: k.Context = "",
    kubeconfig: k.Kubeconfig = "",
) -> None:
    """Allow a call that waits for a person."""
    from sympozium_cli.place import place_of
    from sympozium_cli.talking import answer

    answer(run, call, place_of(bus, bus_token, bus_ca, namespace, on, context, kubeconfig), allow=True, reason=reason)


@app.command("deny")
def deny_command(
    run: Run,
    call: Call,
    reason: ReasonOption = "",
    bus: o.ThereUrl = "",
    bus_token: o.ThereToken = "",
    bus_ca: o.ThereAuthorities = "",
    namespace: k.ThereNamespace = "",
    on: k.OnCluster = "",
    context: k.Context = "",
    kubeconfig: k.Kubeconfig = "",
) -> None:
    """Deny a call that waits for a person."""
    from sympozium_cli.place import place_of
    from sympozium_cli.talking import answer

    answer(run, call, place_of(bus, bus_token, bus_ca, namespace, on, context, kubeconfig), allow=False, reason=reason)


@app.command("cancel")
def cancel_command(
    run: Run,
    reason: ReasonOption = "",
    bus: o.ThereUrl = "",
    bus_token: o.ThereToken = "",
    bus_ca: o.ThereAuthorities = "",
    namespace: k.ThereNamespace = "",
    on: k.OnCluster = "",
    context: k.Context = "",
    kubeconfig: k.Kubeconfig = "",
) -> None:
    """End a run cleanly."""
    from sympozium_cli.place import place_of
    from sympozium_cli.talking import cancel

    cancel(run, reason, place_of(bus, bus_token, bus_ca, namespace, on, context, kubeconfig))


_PASSED_ON = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []}


@app.command("memory", context_settings=_PASSED_ON, options_metavar="search|list|store|revoke|export|import|backup …")
def memory_command(
    context: typer.Context,
    instance: Annotated[str, typer.Option(metavar="NAME", help="Whose memory.")] = "laptop",
    namespace: Annotated[str, typer.Option(metavar="NAME", help="Of the instance.")] = "default",
) -> None:
    """Search, list, add to and revoke what an instance remembers."""
    from sympozium_cli.others import memory

    memory(context.args, namespace, instance)


@app.command("serve-agent", context_settings=_PASSED_ON, options_metavar="-f FILE …")
def serve_agent_command(context: typer.Context) -> None:
    """Serve agents over HTTP: OpenAI-compatible, and MCP."""
    from sympozium_cli.others import become

    become("sympozium-web", context.args)


@app.command("version")
def version_command() -> None:
    """The version of this command."""
    from importlib.metadata import version

    typer.echo(version("sympozium-cli"))
