"""What a command wrote: its head and tail for the model, the whole for a blob, all within bounds."""

from __future__ import annotations

import tempfile
from typing import Final

from sympozium_protocol.ledger import OverLimit
from sympozium_protocol.messages.calls import Part, TextPart
from sympozium_protocol.participant import Context

SHOWN: Final = 24 * 1024
"""Bytes of output that the model reads at once: some 6,000 tokens."""
HEAD: Final = SHOWN // 2
WHOLE: Final = 16 << 20
"""Bytes kept for the blob; what comes after is only counted."""
IN_MEMORY: Final = 1 << 20


class Capture:
    """Takes output piece by piece. Holds at most IN_MEMORY bytes; the rest waits in an unnamed file."""

    def __init__(self) -> None:
        self.size = 0
        self._first = bytearray()
        self._last = bytearray()
        self._whole: tempfile.SpooledTemporaryFile[bytes] | None = None

    def add(self, data: bytes) -> None:
        if self._whole is None and self.size + len(data) > SHOWN:
            self._whole = tempfile.SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115  closed by close()
            self._whole.write(self._first)
        if self._whole is not None and self.size < WHOLE:
            self._whole.write(data[: WHOLE - self.size])
        self._first += data[: max(0, SHOWN - len(self._first))]
        self._last += data
        del self._last[: -(SHOWN - HEAD)]
        self.size += len(data)

    def text(self) -> str:
        """All of it, or its head and tail and how much is left out between them."""
        if self.size <= SHOWN:
            return readable(bytes(self._first))
        head, tail = _whole_characters(bytes(self._first[:HEAD]), bytes(self._last))
        left_out = self.size - len(head) - len(tail)
        return f"{readable(head)}\n… {left_out} bytes left out …\n{readable(tail)}"

    def parts(self, context: Context, note: str = "") -> tuple[Part, ...]:
        """The text with ``note`` at its end, and the whole as a blob when the text is not the whole."""
        text = self.text()
        text = f"{text}{'' if not text or text.endswith(chr(10)) else chr(10)}{note}" if note else text
        if self._whole is None:
            return (TextPart(text=text),)
        self._whole.seek(0)
        data = self._whole.read()
        what = "the whole output" if self.size <= WHOLE else f"the first {WHOLE} bytes of the output"
        media_type = "text/plain" if _is_text(data) else "application/octet-stream"
        try:
            return TextPart(text=text), context.blob(data, media_type=media_type, note=what)
        except OverLimit:
            return (TextPart(text=f"{text}\n[the whole output was not kept: this run's disk is used up]"),)

    def close(self) -> None:
        if self._whole is not None:
            self._whole.close()


def readable(data: bytes) -> str:
    """Any bytes as text: what is not UTF-8 is shown as \\xNN."""
    return data.decode("utf-8", "backslashreplace")


def _is_text(data: bytes) -> bool:
    try:
        data[: 64 * 1024].decode("utf-8")
    except UnicodeDecodeError as error:
        return error.reason == "unexpected end of data"
    return True


def _whole_characters(head: bytes, tail: bytes) -> tuple[bytes, bytes]:
    """Both without the halves of characters at the cut (man utf-8: a continuation byte is 10xxxxxx)."""
    begins = next((n for n in range(1, 5) if len(head) >= n and head[-n] & 0xC0 != 0x80), 0)
    if begins and head[-begins] >= 0xC0:
        try:
            head[-begins:].decode()
        except UnicodeDecodeError:
            head = head[:-begins]
    skip = next((n for n in range(4) if len(tail) > n and tail[n] & 0xC0 != 0x80), 0)
    return head, tail[skip:]
