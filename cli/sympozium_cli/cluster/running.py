"""``sympozium run --on cluster``: applies the documents, creates the run, and stays with it to its end."""

from __future__ import annotations

import difflib
import sys
from dataclasses import dataclass

from sympozium_cli import inputs
from sympozium_cli.cluster.applying import Asked, apply_all, documents_in
from sympozium_cli.cluster.attending import Attendance, Wishes
from sympozium_cli.cluster.connecting import MANAGER, at_once, check_namespace, ended, not_installed
from sympozium_cli.cluster.planning import Plan, Said, plan
from sympozium_cli.cluster.reaching import read_token
from sympozium_cli.cluster.tables import as_yaml
from sympozium_cli.cluster.there import There
from sympozium_cli.terminal import Terminal, standard_error, visible
from sympozium_controller.flags import Flags
from sympozium_protocol.exits import Ended, Reason
from sympozium_protocol.kube.api import KubeObject
from sympozium_protocol.kube.client import Client, whole
from sympozium_protocol.kube.errors import Forbidden, KubeError, NotFound
from sympozium_protocol.kube.resources import INSTANCES, RUNS

OF_A_RUN = frozenset({"--instance", "--policy", "--timeout", "--max-steps", "--max-tokens", "--max-usd"})
"""What an AgentRun can say. The rest describes an instance, or is of this machine."""
OF_THIS_MACHINE = frozenset(
    {"--dir", "--replay", "--elsewhere", "--registry", "--tag", "--bus", "--bus-ca", "--bus-key"}
)
"""What makes no sense elsewhere."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The command line."""

    there: There
    text: str | None
    files: tuple[str, ...]
    flags: Flags
    output: str
    quiet: bool
    dry_run: bool
    given: frozenset[str]
    """Names of the options that say what the run is, and were given."""


def run(wanted: Wanted) -> int:
    """The exit code. Raises Ended before anything was created."""
    _check_options(wanted.given)
    if wanted.there.token:
        read_token(wanted.there.token)  # what it is needed for begins only when the run is there
    planned = plan(documents_in(wanted.files), _said(wanted))
    if wanted.dry_run:
        for one in (*(document.value for document in planned.applied), planned.run):
            sys.stdout.write(f"---\n{as_yaml(one, ascii_only=sys.stdout.isatty())}")
        return 0
    return at_once(wanted.there, lambda api: _run(api, wanted, planned))


def _check_options(given: frozenset[str]) -> None:
    """Raises Ended (Usage)."""
    if local := sorted(given & OF_THIS_MACHINE):
        raise Ended(Reason.Usage, f"command line: {', '.join(local)}: only for runs of this machine; not --on cluster")
    if other := sorted(given - OF_A_RUN):
        why = "describes an instance; say it in a SympoziumInstance and give it with -f"
        raise Ended(Reason.Usage, f"command line: {', '.join(other)}: {why}")


def _said(wanted: Wanted) -> Said:
    return Said(
        inputs.input_text(wanted.text),
        wanted.flags.instance,
        wanted.there.namespace,
        wanted.flags.policy,
        wanted.flags.timeout,
        wanted.flags.max_steps,
        wanted.flags.max_tokens,
        wanted.flags.max_usd,
    )


async def _run(api: Client, wanted: Wanted, planned: Plan) -> int:
    terminal = standard_error(quiet=wanted.quiet)
    namespace = planned.namespace or api.login.namespace
    await check_namespace(api, namespace)
    asked = Asked(MANAGER, namespace)
    async for done in apply_all(api, planned.applied, asked):
        terminal.line(terminal.style(f"{visible(done.name)} {done.what}", "dim"))
    made = await _create(api, planned.run, namespace, terminal)
    name = made["metadata"]["name"]
    terminal.line(terminal.style(f"run {visible(name)} in {visible(namespace)}", "bold"))
    wishes = Wishes(wanted.flags.approve, wanted.output, wanted.quiet)
    return await Attendance(api, wanted.there, name, namespace, wishes, terminal).run()


async def _meant(api: Client, instance: str, namespace: str) -> str:
    """The instance that is nearly called so, as a question; empty: there is none, or we may not look."""
    try:
        names = [one["metadata"]["name"] async for one in whole(api, INSTANCES, namespace)]
    except KubeError:
        return ""
    close = difflib.get_close_matches(instance, names, n=1)
    return f" (is {visible(close[0])} meant?)" if close else ""


async def _create(api: Client, run: KubeObject, namespace: str, terminal: Terminal) -> KubeObject:
    instance = run["spec"]["instanceRef"]
    try:
        await api.get(INSTANCES, instance, namespace)
    except NotFound as error:
        if not error.details.get("name"):
            raise not_installed(INSTANCES) from None
        there = f"there is no SympoziumInstance {visible(instance)} in {visible(namespace)}"
        terminal.always(f"! {there}{await _meant(api, instance, namespace)}: the run waits for it")
    except Forbidden:  # who may make runs need not be let look at instances
        pass
    try:
        return await api.create(RUNS, run, namespace)
    except KubeError as error:
        raise ended(error, api.login, f"the AgentRun for {instance}") from None
