"""What the options about runs are called and mean: ``run``, ``resume`` and ``render`` have most of them in common."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

Approve = Literal["ask", "all", "none", "wait"]

Text = Annotated[
    str | None, typer.Argument(metavar="INPUT", help="What is to be done; - reads it from standard input.")
]
Files = Annotated[
    list[str] | None, typer.Option("--file", "-f", metavar="FILE", help="Objects in YAML; may be repeated.")
]
Instance = Annotated[str, typer.Option(metavar="NAME", help="The instance to run: of FILE, or of the cluster.")]
Provider = Annotated[
    str, typer.Option(metavar="NAME", help="openai, anthropic, azure, bedrock, ollama, lmstudio, scripted.")
]
Model = Annotated[str, typer.Option(metavar="NAME", help="The provider's name of the model.")]
BaseUrl = Annotated[str, typer.Option(metavar="URL", help="Address of the provider's API, if not its usual one.")]
Script = Annotated[str, typer.Option(metavar="FILE", help="What the scripted model says, in YAML.")]
Skill = Annotated[
    list[str] | None, typer.Option(metavar="NAME|./DIR", help="A further skill, or its directory; may be repeated.")
]
Memory = Annotated[
    bool, typer.Option("--memory", help="Let the instance remember across its runs, whatever its document says.")
]
Mcp = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME=COMMAND|URL", help="An MCP server; its tools begin with NAME_. May be repeated."),
]
Policy = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="permissive, default, restrictive, or one of FILE; the stricter holds.",
    ),
]
Timeout = Annotated[
    str, typer.Option(metavar="TIME", help="Such as 90s; 0s: no limit. Waiting for you does not count.")
]
MaxSteps = Annotated[int | None, typer.Option(metavar="N", help="Turns of the model; 0: no limit.")]
MaxTokens = Annotated[int | None, typer.Option(metavar="N", help="Tokens in all; 0: no limit.")]
MaxUsd = Annotated[float | None, typer.Option(metavar="USD", help="Dollars in all; 0: no limit.")]
ApproveOption = Annotated[
    Approve,
    typer.Option(
        help="Who answers questions. ask: you, here (Ctrl-D denies); all: always yes; none: always no; "
        "wait: others, elsewhere."
    ),
]
Replay = Annotated[str, typer.Option(metavar="RUN", help="Take the model's answers from this run; tools act anew.")]
Place = Annotated[
    str | None,
    typer.Option(
        "--dir", metavar="DIR", help="Where the run lives; always kept. Default: below $XDG_STATE_HOME/sympozium."
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print what it would be; start nothing.")]
Where = Annotated[
    Literal["processes", "compose"],
    typer.Option("--on", help="Where the programs run: processes of this machine, or containers of its engine."),
]
RunWhere = Annotated[
    Literal["processes", "compose", "cluster"],
    typer.Option(
        "--on", help="Where it runs: processes of this machine, containers of its engine, or a cluster as a Job."
    ),
]
Registry = Annotated[
    str, typer.Option(metavar="NAME", envvar="SYMPOZIUM_REGISTRY", help="Where the images are: NAME/agent:TAG.")
]
Tag = Annotated[str, typer.Option(metavar="NAME", envvar="SYMPOZIUM_TAG", help="The images' tag.")]

BusUrl = Annotated[
    str,
    typer.Option(
        "--bus",
        metavar="URL",
        envvar="SYMPOZIUM_BUS",
        help="Put the run on a bus: nats://HOST:4222 or tls://HOST:4222. It can be followed and answered from there.",
    ),
]
BusToken = Annotated[
    str,
    typer.Option(metavar="FILE", envvar="SYMPOZIUM_BUS_TOKEN_FILE", help="Holds the token to come to the bus with."),
]
BusAuthorities = Annotated[
    str,
    typer.Option(
        "--bus-ca",
        metavar="FILE",
        envvar="SYMPOZIUM_BUS_CA_FILE",
        help="Certificates to check the bus's server by (tls).",
    ),
]
BusKey = Annotated[
    str,
    typer.Option(
        metavar="FILE", envvar="SYMPOZIUM_BUS_KEY_FILE", help="Mint the tokens of this run with this private key."
    ),
]
Elsewhere = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME[=SERVICE]",
        help="This participant (model, memory, channels, schedules, …) answers over the bus. May be repeated.",
    ),
]
ThereUrl = Annotated[
    str,
    typer.Option(
        "--bus",
        metavar="URL",
        help="The bus that the run is on. Default: SYMPOZIUM_BUS, for a run that is not here.",
    ),
]
ListedUrl = Annotated[str, typer.Option("--bus", metavar="URL", help="List those of this bus instead.")]
Namespace = Annotated[str, typer.Option(metavar="NAME", help="Of the run, on the bus.")]

Run = Annotated[str, typer.Argument(metavar="RUN", help="A run's name, or its directory.", show_default=False)]
Output = Annotated[
    Literal["text", "json"], typer.Option("--output", help="text: the answer alone; json: the RunResult.")
]
Quiet = Annotated[bool, typer.Option("--quiet", help="Show nothing on standard error but questions and errors.")]
Name = Annotated[str, typer.Option(metavar="NAME", help="The run's name. Default: one of its own.")]
