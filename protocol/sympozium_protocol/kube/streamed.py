"""Answers that are read as they come: a list object by object, a watch line by line.

An object of the API server takes 1.5 MiB, and some thirty times that as values of Python; a page of them is never
here as a whole.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final, TypeAlias

from sympozium_protocol.kube.api import Each, KubeObject
from sympozium_protocol.kube.nesting import cut, end_of

Read: TypeAlias = Callable[[], Awaitable[bytes]]
"""The next bytes of an answer; none at its end."""

_SPACE: Final = re.compile(r"[ \t\r\n]*")
_DECODER: Final = json.JSONDecoder()


async def listed(read: Read, each: Each) -> tuple[list[KubeObject], KubeObject]:
    """What is kept of each of a list's items, and the rest of the list. Raises ValueError for what is no list."""
    text, items, rest = _Text(read), [], {}
    async for name in text.members("{", "}"):
        await text.skip(":")
        if name == "items" and await text.next() == "[":
            async for one in text.members("[", "]"):
                items.append(each(one))
                del one  # before the next one is waited for
        else:
            rest[str(name)] = await text.value()
    return items, rest


async def lines(read: Read) -> AsyncIterator[bytes]:
    """Lines of any length, each with its end."""
    parts: list[bytes] = []
    while chunk := await read():
        for one in re.findall(rb"[^\n]*\n|[^\n]+", chunk):
            parts.append(one)
            if one.endswith(b"\n"):
                line, parts = b"".join(parts), []
                yield line
    if parts:
        yield b"".join(parts)


class _Text:
    """JSON of which the beginning is here. Every method raises ValueError where it is none, or ends too early."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._text = ""
        self._at = 0
        self._over = False

    async def members(self, opens: str, closes: str) -> AsyncIterator[Any]:
        """Values with commas between them; of an object the names."""
        await self.skip(opens)
        while await self.next() != closes:
            yield await self.value()
            if await self.next() == ",":
                await self.skip(",")
        await self.skip(closes)

    async def next(self) -> str:
        """The character that stands next."""
        while True:
            found = _SPACE.match(self._text, self._at)
            self._at = found.end() if found else self._at
            if self._at < len(self._text):
                return self._text[self._at]
            if self._over:
                raise ValueError("the answer ends too early")
            await self._more(1)

    async def skip(self, character: str) -> None:
        if (found := await self.next()) != character:
            raise ValueError(f"the answer has {found!r} for {character!r}")
        self._at += 1

    async def value(self) -> Any:
        await self.next()
        while True:
            if there := self._whole():
                return there[0]
            await self._more(len(self._text) - self._at)  # twice as much: it is begun again

    def _whole(self) -> tuple[Any] | None:
        """The value that stands next, if all of it is here."""
        try:
            found, end = _DECODER.raw_decode(self._text, self._at)
        except RecursionError:
            data = self._text[self._at :].encode()
            length = end_of(data)
            if not length and not self._over:
                return None
            found, end = json.loads(cut(data[:length])), self._at + len(data[:length].decode())
        except ValueError:
            if self._over:
                raise
            return None
        if end == len(self._text) and not self._over:
            return None  # a number may go on
        self._at = end
        return (found,)

    async def _more(self, least: int) -> None:
        parts, got = [self._text[self._at :]], 0
        self._text, self._at = "", 0
        while got < least and not self._over:
            chunk = await self._read()
            self._over = not chunk
            parts.append(self._decode(chunk, self._over))
            got += len(parts[-1])
        self._text = "".join(parts)
