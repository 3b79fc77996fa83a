"""HTML to readable text: headings, links, lists, tables, quotations and code keep their shape.

Run as a program it reads a page on standard input and writes its text, in a process that has no
network and bounds its own memory and time before it looks at anything.
"""

from __future__ import annotations

import re
import resource
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final
from urllib.parse import urljoin

from sympozium_runner.seccomp import CannotLock, lock_network

if TYPE_CHECKING:
    from selectolax.lexbor import LexborHTMLParser, LexborNode

LARGEST: Final = 4 << 20
"""Characters of the text; what comes after is left out."""

QUOTE: Final = "> "
_DEEPEST = 8
"""Levels of lists and quotations that are indented: a page can nest thousands."""

_LONGEST_LINK = 2000
_MEMORY = 768 << 20
_SECONDS = 10


def _tags(names: str) -> frozenset[str]:
    return frozenset(names.split())


_SKIPPED = _tags(
    "script style template noscript svg math iframe object embed canvas audio video map datalist select head"
)
_BLOCKS = _tags(
    "p div section article main header footer nav aside address figure figcaption form fieldset details summary "
    "dl dt dd ul ol blockquote pre table caption h1 h2 h3 h4 h5 h6 hr body html li tr center"
)
_SPACED = _tags("p h1 h2 h3 h4 h5 h6 ul ol dl blockquote pre table hr article section figure")
_HEADINGS = {f"h{level}": "#" * level + " " for level in range(1, 7)}
_SPACE = re.compile(r"[ \t\r\n\f\v\u00a0]+")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class Full(Exception):
    """The text has become as large as it may."""


class Page:
    """The text so far. Breaks, and what opens something (a heading, a link, an item), are written
    with the next word, so that what is empty leaves no trace."""

    def __init__(self) -> None:
        self.out: list[str] = []
        self.size = 0
        self.breaks = 0
        self.space = False
        self.prefix: list[str] = []
        self.written: list[str] = []
        """The prefix of the line written last."""
        self.openers: list[str] = []
        self.in_cell = False
        self.in_pre = False

    def _put(self, text: str) -> None:
        self.out.append(text)
        self.size += len(text)
        if self.size > LARGEST:
            raise Full

    def line_break(self, count: int = 1) -> None:
        """At least ``count`` newlines before what comes; within a cell of a table a space does."""
        self.space = self.in_cell
        if not self.in_cell:
            self.breaks = max(self.breaks, count)

    def _begin(self) -> None:
        """Write what must stand before the next word."""
        if self.breaks and self.out:
            self._put("\n" + (self._between() + "\n") * (self.breaks - 1))
        if self.breaks or not self.out:
            self._put("".join(self.prefix))
            self.prefix = [part if part == QUOTE else " " * len(part) for part in self.prefix]
            self.written = list(self.prefix)
        elif self.space:
            self._put(" ")
        self.breaks, self.space = 0, False
        openers, self.openers = self.openers, []
        for opener in openers:
            self._put(opener)

    def _between(self) -> str:
        """How an empty line begins: by the quotations that the lines around it share."""
        shared = [old for old, new in zip(self.written, self.prefix, strict=False) if old == new or old.isspace()]
        return "".join(shared).rstrip()

    def raw(self, text: str) -> None:
        """Text that is there even when nothing follows."""
        self._begin()
        self._put(text)

    def close(self, opener: str, closer: str) -> bool:
        """The end of what ``opener`` began; False when it had nothing in it."""
        if self.openers and self.openers[-1] == opener:
            self.openers.pop()
            return False
        self._put(closer)
        return True

    def text(self, text: str) -> None:
        text = _CONTROL.sub("", text.replace("\r\n", "\n"))
        if self.in_pre and not self.in_cell:
            self._verbatim(text)
            return
        words = _SPACE.sub(" ", text)
        if words.startswith(" "):
            self.space = True
        if words := words.strip(" "):
            self._begin()
            self._put(words.replace("|", "\\|") if self.in_cell else words)
            self.space = text[-1:].isspace()

    def _verbatim(self, text: str) -> None:
        for number, line in enumerate(text.split("\n")):
            self.breaks += number > 0
            if line:
                self._begin()
                self._put(line)

    def result(self) -> str:
        return "".join(self.out).strip("\n")


