"""The words that stand for one another, and those that say nothing: read from data/, once."""

from __future__ import annotations

from functools import cache, lru_cache
from importlib import resources
from typing import Final

import Stemmer

from sympozium_memory.words import plain, runs

SAME: Final = 0.9
RELATED: Final = 0.45
"""What a match by another word weighs, beside 1 for the word itself."""

_LEAST: Final = 3
"""Characters: shorter words have no stem but themselves, to SQLite."""

Words = tuple[str, ...]

_porter = Stemmer.Stemmer("porter", 0)  # its own cache is slower than the one below


def stems(words: Words | list[str]) -> Words:
    """Porter's stems, as SQLite's tokenizer of that name makes them."""
    return tuple(map(_stem, words))


@lru_cache(4_000)  # the common words, and no megabytes
def _stem(word: str) -> str:
    stem: str = _porter.stemWord(word) if len(word) >= _LEAST else word
    return stem


@cache
def stopwords() -> frozenset[str]:
    return frozenset(word for line in _lines("stopwords.txt") for word in _words(line))


@cache
def others() -> dict[Words, dict[Words, float]]:
    """For the stems of a word or phrase: the other words that answer it, each with what it weighs."""
    found: dict[Words, dict[Words, float]] = {}
    for line in _lines("related.txt"):
        asked, arrow, said = line.partition(">")
        group = [_words(part) for part in asked.split("=")]
        for one in group:
            known = found.setdefault(stems(one), {})
            known |= {other: SAME for other in group if other != one}
            if arrow:
                known |= {_words(part): RELATED for part in said.split(",") if _words(part) not in known}
    return found


@cache
def phrases() -> tuple[Words, ...]:
    """The stems of what is asked for in several words."""
    return tuple(asked for asked in others() if len(asked) > 1)


def _lines(name: str) -> list[str]:
    text = resources.files("sympozium_memory").joinpath("data", name).read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line.strip() and not line.startswith("#")]


def _words(text: str) -> Words:
    return tuple(plain(run) for run, _ in runs(text))
