"""Cutting a text that is too large for the model: the head and the tail stay, the middle goes."""

from __future__ import annotations

_HEAD = 0.6
"""Share of what is kept that comes from the beginning; the end of an output tells how it ended."""

_SLACK = 4
"""A cut moves to a line's boundary when that gives up less than this part of its side."""


def cut_middle(text: str, limit: int) -> tuple[str, int]:
    """What is shown of ``text`` in about ``limit`` characters, and how many bytes (UTF-8) it leaves out.

    A text that fits comes back as it is, with 0. Otherwise a line of its own says how much is
    missing and where; it counts towards the limit, which only a limit below its length exceeds.
    """
    if len(text) <= limit:
        return text, 0
    room = max(0, limit - len(_mark(_size(text))))
    end = _end_of_head(text, int(room * _HEAD))
    start = _start_of_tail(text, len(text) - (room - int(room * _HEAD)))
    left_out = _size(text[end:start])
    return text[:end] + _mark(left_out) + text[start:], left_out


def _mark(left_out: int) -> str:
    return f"\n[... {left_out} bytes left out here ...]\n"


def _size(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def _end_of_head(text: str, end: int) -> int:
    line = text.rfind("\n", 0, end)
    return line if line >= 0 and end - line <= end // _SLACK else end


def _start_of_tail(text: str, start: int) -> int:
    line = text.find("\n", start)
    return line + 1 if line >= 0 and line - start <= (len(text) - start) // _SLACK else start