class Walker:
    """Goes through a page once, without recursion: pages can be nested deeper than Python's stack."""

    def __init__(self, parser: LexborHTMLParser, url: str) -> None:
        self.page = Page()
        self.base = _base(parser, url)
        self.layout = _layout_tables(parser)
        self.lists: list[int] = []
        self.ends: list[tuple[str, object]] = []
        self.tables: list[_Table] = []

    def enter(self, node: LexborNode, tag: str) -> None:
        """Begin an element; what is needed to end it goes on the stack."""
        page = self.page
        if tag in _BLOCKS:
            page.line_break(2 if tag in _SPACED and not self.lists else 1)
        end: object = None
        if tag in _HEADINGS:
            end = _HEADINGS[tag]
            page.openers.append(_HEADINGS[tag])
        elif tag == "a":
            end = self._enter_link(node)
        elif tag in ("ul", "ol"):
            self.lists.append(1 if tag == "ol" else 0)
        elif tag == "li":
            end = self._enter_item()
        elif tag == "blockquote":
            end = self._push_prefix(QUOTE)
        elif tag == "pre":
            end = self._enter_pre()
        elif tag == "code" and not page.in_pre:
            end = "`"
            page.openers.append("`")
        elif tag in ("table", "tr", "td", "th"):
            end = self._enter_table(node, tag)
        else:
            self._single(node, tag)
        self.ends.append((tag, end))

    def leave(self) -> None:
        """End the element that was begun last."""
        tag, end = self.ends.pop()
        page = self.page
        if tag == "a" and isinstance(end, str):
            page.close("[", f"]({end})")
        elif tag == "code" and end:
            page.close("`", "`")
        elif tag in _HEADINGS:
            page.close(str(end), "")
        elif tag in ("ul", "ol"):
            self.lists.pop()
        elif tag in ("li", "blockquote") and end:
            page.prefix.pop()
        elif tag == "pre" and end:
            self._leave_pre()
        elif tag in ("table", "tr", "td", "th") and end:
            self._leave_table(tag)
        if tag in _BLOCKS:
            page.line_break(2 if tag in _SPACED and not self.lists else 1)

    def _single(self, node: LexborNode, tag: str) -> None:
        if tag == "br":
            self.page.line_break(min(self.page.breaks + 1, 2))
        elif tag == "hr":
            self.page.raw("---")
        elif tag == "img" and (words := (node.attributes.get("alt") or "").strip()):
            self.page.text(f"[image: {words}]")

    def _enter_link(self, node: LexborNode) -> str | None:
        target = (node.attributes.get("href") or "").strip()
        if not target or target.startswith("#") or len(target) > _LONGEST_LINK or self.page.in_pre:
            return None
        try:
            url = urljoin(self.base, target)
        except ValueError:
            return None
        if not url.lower().startswith(("http://", "https://", "mailto:")):
            return None
        self.page.openers.append("[")
        return _CONTROL.sub("", url).replace(" ", "%20").replace("\n", "").replace(")", "%29")

    def _enter_item(self) -> bool:
        mark = "- "
        if self.lists and self.lists[-1]:
            mark = f"{self.lists[-1]}. "
            self.lists[-1] += 1
        return self._push_prefix(mark)

    def _push_prefix(self, mark: str) -> bool:
        if len(self.page.prefix) >= _DEEPEST or self.page.in_cell:
            return False
        self.page.prefix.append(mark)
        return True

    def _enter_pre(self) -> bool:
        if self.page.in_cell or self.page.in_pre:
            return False
        self.page.raw("```")
        self.page.line_break()
        self.page.in_pre = True
        return True

    def _leave_pre(self) -> None:
        self.page.in_pre = False
        self.page.line_break()
        self.page.raw("```")

    def _enter_table(self, node: LexborNode, tag: str) -> bool:
        if tag == "table":
            if self.page.in_cell:
                return False
            self.tables.append(_Table(layout=node.mem_id in self.layout))
            return True
        if not self.tables or self.tables[-1].layout or self.page.in_cell:
            self.page.line_break()
            return False
        if tag != "tr":
            self.tables[-1].cell(heading=tag == "th")
            self.page.raw("|" if self.tables[-1].cells == 1 else " |")
            self.page.space = True
            self.page.in_cell = True
        return True

    def _leave_table(self, tag: str) -> None:
        table, page = self.tables[-1], self.page
        if tag == "table":
            self.tables.pop()
        elif tag == "tr":
            if table.cells:
                page.space = False
                page.raw(" |")
                if rule := table.rule():
                    page.line_break()
                    page.raw(rule)
            table.end_row()
        else:
            page.in_cell = False
            page.space = False


