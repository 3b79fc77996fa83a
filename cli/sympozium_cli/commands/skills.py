"""``sympozium skills``: the commands and their options; what they do is imported when it is wanted."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from sympozium_cli.commands import kube as k

skills = typer.Typer(
    help="Skill packs: those that are there, and your own.", no_args_is_help=True, rich_markup_mode=None
)

Output = Annotated[Literal["text", "json"], typer.Option("--output", help="text, or json: one object a line.")]
Name = Annotated[str, typer.Argument(metavar="NAME|DIR", help="A shipped pack, or a directory.", show_default=False)]
Dir = Annotated[str, typer.Argument(metavar="DIR", help="Holds pack.yaml and SKILL.md.", show_default=False)]


@skills.command("list")
def list_command(
    on: k.ListedOnCluster = None,
    everywhere: k.AllNamespaces = False,
    namespace: k.Namespace = "",
    context: k.Context = "",
    kubeconfig: k.Kubeconfig = "",
    output: k.ListedOutput = None,
) -> None:
    """List skill packs: category, programs, tools.

    These are the packs that come with this command; with --on cluster the SkillPacks of the namespace, and those of
    sympozium-system, which are everybody's.
    """
    from sympozium_cli.cluster.there import check_no_cluster, there_of

    if there := there_of(on, kubeconfig, context, namespace):
        from sympozium_cli.cluster.objects import Look, show
        from sympozium_protocol.kube.labels import SYSTEM_NAMESPACE
        from sympozium_protocol.kube.resources import SKILL_PACKS

        show(Look(SKILL_PACKS, there, k.of_cluster(output), everywhere, also=SYSTEM_NAMESPACE))
        return
    check_no_cluster(kubeconfig, context, namespace)
    from sympozium_cli.skills_shown import print_list

    print_list(k.of_here(output, everywhere))


@skills.command("show")
def show_command(name: Name) -> None:
    """Show a pack: its tools, its rights, what the agent reads."""
    from sympozium_cli.skills_shown import show

    show(name)


@skills.command("lint")
def lint_command(directory: Dir, output: Output = "text") -> int:
    """Check a pack: what is wrong, where, and how to mend it."""
    from sympozium_cli.skills_shown import lint

    return lint(directory, output)
