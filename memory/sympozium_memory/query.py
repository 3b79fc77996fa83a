"""From a question to the terms that are looked for. Pure: what a memory holds is not known here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from sympozium_memory.related import Words, others, phrases, stems, stopwords
from sympozium_memory.words import pairs, parts, plain, runs

MAX_TERMS: Final = 24
"""What else a question asks for is not looked for: it is answered by its beginning."""

MAX_QUERY: Final = 4_000
"""Characters of a question that are read."""

_LONGEST_ENDING: Final = 3
"""Letters of an ending that a beginning may reach into."""

_LEAST_PREFIX: Final = 3
"""Characters: shorter beginnings of words fit too many."""


@dataclass(frozen=True, slots=True)
class Way:
    """One way in which an entry can answer a term: these words in a row. ``prefix``: the last may go on."""

    words: Words
    weight: float = 1.0
    prefix: bool = False

    @property
    def match(self) -> str:
        """In FTS5's query language. Words are letters, digits and marks alone: nothing needs escaping."""
        return f'"{" ".join(self.words)}"' + (" *" if self.prefix else "")

    @property
    def needle(self) -> str:
        """What to look for in the stems of an entry."""
        return f" {' '.join(stems(self.words))}" + ("" if self.prefix else " ")


@dataclass(frozen=True, slots=True)
class Term:
    """One thing that is asked for, and the ways to it. ``whole``: the word that this is a part of."""

    ways: tuple[Way, ...]
    whole: Words | None = None

    @property
    def words(self) -> Words:
        return self.ways[0].words

    @property
    def match(self) -> str:
        return " OR ".join(way.match for way in self.ways)

    def begun(self) -> Iterator[Term]:
        """The same term where its word is the beginning of one: as it is, then cut back, for the index holds stems
        ("idempoten" begins "idempotency", of which it holds "idempot"). None for what is too short for that.
        """
        *before, last = self.words
        for length in range(len(last), max(_LEAST_PREFIX, len(last) - _LONGEST_ENDING) - 1, -1):
            yield Term((Way((*before, last[:length]), 0.5, prefix=True),), self.whole)


def terms_of(question: str) -> list[Term]:
    """What a question asks for, each once; none when it has no word at all."""
    asked = _Asked()
    for chunk in question[:MAX_QUERY].split():
        asked.chunk(chunk)
    asked.phrases()
    found = list(asked.terms.values())
    said = [term for term in found if not all(word in stopwords() for word in term.words)]
    return (said or found)[:MAX_TERMS]


def stems_of(words: str) -> str:
    """The stems of what is indexed of an entry, with a blank before and after each."""
    return f" {' '.join(stems(words.split()))} "


class _Asked:
    """The terms of a question so far, by their stems, in its order."""

    def __init__(self) -> None:
        self.terms: dict[Words, Term] = {}
        self.row: list[str] = []

    def chunk(self, text: str) -> None:
        """What stands between two blanks: a word, or several that are put together (``payments-api``)."""
        found = [(run, unspaced) for run, unspaced in runs(text)]
        spaced = [run for run, unspaced in found if not unspaced]
        whole = tuple(map(plain, spaced)) if len(spaced) > 1 else None
        if whole:
            self._add(whole, ())
        for run, unspaced in found:
            if unspaced:
                for pair in pairs(run):
                    self._add((pair,), ())
            else:
                self._add((plain(run),), tuple(parts(run)), whole)

    def phrases(self) -> None:
        """What is asked for in several words (``out of memory``)."""
        row = f" {' '.join(stems(self.row))} "
        for phrase in phrases():
            if f" {' '.join(phrase)} " in row:
                self._add(phrase, ())

    def _add(self, words: Words, made_of: Words, whole: Words | None = None) -> None:
        if len(words) == 1:
            self.row += words
        key = stems(words)
        if key in self.terms:
            return
        ways = [Way(words)]
        if len(made_of) > 1:
            ways.append(Way(made_of, 0.95))
        elif len(words) > 1:
            ways.append(Way(("".join(words),), 0.95))
        ways += [Way(other, weight) for other, weight in others().get(key, {}).items()]
        self.terms[key] = Term(tuple(ways), whole)
