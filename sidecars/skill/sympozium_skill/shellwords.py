"""What bash's own words mean to the sidecar: which it takes as programs, parts of the shell, or neither.

And the lines that need no shell at all: words without anything that bash would expand.
"""

from __future__ import annotations

import re
from typing import Final

SAFE_BUILTINS: Final = frozenset({":", "cd", "echo", "false", "printf", "pwd", "true"})
"""Parts of the shell that any pack's command line may use: none starts a program or changes how one is found."""

KEYWORDS: Final = frozenset(
    {
        "!", "[[", "]]", "case", "coproc", "do", "done", "elif", "else", "esac", "fi", "for", "function",
        "if", "in", "select", "then", "time", "until", "while", "{", "}",
    }
)  # fmt: skip

BUILTINS: Final = frozenset(
    {
        ".", ":", "[", "alias", "bg", "bind", "break", "builtin", "caller", "cd", "command", "compgen",
        "complete", "compopt", "continue", "declare", "dirs", "disown", "echo", "enable", "eval", "exec",
        "exit", "export", "false", "fc", "fg", "getopts", "hash", "help", "history", "jobs", "kill", "let",
        "local", "logout", "mapfile", "popd", "printf", "pushd", "pwd", "read", "readarray", "readonly",
        "return", "set", "shift", "shopt", "source", "suspend", "test", "times", "trap", "true", "type",
        "typeset", "ulimit", "umask", "unalias", "unset", "wait",
    }
)  # fmt: skip

HARMLESS_IF_LISTED: Final = frozenset({"kill"})
"""Builtins of the same meaning as the program: a pack that lists the name may use them."""

_NAME: Final = re.compile(r"[A-Za-z0-9_./][A-Za-z0-9._+/-]*")
_WORD: Final = re.compile(r"""(?:[A-Za-z0-9_./:,@%+=-]|'[^'\0]*'|"[^"\\$`!\0]*")+""")
_QUOTED: Final = re.compile(r"""'([^']*)'|"([^"]*)\"""")


def plain_words(line: str) -> list[str] | None:
    """The words of a line in which bash would expand nothing, for a program and not for bash; else None."""
    words: list[str] = []
    rest = line.strip(" \t\n")
    while rest:
        found = _WORD.match(rest)
        if found is None:
            return None
        words.append(found[0])
        after = rest[found.end() :]
        rest = after.lstrip(" \t")
        if rest and rest == after:
            return None
    if not words or not _NAME.fullmatch(words[0]) or words[0] in KEYWORDS or words[0] in BUILTINS:
        return None
    return [_QUOTED.sub(lambda quoted: quoted[1] if quoted[1] is not None else quoted[2], word) for word in words]
