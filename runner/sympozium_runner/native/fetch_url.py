"""fetch_url: a page of the public web, as text."""

from __future__ import annotations

import asyncio
import re
import sys
from typing import Final

from sympozium_protocol.messages.base import JsonObject
from sympozium_protocol.messages.calls import Tool
from sympozium_protocol.participant.context import Result
from sympozium_runner.native.base import Native, NativeContext
from sympozium_runner.native.kinds import kind_of
from sympozium_runner.native.paths import Refused
from sympozium_runner.native.web import REDIRECTS, Fetched, Resolve, get, resolve as by_system

LARGEST: Final = 2 << 20
"""Bytes of a body, decompressed."""

SECONDS: Final = 30.0
"""For all of it: names, redirects, body."""

_READING_SECONDS = 15.0
_HTML = ("text/html", "application/xhtml+xml")
_TEXT = re.compile(r"text/.*|application/([\w.+-]*\+)?(json|xml|javascript|ecmascript|yaml|x-yaml|toml|x-ndjson|x-sh)$")
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([\w.:-]+)", re.IGNORECASE)
# the codecs that are character sets; Python has others, which compute
_CHARACTER_SET = re.compile(r"(utf|iso-?8859|windows|cp\d|latin|us-ascii|ascii|koi8|gb|big5|shift|sjis|euc)", re.I)


async def fetch_url(arguments: JsonObject, env: NativeContext, /, *, resolve: Resolve = by_system) -> Result:
    """Answer with status, content type and text."""
    url, limit = str(arguments["url"]), min(int(arguments.get("max_bytes", LARGEST)), LARGEST)
    try:
        async with asyncio.timeout(SECONDS):
            private = env.spec.native.fetch_private
            found = await get(url, limit, private=private, wanted=_is_wanted, resolve=resolve)
        return await show(found)
    except TimeoutError:
        return Result.error(f"There was no whole answer within {SECONDS:g} seconds.")
    except Refused as fault:
        return Result.error(str(fault))


def _media_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def _is_wanted(content_type: str) -> bool:
    kind = _media_type(content_type)
    return not kind or kind in _HTML or _TEXT.fullmatch(kind) is not None


async def show(found: Fetched) -> Result:
    """The answer as the model reads it; a status of 400 or more is an error, with what the server said."""
    kind = _media_type(found.content_type)
    head = f"{found.url}: status {found.status}, {kind or 'no content type'}"
    details: JsonObject = {"url": found.url, "status": found.status, "contentType": kind, "bytes": len(found.body)}
    text = await _text(found, kind)
    if not found.whole and found.body:
        head += f", the first {len(found.body)} bytes"
    make = Result.text if found.status < 400 else Result.error
    return make(f"{head}\n\n{text}".rstrip(), **details)


async def _text(found: Fetched, kind: str) -> str:
    if not _is_wanted(found.content_type):
        size = f"{found.declared} bytes" if found.declared is not None else "size not told"
        return f"[binary content of type {kind}, {size}; not fetched]"
    strange = kind_of(found.body[:4096], found.body) if "charset" not in found.content_type.lower() else None
    if strange is not None and strange != "UTF-16 text":
        return f"[binary content ({strange}), {len(found.body)} bytes; not shown]"
    source = decode(found.body, found.content_type, html=kind in _HTML)
    return await readable(source, found.url) if kind in _HTML else source


def decode(body: bytes, content_type: str, *, html: bool) -> str:
    """By byte order mark, header, the page's own word, else UTF-8; what does not fit becomes �."""
    for mark, name in ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")):
        if body.startswith(mark):
            return body[len(mark) :].decode(name, "replace")
    said = _CHARSET.search(content_type)
    if said is None and html:
        said = _CHARSET.search(body[:1024].decode("latin-1"))
    name = said.group(1) if said and _CHARACTER_SET.match(said.group(1)) else "utf-8"
    try:
        return body.decode(name, "replace")
    except LookupError:
        return body.decode("utf-8", "replace")


async def readable(source: str, url: str) -> str:
    """The text of a page, read in a process of its own; its source, marked, where that fails.

    A page is a stranger's program for a parser: it may cost any amount of time and memory, and
    what it costs must not be the agent's.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-m", "sympozium_runner.readable", url),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(_READING_SECONDS):
            text, _ = await process.communicate(source.encode("utf-8", "replace"))
    except TimeoutError:
        text = b""
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        return f"[this page could not be made readable; its source follows]\n\n{source}"
    return text.decode("utf-8", "replace")


FETCH_URL = Native(
    Tool(
        name="fetch_url",
        description=(
            "GET a page over http or https and read it as text: HTML with its headings, links, lists, tables and code, "
            "other text as it is; binary content is named, not shown. Private and local addresses are refused unless "
            f"the run allows them. At most {LARGEST} bytes, {SECONDS:g} seconds and {REDIRECTS} redirects."
        ),
        parameters={
            "type": "object",
            "properties": {
                "url": {"type": "string", "minLength": 1, "maxLength": 8192},
                "max_bytes": {
                    "type": "integer",
                    "minimum": 1,
                    "description": "bytes of the body to read",
                    "default": LARGEST,
                },
            },
            "required": ["url"],
            "additionalProperties": False,
        },
    ),
    fetch_url,
)
