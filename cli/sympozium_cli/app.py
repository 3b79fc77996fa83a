"""The commands and their options. Nothing heavy is imported until a command knows that it needs it."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from sympozium_cli.skills import skills

Approve = Literal["ask", "all", "none"]
Output = Literal["text", "json"]

app = typer.Typer(
    name="sympozium",
    help="Runs agents as pods of local processes.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["--help", "-h"]},
)
runs = typer.Typer(help="Runs of the past and present.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(runs, name="runs")
app.add_typer(skills, name="skills")

Run = Annotated[str, typer.Argument(metavar="RUN", help="A run's name, or its directory.", show_default=False)]
OutputOption = Annotated[Output, typer.Option("--output", help="text: the answer alone; json: the RunResult.")]
ListOutput = Annotated[Output, typer.Option("--output", help="json: one object a line.")]
ShowOutput = Annotated[Output, typer.Option("--output", help="json: RunSpec, messages, questions, verdicts, result.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Show nothing on standard error but questions and errors.")]


Registry = Annotated[
    str, typer.Option(metavar="NAME", envvar="SYMPOZIUM_REGISTRY", help="Where the images are: NAME/agent:TAG.")
]
Tag = Annotated[str, typer.Option(metavar="NAME", envvar="SYMPOZIUM_TAG", help="The images' tag.")]


@app.command("run")
def run_command(
    context: typer.Context,
    text: Annotated[
        str | None, typer.Argument(metavar="[INPUT]", help="What is to be done; - reads it from standard input.")
    ] = None,
    file: Annotated[
        list[str] | None, typer.Option("--file", "-f", metavar="FILE", help="Objects in YAML; may be repeated.")
    ] = None,
    instance: Annotated[str, typer.Option(metavar="NAME", help="The instance to run, if FILE has several.")] = "",
    provider: Annotated[
        str, typer.Option(metavar="NAME", help="openai, anthropic, azure, bedrock, ollama, lmstudio, scripted.")
    ] = "",
    model: Annotated[str, typer.Option(metavar="NAME", help="The provider's name of the model.")] = "",
    base_url: Annotated[str, typer.Option(metavar="URL", help="Another address of the provider's protocol.")] = "",
    script: Annotated[str, typer.Option(metavar="FILE", help="What the scripted model says, in YAML.")] = "",
    skill: Annotated[
        list[str] | None, typer.Option(metavar="NAME|./DIR", help="A skill more, or its directory; may be repeated.")
    ] = None,
    memory: Annotated[
        bool, typer.Option("--memory", help="Let the instance remember across its runs, whatever its document says.")
    ] = False,
    mcp: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=COMMAND|URL", help="An MCP server; its tools begin with NAME_. May be repeated."),
    ] = None,
    policy: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="permissive, default, restrictive, or one of FILE; the stricter holds.",
        ),
    ] = "",
    timeout: Annotated[
        str, typer.Option(metavar="TIME", help="Such as 90s; 0s: no limit. Waiting for you does not count.")
    ] = "",
    max_steps: Annotated[int | None, typer.Option(metavar="N", help="Turns of the model; 0: no limit.")] = None,
    max_tokens: Annotated[int | None, typer.Option(metavar="N", help="Tokens in all; 0: no limit.")] = None,
    max_usd: Annotated[float | None, typer.Option(metavar="USD", help="Dollars in all; 0: no limit.")] = None,
    approve: Annotated[Approve, typer.Option(help="Who answers: you, on the terminal; always yes; nobody.")] = "ask",
    replay: Annotated[
        str, typer.Option(metavar="RUN", help="Take the model's answers from this run; tools act anew.")
    ] = "",
    directory: Annotated[
        str | None,
        typer.Option(
            "--dir", metavar="DIR", help="Where the run lives; always kept. Default: below $XDG_STATE_HOME/sympozium."
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the RunSpec that it would be; start nothing.")
    ] = False,
    on: Annotated[
        Literal["processes", "compose"],
        typer.Option("--on", help="Where the programs run: processes of this machine, or containers of its engine."),
    ] = "processes",
    registry: Registry = "sympozium",
    tag: Tag = "dev",
    output: OutputOption = "text",
    quiet: Quiet = False,
) -> int:
    """Run an agent on INPUT, or on the AgentRun in FILE.

    It runs as a pod of local processes, or of containers; what these cannot enforce is said by name.
    """
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
            plain=_given(context),
        )
    )


_WHERE = frozenset({"directory", "on", "registry", "tag"})
_ANY_RUN = _WHERE | {"text", "file", "approve", "replay", "dry_run", "output", "quiet"}


def _given(context: typer.Context) -> frozenset[str]:
    """The options that say what the run is, and were given."""
    named = (name for name in context.params if name not in _ANY_RUN)
    given = (name for name in named if context.params[name] not in ("", None, [], (), False))
    return frozenset(f"--{name.replace('_', '-')}" for name in given)


@app.command("resume")
def resume_command(
    run: Run,
    approve: Annotated[Approve | None, typer.Option(help="As of run; default: as it was started.")] = None,
    output: OutputOption = "text",
    quiet: Quiet = False,
) -> int:
    """Go on with a run whose programs have gone. Nothing that writes is done twice."""
    from sympozium_cli.starting import resume

    return resume(run, approve, output, quiet=quiet)


@runs.command("list")
def list_command(output: ListOutput = "text") -> None:
    """Every run below the default place: name, time, how it stands, how its input begins."""
    from sympozium_cli.view.records import print_list

    print_list(output)


@runs.command("show")
def show_command(run: Run, output: ShowOutput = "text") -> None:
    """The transcript of a run, readable; with json, its documents."""
    from sympozium_cli.view.records import show

    show(run, output)


@app.command("send")
def send_command(run: Run, text: Annotated[str, typer.Argument(metavar="TEXT", show_default=False)]) -> None:
    """Say something more to a running agent."""
    from sympozium_cli.talking import send

    send(run, text)


Call = Annotated[str, typer.Argument(metavar="CALL", help="The call's id, such as 4-1.", show_default=False)]
ReasonOption = Annotated[str, typer.Option("--reason", help="The model reads it.")]


@app.command("approve")
def approve_command(run: Run, call: Call, reason: ReasonOption = "") -> None:
    """Allow a call that waits for a person."""
    from sympozium_cli.talking import answer

    answer(run, call, allow=True, reason=reason)


@app.command("deny")
def deny_command(run: Run, call: Call, reason: ReasonOption = "") -> None:
    """Deny a call that waits for a person."""
    from sympozium_cli.talking import answer

    answer(run, call, allow=False, reason=reason)


@app.command("cancel")
def cancel_command(run: Run, reason: ReasonOption = "") -> None:
    """End a run cleanly."""
    from sympozium_cli.talking import cancel

    cancel(run, reason)


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
