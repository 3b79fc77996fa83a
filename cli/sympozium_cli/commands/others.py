"""Commands that other programs do, and the version."""

from __future__ import annotations

from typing import Annotated, Final

import typer

PASSED_ON: Final = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []}
"""What follows is the other program's to read, --help too."""


def memory_command(
    context: typer.Context,
    instance: Annotated[str, typer.Option(metavar="NAME", help="Whose memory.")] = "laptop",
    namespace: Annotated[str, typer.Option(metavar="NAME", help="Of the instance.")] = "default",
) -> None:
    """Search, list, add to and revoke memories of this machine."""
    from sympozium_cli.others import memory

    memory(context.args, namespace, instance)


def serve_agent_command(context: typer.Context) -> None:
    """Serve agents over HTTP: OpenAI-compatible, and MCP."""
    from sympozium_cli.others import become

    become("sympozium-web", context.args)


def version_command() -> None:
    """Print the version of this command."""
    from importlib.metadata import version

    typer.echo(version("sympozium-cli"))
