"""A question that is answered elsewhere: shown here, with how to answer it."""

from __future__ import annotations

from collections.abc import Callable

from sympozium_cli.terminal import Terminal, visible
from sympozium_cli.view.present import question_text
from sympozium_protocol.messages.calls import Question, Verdict


class Elsewhere:
    """Nobody at this terminal is asked. ``command``: the verb and the call, to the command that answers."""

    asking = False

    def __init__(self, terminal: Terminal, command: Callable[[str, str], str]) -> None:
        self._terminal = terminal
        self._command = command

    def ask(self, question: Question) -> None:
        self._terminal.always(question_text(question))
        how = visible(self._command("approve", question.id))
        self._terminal.always(f"  answer with: {how}   (or deny, with --reason)")

    def settled(self, verdict: Verdict) -> None:
        """The view shows who answered."""

    def check(self) -> None:
        """Nothing is written here."""

    def remind(self) -> None:
        """There is no prompt."""

    def close(self) -> None:
        """Nothing to give back."""
