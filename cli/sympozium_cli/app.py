"""The command ``sympozium``: its commands, in the order in which people meet them."""

from __future__ import annotations

import typer

from sympozium_cli.commands import install, others, resume, run, talk
from sympozium_cli.commands.objects import instances, policies
from sympozium_cli.commands.render import render
from sympozium_cli.commands.runs import runs
from sympozium_cli.commands.skills import skills

app = typer.Typer(
    name="sympozium",
    help="Runs agents: as processes of this machine, as containers, as Jobs of a cluster.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["--help", "-h"]},
)
app.command("run")(run.run_command)
app.command("resume")(resume.resume_command)
app.command("logs")(talk.logs_command)
app.command("send")(talk.send_command)
app.command("approve", help="Allow a call that waits for a person.")(talk.answer_command(allow=True))
app.command("deny", help="Deny a call that waits for a person.")(talk.answer_command(allow=False))
app.command("cancel")(talk.cancel_command)
app.command(
    "memory",
    context_settings=others.PASSED_ON,
    options_metavar="search|list|store|revoke|export|import|backup|check …",
)(others.memory_command)
app.command("serve-agent", context_settings=others.PASSED_ON, options_metavar="-f FILE …")(others.serve_agent_command)
app.command("install")(install.install)
app.command("uninstall")(install.uninstall)
app.command("version")(others.version_command)
app.add_typer(runs, name="runs")
app.add_typer(instances, name="instances")
app.add_typer(policies, name="policies")
app.add_typer(skills, name="skills")
app.add_typer(render, name="render")
