"""``sympozium render``: a run as a file that something else starts."""

from __future__ import annotations

import sys
import time
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


def project_file(
    text: str | None, files: list[str], script: str, flags: object, name: str, registry: str, tag: str
) -> str:
    """The file's text. Raises Ended."""
    from dataclasses import replace

    from sympozium_cli import inputs
    from sympozium_cli.platforms import check_reachable
    from sympozium_cli.rundir import new_run_id
    from sympozium_controller.flags import Flags
    from sympozium_controller.render import composefile
    from sympozium_controller.render.compose import Images, InEngine, render as rendered
    from sympozium_protocol import clock
    from sympozium_protocol.exits import Ended, Reason
    from sympozium_protocol.ids import is_id

    assert isinstance(flags, Flags)
    if name and not is_id(name):
        raise Ended(Reason.Usage, f"command line: --name: {name}: is no name: small letters, digits and dashes")
    now = time.time()
    flags = replace(flags, input=inputs.input_text(text), script=inputs.script(script) if script else None)
    run_id = name or new_run_id(now)
    _, spec, pod = inputs.made(files, flags, run_id=run_id, now=clock.utc(now), contained=True)
    check_reachable(spec)
    project = rendered(pod, InEngine(spec.namespace, spec.agent), Images(registry, tag))
    head = [
        f"# sympozium render compose: run {spec.run}",
        "# docker compose up --exit-code-from agent; then docker compose down --volumes, which takes all of it away",
        "# (a memory too: it is a volume of the engine's own, not the one of sympozium memory). Not enforced here:",
    ]
    told = [f"# - {one.name}: {one.what}" for one in project.not_enforced]
    return "\n".join([*head, *told, composefile.text(project)])
