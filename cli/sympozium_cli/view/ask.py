"""Who answers the gate's questions: the person at this terminal, or a word given in advance."""

from __future__ import annotations

import asyncio
import os
import sys
import termios
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, Literal, Protocol, TypeAlias

from sympozium_cli.person import Voice
from sympozium_cli.terminal import Terminal, visible
from sympozium_cli.view.present import question_text
from sympozium_cli.view.wait import Elsewhere
from sympozium_protocol.exits import Ended
from sympozium_protocol.messages.calls import Question, Verdict

Approve: TypeAlias = Literal["ask", "all", "none", "wait"]

PROMPT: Final = "Allow {call}? y or n, and a reason if you like: "
LOOK_AGAIN: Final = 1.0
"""Seconds until a command in the background looks whether it has the terminal."""


class Answerer(Protocol):
    """Sees every question and every verdict of a run."""

    @property
    def asking(self) -> bool:
        """Does a prompt stand on the terminal?"""
        ...

    def ask(self, question: Question) -> None: ...
    def settled(self, verdicts: Sequence[Verdict]) -> None:
        """All that are known: a question that has one is asked no more."""
        ...

    def withdraw(self) -> None:
        """The run is being cancelled, and with it whatever it asks."""
        ...

    def check(self) -> None:
        """Raises Ended when an answer could not be written."""
        ...

    def remind(self) -> None:
        """Should other lines have come after the prompt: put it at the end again."""
        ...

    def close(self) -> None: ...


class Always:
    """Gives every question the same answer."""

    asking = False

    def __init__(self, mouth: Voice, *, allow: bool, by: str, reason: str = "") -> None:
        self._mouth = mouth
        self._allow = allow
        self._by = by
        self._reason = reason

    def ask(self, question: Question) -> None:
        self._mouth.answer(
            question.participant,
            question.id,
            question.digest,
            allow=self._allow,
            reason=self._reason,
            by=self._by,
        )

    def settled(self, verdicts: Sequence[Verdict]) -> None:
        """Nothing to take back."""

    def withdraw(self) -> None:
        """The word that was given in advance was about every question."""

    def check(self) -> None:
        """``ask`` itself has raised."""

    def remind(self) -> None:
        """There is no prompt."""

    def close(self) -> None:
        """Nothing to give back."""


