"""What a command line does, as far as its words tell: does it change something, or only read?"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

SHELLS: Final = frozenset({"sh", "bash", "dash", "ash", "zsh", "busybox"})


def _sets(table: Mapping[str, str]) -> Mapping[str, frozenset[str]]:
    return {program: frozenset(verbs.split(", ")) for program, verbs in table.items()}


CHANGING: Final = _sets(
    {
        "kubectl": "annotate, apply, attach, autoscale, cordon, cp, create, debug, delete, drain, edit, exec, expose, "
        "label, patch, replace, run, scale, set, taint, uncordon, certificate approve, certificate deny, "
        "rollout pause, rollout restart, rollout resume, rollout undo",
        "helm": "delete, install, plugin install, push, rollback, uninstall, upgrade",
        "git": "am, apply, checkout, cherry-pick, clean, commit, merge, mv, pull, push, rebase, reset, restore, "
        "revert, rm, switch",
        "docker": "build, commit, cp, create, exec, kill, pause, push, restart, rm, rmi, run, start, stop, unpause",
        "systemctl": "disable, enable, isolate, kill, mask, reload, restart, start, stop, unmask",
        "terraform": "apply, destroy, import, taint, untaint",
        "apt-get": "install, purge, remove, upgrade",
        "llmfit": "bench, download, run, serve, update",
        "gh": "issue close, issue create, pr close, pr create, pr merge, release create",
    }
)
"""By program, the subcommands that change something."""
READING: Final = _sets(
    {
        "kubectl": "auth can-i, describe, events, explain, get, logs, rollout history, rollout status, top, version",
        "helm": "get, history, lint, list, show, status, template, version",
        "git": "blame, diff, grep, log, ls-files, ls-tree, show, status",
        "systemctl": "is-active, list-units, show, status",
        "docker": "images, inspect, logs, ps, stats, version",
    }
)
"""By program, subcommands that only read."""
_PLAIN: Final = _sets(
    {
        "changing": "chmod, chown, cp, dd, fallocate, kill, killall, ln, mkdir, mkfs, mount, mv, pkill, poweroff, "
        "reboot, rm, rmdir, shred, shutdown, tee, touch, truncate, umount, unlink",
        "reading": "cat, cut, df, du, free, grep, head, ls, ps, stat, tail, uname, uptime, wc",
    }
)
"""Programs that do one or the other whatever they are told."""

_WORD: Final = re.compile(r"""[^\s;|&()<>`"']+""")
_QUOTED: Final = re.compile(r"""'[^']*'|"(?:[^"\\]|\\.)*\"""")
_ASSIGNMENT: Final = re.compile(r"(?:^|(?<=[\s;(]))(?:[A-Za-z_]\w*=\S*|case\s+\S+\s+in\b)")
"""Where a shell splits nothing."""
_ARGUMENT: Final = re.compile(r"\$[1-9@*]")
_SENDING: Final = re.compile(r"(-d|-F|-T|--data(-[a-z]+)?|--form|--json|--upload-file)(=.*)?")
_METHODS: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})


def changes(argv: Sequence[str]) -> str | None:
    """The words that change something, such as ``kubectl delete``; None if no known ones do."""
    if script := script_of(argv):
        return next(_changing(_words(script)), None)
    if argv[0] in _PLAIN["changing"]:
        return argv[0]
    return next(_changing(argv, first_only=True), None)


def only_reads(argv: Sequence[str]) -> str | None:
    """The words by which it is known only to read; None if it is not known. A script is not judged."""
    if argv[0] in _PLAIN["reading"]:
        return argv[0]
    verb = _verb(argv)
    return f"{argv[0]} {verb}" if verb in READING.get(argv[0], frozenset()) else None


def script_of(argv: Sequence[str]) -> str | None:
    """The text that a shell would read, if the program is one."""
    at = script_index(argv)
    return argv[at] if at is not None and argv[0] in SHELLS else None


def script_index(argv: Sequence[str]) -> int | None:
    """Where a program's text stands in argv: after ``-c`` of a shell or Python, ``-e`` of Perl, Ruby or Node."""
    letter = "c" if argv[0] in SHELLS or argv[0].startswith("python") else "e"
    if argv[0] not in SHELLS and not argv[0].startswith(("python", "perl", "ruby", "node")):
        return None
    for number, word in enumerate(argv[1:-1], 1):
        if re.fullmatch(rf"-[a-z]*{letter}[a-z]*", word):
            return number + 1
        if not word.startswith("-"):
            return None
    return None


def unquoted(script: str) -> str | None:
    """The first argument of a shell script that its shell would split into words, such as ``$1``; None if none."""
    bare = _ASSIGNMENT.sub(" ", _QUOTED.sub("_", _without_comments(script)))
    found = _ARGUMENT.search(bare)
    return found[0] if found else None


def _words(script: str) -> list[str]:
    return _WORD.findall(_without_comments(script))


def _without_comments(script: str) -> str:
    lines = (line.partition(" # ")[0] for line in script.splitlines() if not line.lstrip().startswith("#"))
    return "\n".join(lines)


def _changing(words: Sequence[str], *, first_only: bool = False) -> Iterator[str]:
    for number, word in enumerate(words[:1] if first_only else words):
        rest = words[number:]
        if word == "curl":
            yield from _sending(rest)
        elif (verb := _verb(rest)) in CHANGING.get(word, frozenset()) and not _tries_only(rest):
            yield f"{word} {verb}"


def _verb(words: Sequence[str]) -> str | None:
    """The first known subcommand; options and their values may stand before it."""
    known = CHANGING.get(words[0], frozenset()) | READING.get(words[0], frozenset())
    plain = [word for word in words[1:10] if not word.startswith(("-", "{", "$"))]
    for at in range(len(plain)):
        for phrase in (" ".join(plain[at : at + 2]), plain[at]):
            if phrase in known:
                return phrase
    return None


def _tries_only(words: Sequence[str]) -> bool:
    return any(re.fullmatch(r"--dry-run(=(server|client|true))?", word) for word in words[:20])


def _sending(words: Sequence[str]) -> Iterator[str]:
    if any(word in ("-G", "--get") for word in words):
        return
    for word, following in zip(words[1:], [*words[2:], ""], strict=True):
        method = following if word in ("-X", "--request") else word.removeprefix("--request=").removeprefix("-X")
        if method in _METHODS:
            yield f"curl {method}"
        elif _SENDING.fullmatch(word):
            yield f"curl {word.partition('=')[0]}"
