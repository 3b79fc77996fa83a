"""Runs of the past: the list of them, and one of them whole."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from sympozium_cli.rundir import ENDED_FILE, RunDirectory, runs_root
from sympozium_cli.terminal import Terminal, one_line, visible
from sympozium_protocol import layout
from sympozium_protocol.exits import Ended, Reason
from sympozium_protocol.files import Directory, FileFault

if TYPE_CHECKING:
    from sympozium_cli.bus.named import Bus
    from sympozium_cli.place import Place
    from sympozium_cli.view.events import Events
    from sympozium_cli.view.source import Source
    from sympozium_protocol.messages.spec import RunSpec

WIDEST: Final = 40
"""Characters that one column makes room for in all lines."""


@dataclass(frozen=True, slots=True)
class Record:
    """One line of the list. ``reason``: Running, Unfinished, or a word of ``exits``."""

    name: str
    created: str
    phase: str
    reason: str
    agent: str
    input: str


def records() -> Iterator[Record]:
    """The runs below the default place, the oldest first, whatever they are called."""
    root = runs_root()
    runs = map(RunDirectory, root.iterdir()) if root.is_dir() else ()
    found = [(run, spec) for run in runs if (spec := _json(run, layout.RUN, layout.RUN_FILE))]
    for run, spec in sorted(found, key=lambda pair: (str(pair[1].get("created", "")), pair[0].name)):
        yield _record(run, spec)


def _record(run: RunDirectory, spec: dict[str, Any]) -> Record:
    phase, reason = state_of(run)
    return Record(
        run.name, str(spec.get("created", "")), phase, reason, str(spec.get("agent", "")), str(spec.get("input", ""))
    )


def state_of(run: RunDirectory) -> tuple[str, str]:
    """Phase and reason. The launcher's account holds: it has read the result back."""
    if run.live():
        return ("Waiting", "") if waiting(run) else ("Running", "")
    ended = _json(run, (), ENDED_FILE) if (run.path / ENDED_FILE).exists() else None
    reason = str((ended or {}).get("reason", ""))
    if reason in Reason.__members__:
        return ("Suspended", "") if reason == Reason.Suspended.name else (Reason[reason].phase, reason)
    return "Unfinished", ""


def waiting(run: RunDirectory) -> list[str]:
    """The calls of a run that wait for a person's answer."""
    from sympozium_cli.talking import open_calls

    try:
        with run.open_ipc() as ipc:
            return open_calls(ipc)
    except (FileFault, Ended):  # a list is of all runs, those included that cannot be read whole
        return []


def _json(run: RunDirectory, place: layout.Place, name: str) -> dict[str, Any] | None:
    try:
        with run.open_ipc() if place else run.open() as root, root.open(place) as directory:
            value = json.loads(directory.read(name) or b"null")
    except (FileFault, Ended, ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def print_list(output: str, bus: Bus | None = None, namespace: str = "default") -> None:
    """``sympozium runs list`` on standard output. Raises Ended."""
    if bus:
        from sympozium_cli.bus.listing import records_on

        found = records_on(bus, namespace)
    else:
        found = list(records())
    if output == "json":
        for record in found:
            sys.stdout.write(json.dumps(asdict(record), ensure_ascii=sys.stdout.isatty()) + "\n")
        return
    rows = [_row(record) for record in found]
    if rows and sys.stdout.isatty():
        rows.insert(0, ("RUN", "CREATED", "STATE", "AGENT", "INPUT"))
    for line in _columns(rows):
        sys.stdout.write(line + "\n")


def _row(record: Record) -> tuple[str, ...]:
    state = record.reason or record.phase
    return (
        visible(record.name),
        visible(record.created[:19]),
        state,
        one_line(record.agent, 40),
        one_line(record.input, 60),
    )


def _columns(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """Each column as wide as what is in it, up to WIDEST: what is longer is whole, and pushes its own line only."""
    widths = [min(WIDEST, max(map(len, column))) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def show(name: str, output: str, place: Place) -> None:
    """``sympozium runs show`` on standard output. Raises Ended."""
    from sympozium_cli.view.source import opened

    with opened(name, place) as source:
        if output == "json":
            _show_json(source)
        else:
            show_text(source)


def show_text(source: Source) -> None:
    """All that there is of a run now. Raises Ended."""
    from sympozium_cli.view.order import in_reading_order
    from sympozium_cli.view.present import Presenter
    from sympozium_protocol.process import read_run

    spec = read_run(source.ipc)
    terminal = Terminal(sys.stdout)
    show_head(source, spec, terminal)
    presenter = Presenter(terminal, whole=True)
    for event in in_reading_order(_events(source.ipc, spec).new()):
        presenter.show(event)
    show_end(source, spec.run, terminal)


def show_head(source: Source, spec: RunSpec, terminal: Terminal) -> None:
    terminal.line(terminal.style(f"run {visible(source.name)}", "bold"))
    terminal.line(
        f"agent {visible(spec.agent)}, model {visible(spec.model.model)} ({spec.model.provider}), {spec.created}"
    )


def _events(ipc: Directory, spec: RunSpec) -> Events:
    from sympozium_cli.view.events import Events

    return Events(ipc, (p.name for p in spec.participants), spec.model.participant)


def show_end(source: Source, run_id: str, terminal: Terminal) -> None:
    """How it stands, and what it took. Raises Ended."""
    from sympozium_cli.outcome import Unreadable, read_result
    from sympozium_cli.talking import open_calls

    phase, reason = source.state()
    try:
        result = read_result(source.ipc, run_id)
    except Unreadable as fault:
        terminal.line(terminal.style(f"! {visible(str(fault))}", "red"))
        result = None
    said = f": {visible(result.message)}" if result and result.message else ""
    terminal.line(terminal.style(" ".join(filter(None, (phase, reason))) + said, "bold"))
    for call in open_calls(source.ipc) if source.lives() else ():
        terminal.line(f"answer with: {visible(source.command('approve', call))}   (or deny, with --reason)")
    if result:
        usage = result.usage
        terminal.line(
            f"{result.steps} steps, {usage.model_calls} model calls, {usage.tool_calls} tool calls, "
            f"{usage.input_tokens} + {usage.output_tokens} tokens, {usage.usd:.4f} USD"
        )


def _show_json(source: Source) -> None:
    from sympozium_cli.outcome import Unreadable, read_result
    from sympozium_cli.view.events import Asked, Judged, Said
    from sympozium_protocol.process import read_run

    spec = read_run(source.ipc)
    found: dict[str, list[object]] = {"messages": [], "questions": [], "verdicts": [], "faults": []}
    for event in _events(source.ipc, spec).new():
        match event:
            case Said(message=document):
                found["messages"].append(_plain(document))
            case Asked(question=document):
                found["questions"].append(_plain(document))
            case Judged(verdict=document):
                found["verdicts"].append(_plain(document))
            case _:
                found["faults"].append(getattr(event, "why", ""))
    try:
        result = read_result(source.ipc, spec.run)
    except Unreadable as fault:
        result = None
        found["faults"].append(str(fault))
    phase, reason = source.state()
    value = {
        "run": _plain(spec),
        "phase": phase,
        "reason": reason,
        **found,
        "result": _plain(result) if result else None,
    }
    sys.stdout.write(json.dumps(value, ensure_ascii=sys.stdout.isatty()) + "\n")


def _plain(document: Any) -> object:
    value: object = document.model_dump(mode="json", by_alias=True, exclude_none=True)
    return value
