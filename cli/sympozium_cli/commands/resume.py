"""``sympozium resume``."""

from __future__ import annotations

from typing import Annotated

import typer

from sympozium_cli.commands import options as o
from sympozium_cli.commands.typed import files_of, flags_of


def resume_command(
    context: typer.Context,
    run: o.Run,
    approve: Annotated[o.Approve | None, typer.Option(help="As of run; default: as it was started.")] = None,
    bus: o.ThereUrl = "",
    bus_token: o.BusToken = "",
    bus_ca: o.BusAuthorities = "",
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
    output: o.Output = "text",
    quiet: o.Quiet = False,
) -> int:
    """Go on with a run whose programs have gone.

    Nothing that writes is done twice. With --bus also where its directory is not, or is empty: what the run is and
    what came of it is on the bus. What its programs are is not: give the documents and options again that it was
    started with (-f, --skill, --policy, …); the options from --dir to --tag are for that alone.
    """
    from sympozium_cli.bus.named import bus_of
    from sympozium_cli.place import bus_unless_here
    from sympozium_cli.podfile import On
    from sympozium_cli.resuming import Asked, resume

    said = context.params
    return resume(
        Asked(
            name=run,
            approve=approve,
            output=output,
            quiet=quiet,
            bus=bus_of(bus, bus_token, bus_ca, bus_key) or bus_unless_here(run, bus_key),
            namespace=namespace,
            directory=directory,
            files=files_of(said),
            flags=flags_of(said, approve="ask"),  # of no matter here: resume has its own
            script=script,
            on=On(on, registry, tag) if on != "processes" else On(),
        )
    )
