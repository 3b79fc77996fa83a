"""Runs of the past: the list of them, and one of them whole."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from sympozium_cli.rundir import ENDED_FILE, RunDirectory, find, runs_root
from sympozium_cli.terminal import Terminal, one_line, visible
from sympozium_protocol import layout
from sympozium_protocol.exits import Ended, Reason
from sympozium_protocol.files import Directory, FileFault

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


def print_list(output: str) -> None:
    """``sympozium runs list`` on standard output."""
    if output == "json":
        for record in records():
            sys.stdout.write(json.dumps(asdict(record), ensure_ascii=sys.stdout.isatty()) + "\n")
        return
    rows = [_row(record) for record in records()]
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


def show(name: str, output: str) -> None:
    """``sympozium runs show`` on standard output. Raises Ended."""
    run = find(name)
    with run.open_ipc() as ipc:
        if output == "json":
            _show_json(run, ipc)
        else:
            _show_text(run, ipc)


def _show_text(run: RunDirectory, ipc: Directory) -> None:
    from sympozium_cli.view.present import Presenter
    from sympozium_protocol.process import read_run

    spec = read_run(ipc)
    terminal = Terminal(sys.stdout)
    terminal.line(terminal.style(f"run {visible(run.name)}", "bold"))
    terminal.line(
        f"agent {visible(spec.agent)}, model {visible(spec.model.model)} ({spec.model.provider}), {spec.created}"
    )
    presenter = Presenter(terminal, whole=True)
    for event in _merged(ipc, spec):
        presenter.show(event)
    _show_end(run, ipc, spec.run, terminal)


def _merged(ipc: Directory, spec: Any) -> Iterator[Any]:
    """Messages in order, and before each tool's result what the gate and the person said of the call."""
    from sympozium_cli.view.events import Events, Said
    from sympozium_protocol.messages.transcript import ToolMessage

    messages: list[Any] = []
    gate: dict[str, list[Any]] = {}
    for event in Events(ipc, (p.name for p in spec.participants), spec.model.participant).new():
        call = _call_of(event)
        if call is None:
            messages.append(event)
        else:
            gate.setdefault(call, []).append(event)
    for event in messages:
        if isinstance(event, Said) and isinstance(event.message, ToolMessage):
            yield from gate.pop(event.message.call, ())
        yield event
    for rest in gate.values():
        yield from rest


def _call_of(event: Any) -> str | None:
    from sympozium_cli.view.events import Asked, Judged

    if isinstance(event, Asked):
        return event.question.id
    return event.verdict.id if isinstance(event, Judged) else None


def _show_end(run: RunDirectory, ipc: Directory, run_id: str, terminal: Terminal) -> None:
    from sympozium_cli.outcome import Unreadable, read_result

    phase, reason = state_of(run)
    try:
        result = read_result(ipc, run_id)
    except Unreadable as fault:
        terminal.line(terminal.style(f"! {visible(str(fault))}", "red"))
        result = None
    said = f": {visible(result.message)}" if result and result.message else ""
    terminal.line(terminal.style(" ".join(filter(None, (phase, reason))) + said, "bold"))
    for call in waiting(run) if run.live() else ():
        terminal.line(f"answer with: sympozium approve {visible(run.name)} {call}   (or deny, with --reason)")
    if result:
        usage = result.usage
        terminal.line(
            f"{result.steps} steps, {usage.model_calls} model calls, {usage.tool_calls} tool calls, "
            f"{usage.input_tokens} + {usage.output_tokens} tokens, {usage.usd:.4f} USD"
        )


def _show_json(run: RunDirectory, ipc: Directory) -> None:
    from sympozium_cli.outcome import Unreadable, read_result
    from sympozium_cli.view.events import Asked, Events, Judged, Said
    from sympozium_protocol.process import read_run

    spec = read_run(ipc)
    found: dict[str, list[object]] = {"messages": [], "questions": [], "verdicts": [], "faults": []}
    for event in Events(ipc, (p.name for p in spec.participants), spec.model.participant).new():
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
        result = read_result(ipc, spec.run)
    except Unreadable as fault:
        result = None
        found["faults"].append(str(fault))
    phase, reason = state_of(run)
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
