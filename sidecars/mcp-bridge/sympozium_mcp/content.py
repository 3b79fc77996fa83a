"""What a server answered, as the content of a Reply: text that the model can read, and blobs for the rest."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable
from typing import Any, Final

import mcp_types as types

from sympozium_mcp.secrets import Redactor
from sympozium_protocol.messages.calls import Part, TextPart
from sympozium_protocol.participant.context import Context, Result

INLINE: Final = 64 << 10
"""Characters of text in a reply, and again of its details: even if JSON writes each with six, a reply of 1 MiB holds
both. The agent shows its model less than that."""
TASTE: Final = 200
"""Characters that are shown of a text when there is no room any more, and of the name of a blob."""
MOST_PARTS: Final = 100

_Contents = types.TextResourceContents | types.BlobResourceContents


class Answer:
    """The content of one reply, as it grows."""

    def __init__(self, context: Context, redactor: Redactor) -> None:
        self._context = context
        self._redactor = redactor
        self._room = INLINE
        self._said: list[str] = []
        self.parts: list[Part] = []
        self.details: dict[str, Any] = {}

    def result(self, *, error: bool = False) -> Result:
        return Result(outcome="error" if error else "ok", content=tuple(self.parts), details=self.details)

    def blocks(self, blocks: Iterable[types.ContentBlock]) -> None:
        """Content blocks of a tool's result."""
        for number, block in enumerate(blocks):
            if number >= MOST_PARTS:
                self.text("[More content followed, and was left out.]")
                return
            self.block(block)

    def block(self, block: types.ContentBlock) -> None:
        match block:
            case types.TextContent():
                self.text(block.text)
            case types.ImageContent():
                self.binary(block.data, block.mime_type, "an image")
            case types.AudioContent():
                self.binary(block.data, block.mime_type, "audio")
            case types.EmbeddedResource():
                self.resource(block.resource)
            case types.ResourceLink():
                self.text(_link(block))

    def resource(self, contents: _Contents) -> None:
        """What a resource holds."""
        if isinstance(contents, types.TextResourceContents):
            self.text(f"[resource {contents.uri}]\n{contents.text}")
        else:
            self.binary(contents.blob, contents.mime_type, f"resource {contents.uri}")

    def structured(self, value: Any) -> None:
        """Structured content: for programs in the details, and as text unless a text says it already."""
        value = self._redactor.json(value)
        try:
            text = json.dumps(value, ensure_ascii=False, allow_nan=False)
        except ValueError:
            text = json.dumps(value, ensure_ascii=False)
        else:
            if len(text) <= INLINE:
                self.details["structuredContent"] = value
        if not _says(self._said, value):
            apart = bool(self.parts) and isinstance(self.parts[-1], TextPart) and not self.parts[-1].text.endswith("\n")
            self.text(f"\n{text}" if apart else text)  # parts may be shown without anything between them

    def text(self, text: str) -> None:
        """A text; one that has no room is kept whole in a blob, and its head is shown."""
        # a lone surrogate is JSON to some servers, and to no file
        text = self._redactor.text(text).encode(errors="replace").decode()
        self._said.append(text)
        if len(text) <= self._room:
            self._room -= len(text)
            self.parts.append(TextPart(text=text))
            return
        head = text[: max(min(self._room, INLINE // 2), TASTE)]
        self._room = max(0, self._room - len(head))
        data = text.encode()
        self.parts.append(TextPart(text=f"{head}\n[… cut here: the whole text has {len(data)} bytes.]"))
        self.parts.append(self._context.blob(data, media_type="text/plain", note="the whole of the text before it"))

    def binary(self, data: str, media_type: str | None, what: str) -> None:
        """Base64 becomes a blob, with words for the model that say what it is."""
        what = self._redactor.text(what)[:TASTE]
        media_type = self._redactor.text(media_type or "application/octet-stream")[:100]
        try:
            found = self._redactor.bytes(base64.b64decode(data, validate=True))
        except (binascii.Error, ValueError):
            self.text(f"[{what}, {media_type}: it is not valid base64, and was left out.]")
            return
        self.parts.append(self._context.blob(found, media_type=media_type, note=what))


def _link(link: types.ResourceLink) -> str:
    said = ", ".join(part for part in (link.title or link.name, link.mime_type, link.description) if part)
    return f"[resource {link.uri}: {said}]"


def _says(texts: list[str], value: Any) -> bool:
    """Do the texts say ``value`` already: as JSON, or as what a server wrapped to make an object of it?"""
    if any(_same(text, value) for text in texts):
        return True
    if not isinstance(value, dict) or value.keys() != {"result"}:
        return False
    result = value["result"]
    if isinstance(result, list) and len(result) == len(texts) > 0:  # one text an item
        return all(map(_same, texts, result))
    return any(_same(text, result) for text in texts)


def _same(text: str, value: Any) -> bool:
    """Is ``text`` the value itself, or the JSON of it?"""
    try:
        return bool(text == value or json.loads(text) == value)
    except (ValueError, RecursionError):
        return False
