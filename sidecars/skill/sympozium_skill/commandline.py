"""May this command line run? Every program it starts must be an allowed one, told before it runs.

The line is parsed with bash's grammar (tree-sitter-bash). Only shapes of a short list pass; anything
else, and anything on which this parser and bash could disagree, is refused with words the model can mend.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import cache
from typing import TYPE_CHECKING, Final

from sympozium_skill import grammar
from sympozium_skill.shellwords import BUILTINS, HARMLESS_IF_LISTED, KEYWORDS, SAFE_BUILTINS

if TYPE_CHECKING:
    from tree_sitter import Node, Parser

LONGEST: Final = 64 * 1024
"""Bytes of a command line; a program's argument may have 128 KiB."""
DEEPEST: Final = 100
"""Nested shapes; far more than a line that a person could approve."""

_CONTROL: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f\u0085\u00a0\u1680\u2000-\u200f\u2028-\u202f\u205f-\u2064\u3000\ufeff\ud800-\udfff]"
)
_JOINED: Final = re.compile(r"[^ \t]\\\n")
_LITERAL: Final = frozenset({"word", "number", "raw_string", "string", "string_content", "concatenation", '"'})


class Refused(ValueError):
    """A command line that is not run; the text is for the model."""


def check(line: str, allowed: Collection[str]) -> frozenset[str]:
    """The programs that the line starts, all of them in ``allowed``. Raises Refused."""
    if found := _CONTROL.search(line):
        raise Refused(f"the line holds the character U+{ord(found[0]):04X}, on which shells differ; leave it out")
    if _JOINED.search(line):
        raise Refused("put a blank before a backslash that ends a line")
    source = line.encode()
    if len(source) > LONGEST:
        raise Refused(f"the line has {len(source)} bytes; at most {LONGEST} are read")
    return _Check(source, allowed).programs()


@cache
def _parser() -> Parser:
    import tree_sitter_bash
    from tree_sitter import Language, Parser

    return Parser(Language(tree_sitter_bash.language()))


