"""Memories by the million, made of the words of the labelled set: the same ones every time.

Half of an entry's words come from one or two of the 500 (words that belong together), half from all of them by a
Zipf-like choice; a few names are its own, as pods, dates and error codes are.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from itertools import accumulate

from tests.support.labelled import memos, queries

SEED = 20_261_121
EDITION = "1"
"""Raised when other texts are made: what was built of the old ones is not used again."""

_HEX = "0123456789abcdef"


class Author:
    """Writes entries: the same for the same seed."""

    def __init__(self, seed: int = SEED) -> None:
        self.random = random.Random(seed)
        self.memos = memos()
        self.words = [memo.content.split() for memo in self.memos]
        counted = Counter(word for words in self.words for word in words)
        self.vocabulary = [word for word, _ in counted.most_common()]
        self.zipf = list(accumulate(1 / rank for rank in range(2, len(self.vocabulary) + 2)))

    def entry(self) -> tuple[str, tuple[str, ...]]:
        """Content of 10 to 50 words, and one to three tags."""
        chosen = self.random
        count = chosen.randint(4, 22)
        about = chosen.randrange(len(self.memos))
        content = chosen.sample(self.words[about], min(count, len(self.words[about])))
        if chosen.random() < 0.5:
            other = chosen.choice(self.words)
            content += chosen.sample(other, min(count // 3 + 1, len(other)))
        content += chosen.choices(self.vocabulary, cum_weights=self.zipf, k=count)
        content += [self._name() for _ in range(chosen.randint(1, 3))]
        chosen.shuffle(content)
        return " ".join(content), self.memos[about].tags[:3]

    def _name(self) -> str:
        chosen = self.random
        match chosen.randrange(4):
            case 0:
                digits = "".join(chosen.choices(_HEX, k=13))
                return f"{self.memos[chosen.randrange(30)].tags[0]}-{digits[:8]}-{digits[8:]}"
            case 1:
                return f"{chosen.randint(2023, 2026)}-{chosen.randint(1, 12):02}-{chosen.randint(1, 28):02}"
            case 2:
                return f"E{chosen.randrange(100_000)}"
            case _:
                return f"node-{chosen.randrange(5_000)}"


def entries(count: int) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The 500, then made ones: ``count`` in all, each content once."""
    author = Author()
    seen = set()
    for memo in author.memos[:count]:
        seen.add(hash(memo.content))
        yield memo.content, memo.tags
    while len(seen) < count:
        content, tags = author.entry()
        if hash(content) not in seen:
            seen.add(hash(content))
            yield content, tags


def questions(made: int = 356) -> list[str]:
    """The labelled queries and made ones: two to seven words of an entry that is not there as such."""
    author = Author(SEED + 1)
    found = [query.text for query in queries()]
    for _ in range(made):
        content, _ = author.entry()
        words = content.split()
        found.append(" ".join(author.random.sample(words, min(len(words), author.random.randint(2, 7)))))
    author.random.shuffle(found)
    return found
