"""JSON of the API server that is nested deeper than a program reads. Pure.

Whoever may write an object can nest what its schema leaves open, thousands of levels deep; the server keeps it, and
lists it among the others. Here it must cost nobody but its author anything.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

DEEPEST: Final = 250
"""Levels that are read: fewer than Python's parser stops at, more than any object of use has."""
_TOKEN: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}]', re.DOTALL)
_PART: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|["\[\]{},]', re.DOTALL)


def parse(data: bytes) -> Any:
    """The value; what lies deeper than DEEPEST is null. Raises ValueError for what is no JSON."""
    try:
        return json.loads(data)
    except RecursionError:
        return json.loads(cut(data))


def cut(data: bytes) -> bytes:
    """``data`` with null for each value that is nested deeper than DEEPEST."""
    pieces, kept, depth = [], 0, 0
    for token in _TOKEN.finditer(data):
        if token[0] in b"[{":
            depth += 1
            if depth == DEEPEST + 1:
                pieces.append(data[kept : token.start()])
                kept = len(data)  # until it is closed, if ever
        elif token[0] in b"]}":
            if depth == DEEPEST + 1:
                pieces.append(b"null")
                kept = token.end()
            depth -= 1
    return b"".join((*pieces, data[kept:]))


def end_of(data: bytes) -> int:
    """How long the object or list is that ``data`` begins with; 0 where its end is not there."""
    depth = 0
    for token in _PART.finditer(data):
        if token[0] == b'"':  # of a text whose end is not there
            return 0
        depth += (token[0] in b"[{") - (token[0] in b"]}")
        if not depth:
            return token.end()
    return 0


def has_more_values(data: bytes, most: int) -> bool:
    """Does this JSON hold more than some ``most`` values? Told without making them."""
    if sum(map(data.count, (b"{", b"[", b","))) <= most:
        return False
    parts = 0
    for token in _PART.finditer(data):
        parts += token[0] in b"{[,"
        if parts > most:
            return True
    return False
