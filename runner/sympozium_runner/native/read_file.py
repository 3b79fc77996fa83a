"""read_file: a page of a text file, or of a blob."""

from __future__ import annotations

import asyncio
import os
import re
import stat
from dataclasses import dataclass
from typing import Final

from sympozium_protocol.messages.base import JsonObject
from sympozium_protocol.messages.calls import Tool
from sympozium_protocol.participant.context import Result
from sympozium_runner.native.base import Native, NativeContext
from sympozium_runner.native.kinds import kind_of
from sympozium_runner.native.paths import Refused, explain, locate

PAGE: Final = 20_000
"""Bytes of one page: below what the toolbox shows of one answer, so that no page is cut again."""

_HEAD = 4096
_BLOB = re.compile(r"blob:([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Page:
    """Some bytes of a file: ``size`` is the whole file's; -1 when the file cannot tell (/proc)."""

    head: bytes
    data: bytes
    offset: int
    size: int


async def read_file(arguments: JsonObject, env: NativeContext) -> Result:
    """Answer with one page."""
    path, offset = str(arguments["path"]), int(arguments.get("offset", 0))
    limit = max(4, min(int(arguments.get("limit", PAGE)), PAGE))  # 4: a whole character of UTF-8
    try:
        # in a thread: a file can be on a slow volume, and a blob large
        page = await asyncio.to_thread(_page, path, offset, limit, env)
    except Refused as fault:
        return Result.error(str(fault))
    except OSError as error:
        return Result.error(explain(path, error))
    return show(path, page, limit)


def _page(path: str, offset: int, limit: int, env: NativeContext) -> Page:
    if path.startswith("blob:"):
        return _page_of_blob(path, offset, limit, env)
    place = locate(path, env.workspace)
    fd = os.open(place, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    try:
        facts = os.fstat(fd)
        if stat.S_ISDIR(facts.st_mode):
            raise Refused(f"{path}: is a directory; list_directory shows what is in it.")
        if not stat.S_ISREG(facts.st_mode):
            raise Refused(f"{path}: is not a regular file, so it cannot be read.")
        size = facts.st_size or -1  # files of /proc and /sys have size 0 and content
        start = _start(offset, max(size, 0))
        head = _read(fd, min(_HEAD, limit), 0)
        return Page(head, _read(fd, limit + 1, start), start, size if head else 0)
    finally:
        os.close(fd)


def _read(fd: int, count: int, start: int) -> bytes:
    data = b""
    while len(data) < count and (more := os.pread(fd, count - len(data), start + len(data))):
        data += more
    return data


def _page_of_blob(path: str, offset: int, limit: int, env: NativeContext) -> Page:
    name = _BLOB.fullmatch(path)
    if name is None:
        raise Refused("A blob is named blob: followed by the 64 hexadecimal digits of its digest.")
    data = env.read_blob(name.group(1))
    if data is None:
        raise Refused(f"{path}: this run has no such blob.")
    start = _start(offset, len(data))
    return Page(data[:_HEAD], data[start : start + limit + 1], start, len(data))


def _start(offset: int, size: int) -> int:
    return max(0, size + offset) if offset < 0 else offset


def show(path: str, page: Page, limit: int) -> Result:
    """The page as text, ending on a whole line where it can, with where the next begins. Pure."""
    kind = kind_of(page.head, page.data)
    if kind is not None:
        size = f"{page.size} bytes" if page.size >= 0 else "size unknown"
        return Result.text(f"{path}: is a binary file ({kind}, {size}), which is not shown.", size=page.size, kind=kind)
    if not page.data:
        return _nothing(path, page)
    skipped = _continuation(page.data) if page.offset else 0
    data = page.data[skipped:] if len(page.data) <= limit else page.data[skipped : _end(page.data, limit)]
    text = data.decode("utf-8", "replace")
    begin = page.offset + skipped
    end = begin + len(data)
    more = len(page.data) > limit
    return Result.text(text + _footer(begin, end, page.size, more=more), offset=begin, next=end, size=page.size)


def _nothing(path: str, page: Page) -> Result:
    if page.offset and page.size != 0:
        return Result.text(f"{path}: has {max(page.size, 0)} bytes; there is nothing at offset {page.offset}.")
    return Result.text(f"{path}: is empty.", size=0)


def _footer(begin: int, end: int, size: int, *, more: bool) -> str:
    if not more and begin == 0:
        return ""
    whole = f" of {size}" if size >= 0 else ""
    then = f"; go on with offset {end}" if more else "; this is the end"
    return f"\n[bytes {begin} to {end}{whole}{then}]"


def _continuation(data: bytes) -> int:
    """How many bytes at the beginning belong to a character that began before."""
    count = 0
    while count < min(3, len(data)) and data[count] & 0xC0 == 0x80:
        count += 1
    return count


def _end(data: bytes, limit: int) -> int:
    """Where a page of at most ``limit`` bytes ends: after a line in its second half, else after a character."""
    line = data.rfind(b"\n", limit // 2, limit)
    if line >= 0:
        return line + 1
    end = limit
    while end > limit - 4 and data[end] & 0xC0 == 0x80:
        end -= 1
    return end if end > limit - 4 else limit


READ_FILE = Native(
    Tool(
        name="read_file",
        description=(
            "Read a text file, or a page of it. A path below /workspace, a relative path (from /workspace), any other "
            "absolute path that the agent can read, or blob:<digest> for a body that an earlier answer named. Offset "
            f"and limit count bytes; a page has at most {PAGE} of them, ends on a whole line where it can, and says "
            "with which offset to go on. A negative offset counts from the end. Binary files are named, not shown."
        ),
        parameters={
            "type": "object",
            "properties": {
                "path": {"type": "string", "minLength": 1, "description": "the file, or blob:<digest>"},
                "offset": {
                    "type": "integer",
                    "description": "first byte, from 0; negative: from the end",
                    "default": 0,
                },
                "limit": {"type": "integer", "minimum": 1, "description": "bytes of the page", "default": PAGE},
            },
            "required": ["path"],
            "additionalProperties": False,
        },
    ),
    read_file,
)
