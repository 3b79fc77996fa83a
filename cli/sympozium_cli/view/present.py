"""Events as lines for a person. Everything that a model, a tool or an agent wrote is made visible first."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from sympozium_cli.terminal import Terminal, compact, one_line, visible
from sympozium_cli.view.events import Asked, Event, Judged, Progressed, Said, Spoilt, Streamed
from sympozium_protocol.messages.calls import BlobPart, Part, Question, Verdict
from sympozium_protocol.messages.transcript import (
    AssistantMessage,
    CompactionMessage,
    InboundMessage,
    NoteMessage,
    RecollectionMessage,
    ToolCall,
    ToolMessage,
    UserMessage,
)

WIDTH: Final = 200
"""Characters of an argument or a result on one line."""
LINES: Final = 12
"""Lines of a result that are shown in full view."""
LIVE_LINES: Final = 20
"""Lines of one call's progress that are shown while it runs: the whole is in its result."""


class Presenter:
    """Writes events to a terminal. ``whole``: with the results of tools, for reading afterwards."""

    def __init__(self, terminal: Terminal, *, whole: bool = False) -> None:
        self.terminal = terminal
        self._whole = whole
        self._said: dict[str, str] = {}
        self._begun: dict[str, str] = {}
        self._lines: Counter[str] = Counter()
        self.last_turn = ""
        """The text that the agent said last."""

    def show(self, event: Event) -> None:
        match event:
            case Said(message=AssistantMessage() as turn):
                self._turn(turn)
            case Said(message=ToolMessage() as result):
                self._result(result)
            case Said(message=message):
                self._other(message)
            case Asked(question=question):
                self._asked(question)
            case Judged(verdict=verdict, asked=asked):
                self._judged(verdict, asked=asked)
            case Streamed(call=call, text=text):
                self._said[call] = self._said.get(call, "") + text
                self.terminal.stream(visible(text))
            case Progressed(call=call, text=text):
                self._progressed(call, text)
            case Spoilt(why=why):
                self.terminal.line(self.terminal.style(f"! {visible(why)}", "red"))

    def _progressed(self, call: str, text: str) -> None:
        """Whole lines only: several calls may be running."""
        *lines, self._begun[call] = (self._begun.get(call, "") + text).split("\n")
        for line in lines:
            self._lines[call] += 1
            if self._lines[call] <= LIVE_LINES:
                self.terminal.line(self.terminal.style(f"  {call} │ {one_line(line, WIDTH)}", "dim"))
            elif self._lines[call] == LIVE_LINES + 1:
                self.terminal.line(self.terminal.style(f"  {call} │ … more than is shown here", "dim"))

    def _turn(self, turn: AssistantMessage) -> None:
        self.last_turn = turn.text
        streamed = self._said.pop(turn.call, "")
        self._said.clear()
        if streamed and turn.text.startswith(streamed):
            self.terminal.stream(visible(turn.text[len(streamed) :]))
            self.terminal.stream("\n" if not turn.text.endswith("\n") else "")
        elif turn.text.strip():
            self.terminal.line(visible(turn.text.rstrip()))
        for call in turn.tool_calls:
            self.terminal.line(self.terminal.style(f"→ {call.id} {_call_line(call)}", "cyan"))

    def _result(self, result: ToolMessage) -> None:
        good = result.outcome == "ok"
        mark = "✓" if good else "✗"
        details = _details(result.details)
        head = f"{mark} {result.call} {visible(result.tool)} {result.outcome}{details}"
        text = _text(result.content)
        summary = "" if self._whole else one_line(text, 120)
        self.terminal.line(
            self.terminal.style(head, "green" if good else "yellow") + (f"  {summary}" if summary else "")
        )
        if self._whole:
            self._indented(text)

    def _indented(self, text: str) -> None:
        lines = visible(text).splitlines()
        for line in lines[:LINES]:
            self.terminal.line("    " + (line if len(line) <= WIDTH else line[: WIDTH - 1] + "…"))
        if len(lines) > LINES:
            self.terminal.line(self.terminal.style(f"    … {len(lines) - LINES} more lines", "dim"))

    def _other(self, message: Any) -> None:
        match message:
            case UserMessage(text=text):
                self._labelled("input", text)
            case InboundMessage(by=by, text=text):
                self._labelled(f"message from {by}", text)
            case NoteMessage(text=text):
                self._labelled("note to the model", text)
            case CompactionMessage(covers=covers):
                self.terminal.line(self.terminal.style(f"· messages {covers[0]} to {covers[1]} are summed up", "dim"))
            case RecollectionMessage(tool=tool, outcome=outcome, content=content):
                self._labelled(f"recollection by {tool}, {outcome}", _text(content))
            case _:  # the system prompt and the tool list are long, and the same in every run of an instance
                return

    def _labelled(self, label: str, text: str) -> None:
        shown = visible(text.strip()) if self._whole else one_line(text, WIDTH)
        self.terminal.line(self.terminal.style(f"· {visible(label)}: ", "dim") + shown)

    def _asked(self, question: Question) -> None:
        line = f"? {question.id} asks for approval: {question.tool} on {question.participant} ({question.effect})"
        self.terminal.line(self.terminal.style(line, "yellow"))

    def _judged(self, verdict: Verdict, *, asked: bool) -> None:
        if not asked and verdict.decision == "allow":
            return
        word = "allowed" if verdict.decision == "allow" else "denied"
        who, why = _by_whom(verdict)
        line = f"{'!' if word == 'denied' else '·'} {verdict.id} {word}{who}{': ' if why else ''}"
        self.terminal.line(self.terminal.style(line, "yellow") + one_line(why, WIDTH))