class AtTerminal:
    """Asks on the terminal, one question at a time; one that is answered elsewhere goes away."""

    def __init__(self, mouth: Voice, terminal: Terminal, fd: int) -> None:
        """``fd``: where the person types, a terminal."""
        self._mouth = mouth
        self._terminal = terminal
        self._fd = fd
        self._waiting: deque[Question] = deque()
        self._current: Question | None = None
        self._typed = b""
        self._timer: asyncio.TimerHandle | None = None
        self._fault: Ended | None = None
        self._withdrawn = False

    @property
    def asking(self) -> bool:
        return self._current is not None

    def ask(self, question: Question) -> None:
        if not self._withdrawn:
            self._waiting.append(question)
            self._next()

    def settled(self, verdicts: Sequence[Verdict]) -> None:
        found = {(one.participant, one.id): one for one in verdicts}
        self._waiting = deque(q for q in self._waiting if (q.participant, q.id) not in found)
        current = self._current
        if current and (verdict := found.get((current.participant, current.id))):
            self._terminal.always(f"(no longer asked: {visible(verdict.reason)})")
            self._put_away()
            self._next()

    def withdraw(self) -> None:
        self._withdrawn = True
        self.close()

    def check(self) -> None:
        if self._fault:
            raise self._fault

    def remind(self) -> None:
        if self._current is not None and not self._terminal.prompting:
            self._prompt()

    def close(self) -> None:
        self._waiting.clear()
        self._put_away()

    def _next(self) -> None:
        if self._current is None and self._waiting:
            self._current = self._waiting.popleft()
            self._show()

    def _show(self) -> None:
        assert self._current is not None
        waiting = f", {len(self._waiting)} more after it" if self._waiting else ""
        head = f"The agent asks to do this (call {self._current.id}{waiting}), as the gate read it:"
        self._terminal.always(self._terminal.style(head, "bold"))
        self._terminal.always(question_text(self._current))
        self._forget_typed()
        self._prompt()
        self._listen()

    def _prompt(self) -> None:
        assert self._current is not None
        self._terminal.prompt(self._terminal.style(PROMPT.format(call=self._current.id), "bold"))

    def _forget_typed(self) -> None:
        """What was typed before the question was seen is no answer to it."""
        self._typed = b""
        if self._in_front():
            termios.tcflush(self._fd, termios.TCIFLUSH)

    def _in_front(self) -> bool:
        try:
            return os.tcgetpgrp(self._fd) == os.getpgrp()
        except OSError:
            return True  # a terminal that is not ours to control, but to read

    def _listen(self) -> None:
        self._timer = None
        asyncio.get_running_loop().add_reader(self._fd, self._read)

    def _put_away(self) -> None:
        self._current = None
        asyncio.get_running_loop().remove_reader(self._fd)
        if self._timer:
            self._timer.cancel()

    def _read(self) -> None:
        loop = asyncio.get_running_loop()
        if not self._in_front():  # reading would stop a command in the background (SIGTTIN)
            loop.remove_reader(self._fd)
            self._timer = loop.call_later(LOOK_AGAIN, self._listen)
            return
        try:
            data = os.read(self._fd, 4096)
        except OSError:
            data = b""
        self._typed += data
        if not data and self._hung_up():  # nobody said no; the question stays open for another terminal
            loop.remove_reader(self._fd)
        elif not data:
            self._answer(allow=False, reason="ended the input instead of answering")
        elif b"\n" in self._typed:
            line, _, self._typed = self._typed.partition(b"\n")
            self._line(line.decode(errors="replace").strip())

    def _hung_up(self) -> bool:
        """Has the terminal itself gone? (Ctrl-D ends the input of one that is there.)"""
        try:
            termios.tcgetattr(self._fd)
        except termios.error:
            return True
        return False

    def _line(self, line: str) -> None:
        found = decision_of(line)
        if found is None:
            self._terminal.always("y or n decides; words after it are the reason")
            self._prompt()
        else:
            self._answer(allow=found[0], reason=found[1])

    def _answer(self, *, allow: bool, reason: str) -> None:
        question = self._current
        assert question is not None
        self._terminal.answered()
        self._put_away()
        try:
            self._mouth.answer(question.participant, question.id, question.digest, allow=allow, reason=reason)
        except Ended as fault:  # in a callback of the event loop nobody would hear of it
            self._fault = fault
        self._next()


def decision_of(line: str) -> tuple[bool, str] | None:
    """``y``/``yes``/``n``/``no`` and a reason; None for anything else, which decides nothing. Pure."""
    word, _, reason = line.partition(" ")
    decided = {"y": True, "yes": True, "n": False, "no": False}.get(word.lower().rstrip(",:;"))
    return None if decided is None else (decided, reason.strip())


def has_terminal() -> bool:
    """Can a person be asked here?"""
    return sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()


def effective(approve: Approve) -> Approve:
    """``ask`` without a terminal is ``none``."""
    return "none" if approve == "ask" and not has_terminal() else approve


def answerer_of(approve: Approve, mouth: Voice, terminal: Terminal, command: Callable[[str, str], str]) -> Answerer:
    """``approve`` is the effective one; ``command``: a verb and a call, to the command that says it to this run."""
    if approve == "wait":
        return Elsewhere(terminal, command)
    if approve == "all":
        return Always(mouth, allow=True, by="approve all")
    if approve == "none":
        return Always(mouth, allow=False, by="approve none", reason="there is nobody to ask")
    return AtTerminal(mouth, terminal, sys.stdin.fileno())
