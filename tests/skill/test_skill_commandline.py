"""Which command lines a pack's list of programs admits, and what a refusal says."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from sympozium_skill.commandline import Refused, check
from sympozium_skill.shellwords import plain_words

ALLOWED = ("cat", "curl", "head", "jq", "kubectl")

ADMITTED = [
    "kubectl get pods",
    "kubectl get pods | jq .a",
    "kubectl get po -n a && jq . f || cat x; head a &",
    "(cat a; cat b)",
    "{ cat a; }",
    'cat $(kubectl get a) <(cat b) "x $(jq a)"',
    "cat <<EOF\nhi $(jq a) $x\nEOF",
    "cat <<'EOF' | jq .\nhi $(rm a) `x`\nEOF",
    'cat <<<"$(jq a)"',
    "for i in a b; do kubectl logs $i; done",
    "if jq a; then cat b; elif jq c; then cat d; else echo e; fi",
    "while cat a; do head b; done",
    "cat a > f 2>&1",
    "cat a 2>/dev/null",
    "! cat a",
    'pod=$(kubectl get pods -o name | head -1); kubectl logs "$pod"',
    "kubectl get pods -o jsonpath='{.items[*].metadata.name}'",
    "LANG=C cat x",
    "kubectl get pods \\\n  -n a",
    "jq '.a | select(.b > 1)' f",
    "cat a >> f",
    "printf '%s\\n' $x",
    "kubectl get po -o \"jsonpath={range .items[*]}{.metadata.name}{'\\n'}{end}\"",
    'echo "a <(b) # c"',
    "cat {a,b}.txt *.log ~/x",
    "echo ${x} ${#x}",
    "cat a |& head",
    "cat $'a\\tb'",
    "curl -s 'http://x/y?a=b&c=d' | jq -r '.a[] | \"\\(.b)\"'",
    "kubectl get pods -l 'app in (a,b)'",
    "echo a#b",
    'curl -d @- x <<E\n{"a": 1}\nE\ncat y',
    "echo \"${x}\" 'it''s'",
    "echo a;\necho b\n",
    "kubectl top pods --sort-by=cpu | head -n 5 > out.txt",
    "cat 'a\\' b",
]

REFUSED = [
    ("rm x", "rm is not one of this skill's programs"),
    ("$(cat a) b", "write the program's name plainly: what $(cat a) starts cannot be told before it runs"),
    ("X=1 cat a", "X cannot be set for a command here"),
    ("LD_PRELOAD=x cat", "LD_PRELOAD cannot be set for a command here"),
    ("PATH=/x cat", "PATH cannot be set for a command here"),
    ("PATH=/x", "PATH cannot be set here: a variable's name is in lower case"),
    ("x=1 cat", "x cannot be set for a command here"),
    ("cat `rm a`", "write $(…) instead of backticks"),
    ("cat $(rm x)", "rm is not one of this skill's programs"),
    ("cat <(rm x)", "rm is not one of this skill's programs"),
    ("cat > >(sh)", "sh is not one of this skill's programs"),
    ("f() { rm; }; f", "functions cannot be defined here"),
    ("[[ -f x ]]", "[ … ] and [[ … ]] are not available here; let a program's exit code decide, as in `if grep …`"),
    ("[ -f x ]", "[ … ] and [[ … ]] are not available here; let a program's exit code decide, as in `if grep …`"),
    ("test -v 'a[$(id)]'", "test is a part of the shell that is not available here"),
    ("((x=1))", "arithmetic (( )) is not available here"),
    ("echo $((1+1))", "arithmetic $(( )) is not available here, as it can run commands hidden in values"),
    ("eval cat", "eval is a part of the shell that is not available here"),
    ("exec cat", "exec is a part of the shell that is not available here"),
    ("command cat", "command is a part of the shell that is not available here"),
    ("builtin echo", "builtin is a part of the shell that is not available here"),
    ("source x", "source is a part of the shell that is not available here"),
    (". x", ".: no such program can be called here"),
    ("alias cat=rm", "alias is a part of the shell that is not available here"),
    ("trap 'rm x' EXIT", "trap is a part of the shell that is not available here"),
    ("export X=1", "declare, export, local, readonly and typeset are not available here"),
    ("time cat", "time is a part of the shell that is not available here"),
    ("coproc cat", "coproc is a part of the shell that is not available here"),
    ("/bin/cat x", "/bin/cat: programs are called by name, without a path"),
    ("./cat", "./cat: programs are called by name, without a path"),
    ("\\cat x", "\\cat: no such program can be called here"),
    ("c'a't x", "write the program's name plainly: what c'a't starts cannot be told before it runs"),
    ('"cat" x', 'write the program\'s name plainly: what "cat" starts cannot be told before it runs'),
    ("$x y", "write the program's name plainly: what $x starts cannot be told before it runs"),
    ("${x:-$(cat a)}", "write the program's name plainly: what ${x:-$(cat a)} starts cannot be told before it runs"),
    ("echo ${x@P}", "of ${…} only ${NAME} and ${#NAME} are available here"),
    ("echo ${!x}", "of ${…} only ${NAME} and ${#NAME} are available here"),
    ("echo ${x:y}", "of ${…} only ${NAME} and ${#NAME} are available here"),
    ("echo ${a[$(cat b)]}", "of ${…} only ${NAME} and ${#NAME} are available here"),
    ("echo \"${x:-'$(rm a)'}\"", "of ${…} only ${NAME} and ${#NAME} are available here"),
    ("echo hi >/dev/tcp/a/1", "redirections to or from /dev/tcp/a/1 are not available here"),
    ("echo hi > $x", "a redirection needs a plain file name, told before it runs"),
    ("cat < /dev/tcp/a/1", "redirections to or from /dev/tcp/a/1 are not available here"),
    ("a=(x $(cat b))", "arrays are not available here"),
    ("cat # rm", "leave comments out"),
    ("echo `echo \\$(rm)`", "the line cannot be read as bash"),
    ("cat <<-E\nx\n\tE\nrm x", "the here-document does not end with a line E"),
    ("cat <<E\nx\n E\nrm y\nE2", "the here-document does not end with a line E"),
    ("cat <<\\E\n$(rm)\nE", "of here-documents there may be one, with a plain word at its end and no joined lines"),
    ("cat <<A <<B\na\nA\nb\nB", "the line cannot be read as bash"),
    ("printf -v x y", "printf needs a literal format that does not begin with '-'"),
    ("printf \"-v\" 'a[$(id)]' y", "printf needs a literal format that does not begin with '-'"),
    ("printf $x y", "printf needs a literal format that does not begin with '-'"),
    ("printf * x", "printf needs a literal format that does not begin with '-'"),
    ("printf {-v,a} x", "printf needs a literal format that does not begin with '-'"),
    ("printf '-v' x", "printf needs a literal format that does not begin with '-'"),
    ("select x in a; do cat b; done", "select is not available here"),
    ("for ((i=0;i<3;i++)); do cat a; done", "only `for NAME in WORDS` loops are available here"),
    ("for PATH in a; do cat b; done", "PATH cannot be set here: a variable's name is in lower case"),
    ("for http_proxy in a; do curl b; done", "http_proxy cannot be set here: a variable's name is in lower case"),
    ("case $x in a) cat b;; esac", "case is not available here; use if"),
    ("cat a\rrm b", "the line holds the character U+000D, on which shells differ; leave it out"),
    ("ca\\\nt x", "put a blank before a backslash that ends a line"),
    ("cat x\\\n; rm y", "put a blank before a backslash that ends a line"),
    ("cat a\x00b", "the line holds the character U+0000, on which shells differ; leave it out"),
    ("if cat; then", "the line cannot be read as bash"),
    ("cat 'x", "the line cannot be read as bash"),
    ('cat "x', "the line cannot be read as bash"),
    ("", "the line names no program"),
    ("   ", "the line names no program"),
    (">x", "the line names no program"),
    ("declare -x A=1", "declare, export, local, readonly and typeset are not available here"),
    ("unset A", "unset is not available here"),
    ("cat && rm x", "rm is not one of this skill's programs"),
    ("cat | rm", "rm is not one of this skill's programs"),
    ("cat & rm", "rm is not one of this skill's programs"),
    ("cat\nrm x", "rm is not one of this skill's programs"),
    ("(rm)", "rm is not one of this skill's programs"),
    ("{ rm; }", "rm is not one of this skill's programs"),
    ("! rm", "rm is not one of this skill's programs"),
    ("echo $(echo $(rm))", "rm is not one of this skill's programs"),
    ("kubectl$x a", "write the program's name plainly: what kubectl$x starts cannot be told before it runs"),
    ("kub* get", "kub*: no such program can be called here"),
    ("~/cat", "~/cat: programs are called by name, without a path"),
    ("k{u,x} a", "write the program's name plainly: what k{u,x} starts cannot be told before it runs"),
    ('cat <<<"`id`"', "write $(…) instead of backticks"),
    ("cat <<E\n`id`\nE", "it is not clear what ` at byte 8 does; put such text in single quotes"),
    ("cat <<E\n\\$(id)\nE", "the line cannot be read as bash"),
    ('cat "\\$(id)"', "it is not clear what $( at byte 6 does; put such text in single quotes"),
    ("function f { rm; }", "functions cannot be defined here"),
    ("let x=1", "let is a part of the shell that is not available here"),
    ("read x", "read is a part of the shell that is not available here"),
    ("mapfile -C rm x", "mapfile is a part of the shell that is not available here"),
    ("env rm", "env is not one of this skill's programs"),
    ("sh -c rm", "sh is not one of this skill's programs"),
    ("xargs rm", "xargs is not one of this skill's programs"),
    ("set -o history", "set is a part of the shell that is not available here"),
    ("history -s x", "history is a part of the shell that is not available here"),
    ("enable -f x y", "enable is a part of the shell that is not available here"),
    ("hash -p /bin/sh cat", "hash is a part of the shell that is not available here"),
    ("cd x; ../rm", "../rm: programs are called by name, without a path"),
    ("cat 3<>/dev/tcp/a/1", "the line cannot be read as bash"),
    ('cat > "/dev//tcp/a/1"', "redirections to or from /dev/tcp/a/1 are not available here"),
    ("cat > /dev/\\tcp/a/1", "a redirection needs a plain file name, told before it runs"),
    ("cat > /dev/t''cp/a/1", "redirections to or from /dev/tcp/a/1 are not available here"),
    ("cat >& /dev/tcp/a/1", "redirections to or from /dev/tcp/a/1 are not available here"),
    ("cat &> /dev/tcp/x/1", "redirections to or from /dev/tcp/x/1 are not available here"),
    ("{ cat; } >/dev/tcp/a/1", "redirections to or from /dev/tcp/a/1 are not available here"),
    ("while rm; do cat; done", "rm is not one of this skill's programs"),
    ("until cat; do rm; done", "rm is not one of this skill's programs"),
    ("if cat; then rm; fi", "rm is not one of this skill's programs"),
    ("if cat; then cat; else rm; fi", "rm is not one of this skill's programs"),
    ("x+=1; rm", "this shape of shell (+=) is not available here"),
    ("cat\xa0rm", "the line holds the character U+00A0, on which shells differ; leave it out"),
    ("cat;;rm", "this shape of shell (;;) is not available here"),
    ("$'rm' x", "write the program's name plainly: what $'rm' starts cannot be told before it runs"),
    ('$"cat" x', 'write the program\'s name plainly: what $"cat" starts cannot be told before it runs'),
    ('cat $"`id`"', "write $(…) instead of backticks"),
    ("kubectl get x; }", "}: no such program can be called here"),
    (
        "cat <<E\n$(cat <<F\n$(rm)\nF\n)\nE",
        "of here-documents there may be one, with a plain word at its end and no joined lines",
    ),
    ("cat ${x/$(rm)/y}", "of ${…} only ${NAME} and ${#NAME} are available here"),
    ("echo $[$(rm)]", "arithmetic $(( )) is not available here, as it can run commands hidden in values"),
    ("echo $[a]", "arithmetic $(( )) is not available here, as it can run commands hidden in values"),
    ("a[$(rm)]=1", "a[$(rm)] cannot be set here: a variable's name is in lower case"),
    ("cat <(cat <(rm))", "rm is not one of this skill's programs"),
    ("cat >> x <<EOF\na\n EOF\nEOF", "the here-document does not end with a line EOF"),
    ("cat <<X | a\n\\\"%#\\'${x} a['$(rm)']\nX\na", "a is not one of this skill's programs"),
    ("echo {a['$(rm)']}>f", "put a blank between } and a redirection"),
    ("echo " + "$(echo " * 120 + ")" * 120, "the line is nested too deeply"),
]


@pytest.mark.parametrize("line", ADMITTED)
def test_lines_that_start_listed_programs_alone_are_admitted(line: str) -> None:
    assert check(line, ALLOWED) <= set(ALLOWED)


@pytest.mark.parametrize(("line", "words"), REFUSED)
def test_what_cannot_be_told_before_it_runs_is_refused_with_words(line: str, words: str) -> None:
    with pytest.raises(Refused) as refusal:
        check(line, ALLOWED)
    assert words in str(refusal.value)


def test_the_programs_of_a_line_are_named() -> None:
    assert check("kubectl get pods | jq .a; echo $(cat x)", ALLOWED) == {"kubectl", "jq", "cat"}


def test_parts_of_the_shell_stay_refused_when_a_pack_lists_them() -> None:
    for name in ("eval", "exec", "test", "time", "source"):
        with pytest.raises(Refused, match="is a part of the shell that is not available"):
            check(f"{name} x | cat", (name, "cat"))
    assert check("kill 1 | cat", ("kill", "cat")) == {"kill", "cat"}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("kubectl get pods -n a", ["kubectl", "get", "pods", "-n", "a"]),
        ("  cat\t'a b' \"c d\"e ''\n", ["cat", "a b", "c de", ""]),
        ("jq '.a | $b' f", ["jq", ".a | $b", "f"]),
    ],
)
def test_plain_words_are_what_bash_would_make_of_them(line: str, words: list[str]) -> None:
    assert plain_words(line) == words


@pytest.mark.parametrize(
    "line",
    [
        "",
        "echo a",
        "cd x",
        "time x",
        "a=b c",
        "cat $x",
        'cat "$x"',
        "cat a;b",
        "cat *",
        "cat ~",
        "cat {a,b}",
        "cat a\nb",
        "cat \\a",
        "cat 'a",
        "! cat",
        "cat #a",
        "cat a>b",
        "cat a&",
        "cat (a)",
        "é x",
        "'cat' x",
        "if x",
    ],
)
def test_what_bash_would_expand_or_do_itself_is_not_plain(line: str) -> None:
    assert plain_words(line) is None


_PIECES = st.sampled_from(
    [
        "ok",
        "ok ",
        " ",
        "\n",
        "'",
        '"',
        "$'",
        "\\",
        " \\\n",
        "$(",
        ")",
        "`",
        "{",
        "}",
        "<<X\n",
        "<<'X'\n",
        "\nX\n",
        " X\n",
        ">f",
        "2>&1",
        "|",
        "&&",
        ";",
        "&",
        "!",
        "#",
        "$x",
        "${x}",
        "x=",
        "EVIL",
        "EVIL ",
        "$(EVIL)",
        "<(EVIL)",
        "[",
        "]",
        "a['$(EVIL)']",
        "if ",
        "then ",
        "fi",
        "for i in ",
        "; do ",
        "; done",
        "((",
        "))",
        "$[",
        "<<<",
        "printf ",
        "-v ",
    ]
)
_FRAMES = st.sampled_from(
    ["{}", "ok {}", "ok '{}", 'ok "{}"', "ok $({})", "ok <<X\n{}\nX\n", "ok <<X | ok\n{}\nX\nok", "if ok; then {}; fi"]
)


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(frame=_FRAMES, pieces=st.lists(_PIECES, min_size=1, max_size=7))
def test_bash_starts_nothing_else_for_an_admitted_line(tmp_path: Path, frame: str, pieces: list[str]) -> None:
    evil, marker, programs = tmp_path / "evil", tmp_path / "marker", tmp_path / "bin"
    programs.mkdir(exist_ok=True)
    for file, text in ((evil, f"echo > {marker}"), (programs / "ok", "exit 0")):
        file.write_text(f"#!/bin/sh\n{text}\n")
        file.chmod(0o755)
    line = frame.format("".join(pieces)).replace("EVIL", str(evil))
    try:
        check(line, ("ok",))
    except Refused:
        return
    work = tmp_path / "work"
    work.mkdir(exist_ok=True)
    subprocess.run(
        [shutil.which("bash") or "bash", "--noprofile", "--norc", "-c", line],
        env={"PATH": str(programs)}, cwd=work, stdin=subprocess.DEVNULL, capture_output=True, timeout=20, check=False,
    )  # fmt: skip
    assert not marker.exists()
    assert sorted(os.listdir(tmp_path)) == ["bin", "evil", "work"]


@given(st.text(max_size=60))
def test_any_text_is_admitted_or_refused(line: str) -> None:
    with contextlib.suppress(Refused):
        check(line, ("ok",))
