"""An entry, and what content and tags may be. Pure."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from sympozium_memory.faults import BadInput

Trust: TypeAlias = Literal["agent", "person", "seed"]

TRUST: Final[dict[str, int]] = {"agent": 0, "seed": 1, "person": 2}
"""Who said it, and how much that weighs: a person's word for an entry outweighs an agent's."""

MAX_CONTENT: Final = 8_000
"""Characters of an entry: several pages. What is longer belongs into a file that an entry names."""

MAX_TAGS: Final = 16
MAX_TAG: Final = 64
"""Characters of a tag."""

_TAG: Final = re.compile(r"\w[\w.:/@+-]*")


@dataclass(frozen=True, slots=True)
class Entry:
    """One memory, as it was found. ``score`` is 0 where nothing was searched for."""

    id: int
    content: str
    tags: tuple[str, ...]
    run: str
    created: float
    """Seconds since the epoch, when it was first stored."""
    trust: Trust
    digest: str
    """SHA-256 of the content."""
    count: int
    """How often it was stored."""
    score: float = 0.0


@dataclass(frozen=True, slots=True)
class Stored:
    """What storing came to: the entry's id, whether it is new, and how often it has been stored."""

    id: int
    added: bool
    count: int


def digest_of(content: str) -> str:
    return hashlib.sha256(content.encode()).hexdigest()


def clean_content(content: str) -> str:
    """The content as it is kept: without blank space around it. Raises BadInput."""
    kept = content.strip()
    if not kept:
        raise BadInput("content", "is empty: say what is to be remembered")
    if len(kept) > MAX_CONTENT:
        raise BadInput("content", f"has {len(kept)} characters; at most {MAX_CONTENT} are kept. Store the essence")
    if "\0" in kept:
        raise BadInput("content", "holds a NUL character: a memory is text")
    try:
        kept.encode()
    except UnicodeEncodeError:
        raise BadInput("content", "is not valid Unicode text") from None
    return kept


def clean_tags(tags: Iterable[str]) -> tuple[str, ...]:
    """Tags in lower case, sorted, each once. Raises BadInput."""
    kept = sorted({_clean_tag(tag) for tag in tags})
    if len(kept) > MAX_TAGS:
        raise BadInput("tags", f"are {len(kept)}; an entry has at most {MAX_TAGS}")
    return tuple(kept)


def _clean_tag(tag: str) -> str:
    kept = unicodedata.normalize("NFC", tag.strip()).casefold()
    if not kept or len(kept) > MAX_TAG or not _TAG.fullmatch(kept):
        shown = tag if len(tag) <= MAX_TAG else tag[:MAX_TAG] + "…"
        raise BadInput(
            "tags",
            f"has {shown!r}: a tag is one word of letters, digits and . : / @ + - _, at most {MAX_TAG} characters",
        )
    return kept
