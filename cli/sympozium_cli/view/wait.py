"""A question that is answered elsewhere: shown here, with how to answer it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sympozium_cli.terminal import Terminal, visible
from sympozium_cli.view.present import question_text
from sympozium_protocol.messages.calls import Question, Verdict


class Elsewhere:
    """Nobody at this terminal is asked. ``command``: the verb and the call, to the command that answers; ``refused``:
    why whoever sits here may not."""

    asking = False

    def __init__(self, terminal: Terminal, command: Callable[[str, str], str], refused: str = "") -> None:
        self._terminal = terminal
        self._command = command
        self._refused = refused
        self._withdrawn = False

    def ask(self, question: Question) -> None:
        if self._withdrawn:
            return
        self._terminal.always(question_text(question))
        how = visible(self._command("approve", question.id))
        if self._refused:
            self._terminal.always(f"  somebody else must answer: {visible(self._refused)}")
        self._terminal.always(f"  answer with: {how}   (or deny, with --reason)")

    def settled(self, verdicts: Sequence[Verdict]) -> None:
        """The view shows who answered."""

    def withdraw(self) -> None:
        self._withdrawn = True

    def check(self) -> None:
        """Nothing is written here."""

    def remind(self) -> None:
        """There is no prompt."""

    def close(self) -> None:
        """Nothing to give back."""