class _Table:
    """A table being written: its first row of headings is underlined."""

    def __init__(self, *, layout: bool) -> None:
        self.layout = layout
        self.cells = 0
        self.headings = 0
        self.rows = 0

    def cell(self, *, heading: bool) -> None:
        self.cells += 1
        self.headings += heading

    def rule(self) -> str:
        return "|" + " --- |" * self.cells if self.rows == 0 and self.headings == self.cells else ""

    def end_row(self) -> None:
        self.rows += 1
        self.cells = self.headings = 0


def _base(parser: LexborHTMLParser, url: str) -> str:
    node = parser.css_first("base[href]")
    stated = (node.attributes.get("href") or "") if node is not None else ""
    try:
        return urljoin(url, stated) if len(stated) <= _LONGEST_LINK else url
    except ValueError:
        return url


def _layout_tables(parser: LexborHTMLParser) -> set[int]:
    """Tables that hold tables: they arrange a page and are no data."""
    found: set[int] = set()
    for inner in parser.css("table table"):
        node = inner.parent
        while node is not None and node.mem_id not in found:
            if node.tag == "table":
                found.add(node.mem_id)
                break  # what holds this one is found from this one
            node = node.parent
    return found


def _steps(root: LexborNode) -> Iterator[LexborNode | None]:
    """The nodes below ``root`` in order; None where the element begun last ends."""
    node: LexborNode | None = root
    depth = 0
    while node is not None:
        tag = node.tag
        yield node
        inside = None if tag in _SKIPPED or _is_hidden(node) else node.first_child
        if inside is not None:
            node, depth = inside, depth + 1
            continue
        yield None
        while node is not None and node.next is None and depth:
            node, depth = node.parent, depth - 1
            yield None
        node = node.next if node is not None and depth else None


def _is_hidden(node: LexborNode) -> bool:
    tag = node.tag
    return tag is not None and not tag.startswith("-") and "hidden" in node.attributes


def readable(source: str, url: str = "") -> str:
    """The text of a page. ``url`` is where it came from: links are written whole."""
    from selectolax.lexbor import LexborHTMLParser  # here: only a fetched page needs it

    parser = LexborHTMLParser(source)
    walker = Walker(parser, url)
    title = parser.css_first("head > title")
    try:
        if title is not None:
            walker.page.text("Title: " + title.text())
            walker.page.line_break(2)
        _walk(walker, parser)
    except Full:
        walker.page.out.append("\n[the page goes on]")
    return walker.page.result()


def _walk(walker: Walker, parser: LexborHTMLParser) -> None:
    root = parser.body or parser.root
    if root is None:
        return
    for node in _steps(root):
        if node is None:
            walker.leave()
            continue
        tag = node.tag or ""
        if tag == "-text":
            walker.page.text(node.text_content or "")
        if tag in _SKIPPED or _is_hidden(node):
            tag = ""
        walker.enter(node, tag)


def main() -> int:
    """Standard input to standard output; the argument is the page's URL."""
    _bound()
    source = sys.stdin.buffer.read().decode("utf-8", "replace")
    sys.stdout.buffer.write(readable(source, sys.argv[1] if len(sys.argv) > 1 else "").encode("utf-8", "replace"))
    return 0


def _bound() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (_SECONDS, _SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        lock_network()
    except CannotLock:  # one wall more, where there is one
        pass


if __name__ == "__main__":
    raise SystemExit(main())