class _Check:
    """One line being looked at."""

    def __init__(self, source: bytes, allowed: Collection[str]) -> None:
        self.source = source
        self.allowed = allowed
        self.found: set[str] = set()
        self.commands = 0
        self.substitutions: set[int] = set()
        self.quoted: list[tuple[int, int]] = []
        self.strings: list[tuple[int, int]] = []
        self.live: list[tuple[int, int]] = []
        self.heredocs = 0
        self.end = 0

    def programs(self) -> frozenset[str]:
        root = _parser().parse(self.source).root_node
        if root.has_error:
            raise Refused(grammar.WORDS_FOR["ERROR"])
        self._look(root, 0)
        self._gap(self.end, len(self.source))
        self._agree()
        if not self.commands:
            raise Refused("the line names no program")
        return frozenset(self.found)

    def _look(self, node: Node, depth: int) -> None:
        if depth > DEEPEST:
            raise Refused("the line is nested too deeply")
        if node.is_missing:
            raise Refused(grammar.WORDS_FOR["ERROR"])
        self._look_at(node)
        if node.child_count == 0:
            self._gap(self.end, node.start_byte)
            self.end = max(self.end, node.end_byte)
        for child in node.children:
            self._look(child, depth + 1)

    def _look_at(self, node: Node) -> None:
        if not node.is_named:
            if node.type not in grammar.TOKENS and node.parent is not None and node.parent.type != "file_redirect":
                raise Refused(_why(node.type))
        elif look := _LOOKS.get(node.type):
            look(self, node)
        elif node.type not in grammar.PASSED:
            raise Refused(_why(node.type))

    def _text(self, node: Node) -> str:
        return self.source[node.start_byte : node.end_byte].decode()

    def _gap(self, start: int, end: int) -> None:
        """Between what the parser named there may be nothing but blanks: else it passed something over."""
        if self.source[start:end].replace(b"\\\n", b"").strip(b" \t\n"):
            raise Refused(grammar.WORDS_FOR["ERROR"])

    def _command(self, node: Node) -> None:
        self.commands += 1
        for child in node.children:
            if child.type == "variable_assignment":
                self._prefix(child)
        name = node.child_by_field_name("name")
        if name is not None and self._text(name) == "printf":
            self._printf(node)

    def _name(self, node: Node) -> None:
        text = self._text(node)
        if node.child_count != 1 or node.children[0].type != "word" or not grammar.COMMAND_NAME.fullmatch(text):
            raise Refused(_why_name(node, text))
        if text in SAFE_BUILTINS:
            return
        shell_only = (text in BUILTINS and text not in HARMLESS_IF_LISTED) or text in KEYWORDS
        if shell_only or text not in self.allowed:
            also = (
                "is a part of the shell that is not available here"
                if shell_only
                else "is not one of this skill's programs"
            )
            raise Refused(f"{text} {also}; there are: {', '.join(sorted(self.allowed))}")
        self.found.add(text)

    def _printf(self, node: Node) -> None:
        # `printf -v NAME` sets a variable, and evaluates what stands in NAME[...]
        first = next(iter(node.children_by_field_name("argument")), None)
        text = self._text(first).strip("\"'") if first and self._literal(first) else "-"
        unquoted = first is not None and first.type not in ("string", "raw_string")
        if text.startswith("-") or (unquoted and not grammar.PLAIN.fullmatch(text)):
            raise Refused("printf needs a literal format that does not begin with '-'")

    def _literal(self, node: Node) -> bool:
        return node.type in _LITERAL and all(self._literal(child) for child in node.children)

    def _prefix(self, node: Node) -> None:
        name = node.child_by_field_name("name")
        value = node.child_by_field_name("value")
        text = self._text(name) if name else ""
        if not grammar.PREFIX.fullmatch(text) or (value is not None and not self._literal(value)):
            raise Refused(f"{text} cannot be set for a command here")

    def _assignment(self, node: Node) -> None:
        if node.parent is not None and node.parent.type == "command":
            return  # looked at with its command
        self.commands += 1
        self._variable(node.child_by_field_name("name"))

    def _for(self, node: Node) -> None:
        self._variable(node.child_by_field_name("variable"))

    def _variable(self, name: Node | None) -> None:
        text = self._text(name) if name is not None else ""
        if not grammar.VARIABLE.fullmatch(text) or grammar.NOT_VARIABLES.fullmatch(text):
            raise Refused(f"{text} cannot be set here: a variable's name is in lower case")

    def _expansion(self, node: Node) -> None:
        if not grammar.EXPANSION.fullmatch(self.source[node.start_byte : node.end_byte]):
            raise Refused("of ${…} only ${NAME} and ${#NAME} are available here")

    def _redirect(self, node: Node) -> None:
        target = node.child_by_field_name("destination")
        if target is None or target.type == "process_substitution":
            return
        text = self._text(target)
        if not self._literal(target) or "\\" in text:
            raise Refused("a redirection needs a plain file name, told before it runs")
        plain = re.sub("/+", "/", text.replace('"', "").replace("'", ""))
        if plain.startswith("/dev/") and plain not in grammar.DEVICES:
            raise Refused(f"redirections to or from {plain} are not available here")

    def _heredoc(self, node: Node) -> None:
        self.heredocs += 1
        start = next((child for child in node.children if child.type == "heredoc_start"), None)
        found = grammar.HEREDOC_START.fullmatch(self._text(start)) if start else None
        if start is None or found is None or self.heredocs > 1 or b"\\\n" in self.source:
            raise Refused("of here-documents there may be one, with a plain word at its end and no joined lines")
        lines = self.source.decode().split("\n")
        first = start.end_point[0] + 1
        wanted = found[1] or found[2] or found[3]
        last = next((n for n in range(first, len(lines)) if lines[n] == wanted), None)
        ends = next((child for child in node.children if child.type == "heredoc_end"), None)
        if last is None or ends is None or ends.start_point[0] != last or ends.start_point[1] != 0:
            raise Refused(f"the here-document does not end with a line {wanted}")
        begins = len("\n".join(lines[:first]).encode())
        body = (begins, begins + len("\n".join(["", *lines[first:last]]).encode()))
        (self.quoted if found[1] is None else self.live).append(body)

    def _heredoc_body(self, node: Node) -> None:
        # the parser gives a body's plain text no name of its own
        self._gap(self.end, node.start_byte)
        if not node.child_count or node.children[0].start_byte > node.start_byte:
            first = node.children[0].start_byte if node.child_count else node.end_byte
            self.end = max(self.end, first)

    def _substitution(self, node: Node) -> None:
        self.substitutions.add(node.start_byte)

    def _raw(self, node: Node) -> None:
        self.quoted.append((node.start_byte, node.end_byte))

    def _string(self, node: Node) -> None:
        self.strings.append((node.start_byte, node.end_byte))

    def _agree(self) -> None:
        """Whatever looks like a substitution must have been taken for one, or stand where bash reads none."""
        for found in grammar.SUBSTITUTION.finditer(self.source):
            at = found.start()
            if at not in self.substitutions and (_within(at, self.live) or not self._is_text(at, found[0])):
                raise Refused(
                    f"it is not clear what {found[0].decode()} at byte {at} does; put such text in single quotes"
                )
        for found in grammar.NAMED_DESCRIPTOR.finditer(self.source):
            if not _within(found.start(), self.quoted + self.strings + self.live):
                raise Refused("put a blank between } and a redirection")

    def _is_text(self, at: int, sign: bytes) -> bool:
        return _within(at, self.quoted) or (sign in (b"<(", b">(") and _within(at, self.strings))


_LOOKS: Final = {
    "command": _Check._command,
    "command_name": _Check._name,
    "variable_assignment": _Check._assignment,
    "for_statement": _Check._for,
    "expansion": _Check._expansion,
    "simple_expansion": lambda _self, _node: None,
    "file_redirect": _Check._redirect,
    "heredoc_redirect": _Check._heredoc,
    "heredoc_body": _Check._heredoc_body,
    "command_substitution": _Check._substitution,
    "process_substitution": _Check._substitution,
    "raw_string": _Check._raw,
    "ansi_c_string": _Check._raw,
    "string": _Check._string,
}


def _within(at: int, spans: list[tuple[int, int]]) -> bool:
    return any(start <= at < end for start, end in spans)


def _why(kind: str) -> str:
    return grammar.WORDS_FOR.get(kind, f"this shape of shell ({kind}) is not available here")


def _why_name(node: Node, text: str) -> str:
    if "/" in text:
        return f"{text}: programs are called by name, without a path"
    if node.child_count == 1 and node.children[0].type == "word":
        return f"{text}: no such program can be called here"
    return f"write the program's name plainly: what {text[:80]} starts cannot be told before it runs"
