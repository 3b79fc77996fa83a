"""``sympozium skills``: the commands and their options; what they do is imported when it is wanted."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from sympozium_cli.cluster import options as k

skills = typer.Typer(
    help="Skill packs: those that are there, and one's own.", no_args_is_help=True, rich_markup_mode=None
)

Output = Annotated[Literal["text", "json"], typer.Option("--output", help="json: one object a line.")]
Name = Annotated[str, typer.Argument(metavar="NAME|DIR", help="A shipped pack, or a directory.", show_default=False)]
Dir = Annotated[str, typer.Argument(metavar="DIR", help="Holds pack.yaml and SKILL.md.", show_default=False)]


@skills.command("list")
def list_command(
    on: k.ListedOnCluster = "",
    everywhere: k.AllNamespaces = False,
    namespace: k.Namespace = "",
    context: k.Context = "",
    kubeconfig: k.Kubeconfig = "",
    output: k.ListedOutput = "",
) -> None:
    """The packs that come with this command: category, programs, tools. With --on cluster its SkillPacks.

    Those of sympozium-system are everybody's: -n sympozium-system lists them.
    """
    from sympozium_cli.cluster.there import check_no_cluster, there_of

    if there := there_of(on, kubeconfig, context, namespace):
        from sympozium_cli.cluster.objects import Look, show
        from sympozium_protocol.kube.resources import SKILL_PACKS

        show(Look(SKILL_PACKS, there, k.of_cluster(output), everywhere))
        return
    check_no_cluster(kubeconfig, context, namespace)
    from sympozium_cli.skills_shown import print_list

    print_list(k.of_here(output, everywhere))


@skills.command("show")
def show_command(name: Name) -> None:
    """One pack whole: its tools with their effects and arguments, its rights, what the agent reads."""
    from sympozium_cli.skills_shown import show

    show(name)


@skills.command("lint")
def lint_command(directory: Dir, output: Output = "text") -> int:
    """Everything that is wrong with a pack, or likely to be: where, what, and how to mend it."""
    from sympozium_cli.skills_shown import lint

    return lint(directory, output)
