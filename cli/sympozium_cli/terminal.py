"""Text from a run on a person's terminal: nothing in it may act on the terminal or reorder what is read."""

from __future__ import annotations

import json
import os
import sys
import unicodedata
from collections.abc import Callable, Mapping
from typing import Any, Final, TextIO

_KEPT: Final = "\n\t"
_HIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
"""Control, format (bidi overrides, zero width), surrogates, private use, line and paragraph separators."""

CODES: Final[Mapping[str, str]] = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}


def visible(text: str) -> str:
    """``text`` with every character that a terminal would obey, or not show, spelt out."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if c in _KEPT or not _obeyed(c) else _spelt(c) for c in text)


def _obeyed(char: str) -> bool:
    return unicodedata.category(char) in _HIDDEN


def _spelt(char: str) -> str:
    code = ord(char)
    if code < 0x20:
        return chr(0x2400 + code)  # the control pictures block
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def one_line(text: str, width: int) -> str:
    """The beginning of ``text`` as one visible line of at most ``width`` characters."""
    line = visible(" ".join(text[: width * 4].split()))
    return line if len(line) <= width else line[: width - 1] + "…"


def compact(value: Any) -> str:
    """A JSON value as a person reads it: short, and every string visible."""
    return visible(json.dumps(value, ensure_ascii=False, default=str))


class Terminal:
    """Standard error: lines for a person, coloured where it is a terminal and NO_COLOR is not set."""

    def __init__(self, stream: TextIO, *, quiet: bool = False, gone: Callable[[], None] | None = None) -> None:
        """``gone``: is called when whoever read the stream has gone."""
        self._stream = stream
        self._gone = gone
        self._quiet = quiet
        self._column = 0
        self.prompting = False
        """Is a prompt the last that was written?"""
        self.interactive = stream.isatty()
        self.colour = self.interactive and not os.environ.get("NO_COLOR")

    def style(self, text: str, *names: str) -> str:
        if not self.colour or not text:
            return text
        return f"\x1b[{';'.join(CODES[name] for name in names)}m{text}\x1b[0m"

    def line(self, text: str = "") -> None:
        """One or more whole lines. Untrusted parts must be ``visible`` already."""
        if not self._quiet:
            self.always(text)

    def always(self, text: str) -> None:
        """As ``line``, even with --quiet: questions and errors."""
        self._write(("\n" if self._column else "") + text + "\n")
        self._column = 0

    def stream(self, text: str) -> None:
        """A piece of a line that goes on."""
        if self._quiet or not text:
            return
        self._write(text)
        self._column = len(text.rpartition("\n")[2]) + (0 if "\n" in text else self._column)

    def prompt(self, text: str) -> None:
        """A question that the person answers on the same line."""
        self._write(("\n" if self._column else "") + text)
        self._column = 1
        self.prompting = True

    def answered(self) -> None:
        """The person ended the line of a prompt himself."""
        self._column = 0

    def _write(self, text: str) -> None:
        self.prompting = False
        try:
            self._stream.write(text)
            self._stream.flush()
        except ValueError:  # closed by ourselves
            self._quiet = True
        except OSError:  # a reader that went away must not end a run
            self._quiet = True
            lead_nowhere(self._stream)
            if self._gone:
                self._gone()


def lead_nowhere(stream: TextIO) -> None:
    """What is still in a stream's buffer, and what follows, goes to the null device: it can fail no more."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def standard_error(*, quiet: bool = False) -> Terminal:
    if hasattr(sys.stderr, "reconfigure"):
        sys.stderr.reconfigure(errors="replace")
    return Terminal(sys.stderr, quiet=quiet)


def one_screen() -> bool:
    """Do standard output and standard error lead to the same terminal?"""
    if not (sys.stdout.isatty() and sys.stderr.isatty()):
        return False
    return os.fstat(sys.stdout.fileno()).st_rdev == os.fstat(sys.stderr.fileno()).st_rdev


def print_answer(text: str) -> None:
    """The answer on standard output: as it is, but visible where that is a terminal. Raises OSError."""
    shown = visible(text) if sys.stdout.isatty() else text
    data = shown.encode("utf-8", "replace")
    try:
        sys.stdout.buffer.write(data if data.endswith(b"\n") else data + b"\n")
        sys.stdout.flush()
    except BrokenPipeError:  # who read it has seen enough: that says nothing about the run
        lead_nowhere(sys.stdout)


def print_json(value: Any) -> None:
    """One JSON document on standard output; plain ASCII on a terminal, which then has nothing to obey."""
    print_answer(json.dumps(value, ensure_ascii=sys.stdout.isatty()))