def _by_whom(verdict: Verdict) -> tuple[str, str]:
    """Who decided and why, with nobody named twice: a reason is a whole sentence, as the model reads it."""
    if not verdict.by.startswith("person:"):
        named = verdict.reason.startswith(f"policy {verdict.by} ")
        return "" if named else f" by {_by(verdict.by)}", verdict.reason
    name = verdict.by.removeprefix("person:")
    done = f"{name} {'approved' if verdict.decision == 'allow' else 'denied'} it"
    why = verdict.reason.removeprefix(done).removeprefix(": ") if verdict.reason.startswith(done) else verdict.reason
    return f" by {_by(verdict.by)}", why


def _by(who: str) -> str:
    """Who a verdict names, for a person: a flag that answered beforehand is no person."""
    name = visible(who.removeprefix("person:"))
    return f"--{name}" if name in ("approve all", "approve none") else name


def question_text(question: Question) -> str:
    """A question as its person reads it: what the gate read, and nothing that the agent says about it."""
    lines = [
        f"{question.tool} on {question.participant}   effect: {question.effect}   digest: {question.digest[:12]}",
        *(f"  {visible(name)}: {_argument(value)}" for name, value in question.arguments.items()),
        f"  why it is asked: {visible(question.reason)}",
    ]
    return "\n".join(lines)


def _argument(value: Any) -> str:
    # whole: who allows a call must be able to read all of it
    text = visible(value) if isinstance(value, str) else compact(value)
    return text if "\n" not in text else "\n    " + text.replace("\n", "\n    ")


def _call_line(call: ToolCall) -> str:
    if call.arguments is None:
        return f"{visible(call.name)} with arguments that are no JSON object"
    named = (f"{visible(name)}={_short(value)}" for name, value in call.arguments.items())
    return f"{visible(call.name)} {' '.join(named)}".rstrip()


def _short(value: Any) -> str:
    return one_line(value, WIDTH) if isinstance(value, str) else one_line(compact(value), WIDTH)


def _details(details: dict[str, Any]) -> str:
    found = []
    if isinstance(details.get("exitCode"), int):
        found.append(f"exit {details['exitCode']}")
    duration = details.get("duration", details.get("seconds"))
    if isinstance(duration, int | float):
        found.append(f"{duration:.2f} s")
    return f" ({', '.join(found)})" if found else ""


def _text(content: tuple[Part, ...]) -> str:
    return "\n".join(_part(part) for part in content)


def _part(part: Part) -> str:
    if isinstance(part, BlobPart):
        return f"[{part.note or part.media_type}, {part.size} bytes: blob {part.digest[:12]}]"
    return part.text
