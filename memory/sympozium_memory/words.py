"""From text to the words by which it is found. Pure; what is indexed and what is asked go the same way.

A word is a run of letters, digits and marks, in lower case and without accents. Beside its words an
entry is indexed by the parts of those that are put together (``OOMKilled``, ``node12``), and scripts
that are written without spaces by overlapping pairs of characters.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from itertools import groupby
from typing import Final

BOUNDARY: Final = "\ue000"
"""A word of its own between what does not stand side by side in the text, so that no phrase spans it.
Of the private use area: a letter to SQLite, and never a word of a text here."""

_ASCII_WORD: Final = re.compile(r"[A-Za-z0-9]+")
_PART: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_ACCENT: Final = re.compile("[\u0300-\u036f]")
_UNSPACED: Final = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff]"
)
_LEAST_LETTERS: Final = 2
_LEAST_DIGITS: Final = 2
"""Shorter parts (the ``k`` and ``s`` of ``k8s``) would only match by chance."""

_LONGEST: Final = 64
"""Characters of a word that count. What is longer (a key, a blob in base64) is found by its beginning."""


def runs(text: str) -> Iterator[tuple[str, bool]]:
    """The runs of word characters as they are written, each with: is its script one without spaces?"""
    if text.isascii():
        yield from ((found[0], False) for found in _ASCII_WORD.finditer(text))
        return
    for kind, characters in groupby(unicodedata.normalize("NFKC", text), _kind):
        if kind and plain(run := "".join(characters)):  # not so for a mark that stands on nothing
            yield run, kind == 2


@lru_cache(maxsize=4096)
def _kind(character: str) -> int:
    """0 between words, 1 in a word, 2 in a script that is written without spaces."""
    if unicodedata.category(character)[0] not in "LNM":
        return 0
    return 2 if _UNSPACED.match(character) else 1


def plain(word: str) -> str:
    """In lower case and without accents."""
    if word.isascii():
        return word.lower()[:_LONGEST]
    bare = _ACCENT.sub("", unicodedata.normalize("NFD", word.casefold()))
    return unicodedata.normalize("NFC", bare)[:_LONGEST]


def parts(run: str) -> list[str]:
    """The parts of a word that is put together, in lower case; none for a plain one."""
    run = _ACCENT.sub("", unicodedata.normalize("NFD", run[:_LONGEST]))
    if not run.isascii() or run.isdigit() or (run.isalpha() and (run.islower() or run.isupper())):
        return []
    found = [part.lower() for part in _PART.findall(run)]
    return [part for part in found if _counts(part)] if len(found) > 1 else []


def _counts(part: str) -> bool:
    return len(part) >= (_LEAST_DIGITS if part.isdigit() else _LEAST_LETTERS)


def pairs(run: str) -> list[str]:
    """Overlapping pairs of characters; a single one is itself."""
    run = plain(run) if len(run) <= _LONGEST else run
    return [run[at : at + 2] for at in range(len(run) - 1)] or [run]


def indexed(content: str, tags: tuple[str, ...]) -> str:
    """The words of an entry, with blanks between: what the index holds of it."""
    words: list[str] = []
    extra: list[str] = []
    for run, unspaced in runs(content):
        if unspaced:
            words += pairs(run)
            continue
        words.append(plain(run))
        if found := parts(run):
            extra += [BOUNDARY, *found]
    for tag in tags:
        extra += [BOUNDARY, *(plain(run) for run, _ in runs(tag))]
    return " ".join(words + extra)
