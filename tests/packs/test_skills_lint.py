"""skills lint tells an author everything at once: where, what, and how to mend it; shipped packs have no errors."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from sympozium_cli.skills_lint import Finding, lint_directory
from sympozium_protocol.exits import Reason
from tests.packs.examples import SHIPPED
from tests.pod.play import SYMPOZIUM

BRIEF = """# Disks

Call `disk_usage` first and read the fullest file system; only then look for what fills it. Growth since yesterday
matters more than how full it is. Never delete anything: say what could go and whose it is. Stop when you know.
"""
PACK = """
name: disks
category: Operations
description: Says what fills a disk
sidecar:
  image: skill-disks
  commands: [df, du]
  tools:
    - name: disk_usage
      description: How full the file system of a path is.
      effect: read
      timeout: 10s
      parameters:
        type: object
        properties:
          path: {type: string, pattern: "^/"}
        required: [path]
        additionalProperties: false
      argv: [df, -h, "{path}"]
"""

Lint = Callable[..., list[Finding]]


@pytest.fixture
def lint(tmp_path: Path) -> Lint:
    """Lints the good pack with pieces of it replaced; of SKILL.md by ``brief``."""

    def one(*changes: tuple[str, str], brief: str = BRIEF) -> list[Finding]:
        text = PACK
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        directory = tmp_path / "disks"
        directory.mkdir(exist_ok=True)
        (directory / "pack.yaml").write_text(text)
        (directory / "SKILL.md").write_text(brief)
        return lint_directory(directory)

    return one


def said(found: list[Finding]) -> list[tuple[str, str]]:
    return [(finding.level, f"{finding.field}: {finding.what}") for finding in found]


@pytest.mark.parametrize("pack", SHIPPED, ids=lambda path: path.name)
def test_the_packs_that_are_shipped_have_no_errors(pack: Path) -> None:
    known = {"helm": "lets every Secret of the namespace", "shell": "[] lets any program"}
    for finding in lint_directory(pack):
        assert finding.level == "warning", finding
        assert known[pack.name] in finding.what


def test_a_good_pack_has_nothing_to_mend(lint: Lint) -> None:
    assert lint() == []


ARGV = 'argv: [df, -h, "{path}"]'
PATH = 'path: {type: string, pattern: "^/"}'
WRONG = [
    (("commands:", "comands:"), "error", "sidecar.comands: unknown field"),
    (("category:", "kategory:"), "error", "kategory: unknown field"),
    (("timeout: 10s", "timeout: soon"), "error", "sidecar.tools.0.timeout: "),
    (("timeout: 10s", "timeout: 2h"), "warning", "sidecar.tools.0.timeout: 7200 s"),
    (("effect: read", "effect: reads"), "error", "sidecar.tools.0.effect: Input should be 'read'"),
    (("      effect: read\n", ""), "warning", "sidecar.tools.0: effect is not stated"),
    (("effect: read", "effect: write"), "warning", "sidecar.tools.0.effect: is write, but `df` only reads"),
    ((ARGV, 'argv: [rm, -r, "{path}"]'), "error", "sidecar.tools.0.effect: is read, but `rm` changes something"),
    (
        (ARGV, 'argv: [kubectl, -n, x, delete, pod, "{path}"]'),
        "error",
        "sidecar.tools.0.effect: is read, but `kubectl delete` changes something",
    ),
    ((ARGV, 'argv: [kubectl, rollout, restart, "{path}"]'), "error", "is read, but `kubectl rollout restart` changes"),
    ((ARGV, 'argv: [curl, -X, POST, "{path}"]'), "error", "is read, but `curl POST` changes something"),
    ((ARGV, 'argv: [curl, --data=x, "{path}"]'), "error", "is read, but `curl --data` changes something"),
    (
        (ARGV, "argv: [sh, -c, 'df \"$1\"; kubectl delete pod x', --, \"{path}\"]"),
        "error",
        "is read, but `kubectl delete` changes something",
    ),
    ((ARGV, "argv: [sh, -c, 'df {path}']"), "error", "sidecar.tools.0.argv.2: {path} stands in a script"),
    ((ARGV, "argv: [python3, -c, 'print({path})']"), "error", "sidecar.tools.0.argv.2: {path} stands in a script"),
    ((ARGV, "argv: [sh, -c, 'df -h $1', --, \"{path}\"]"), "warning", "argv.2: $1 stands without quotes"),
    (
        (ARGV, "argv: [sh, -c, 'df \"$1\" \"$2\"', --, \"{path}\", \"{again}\"]"),
        "error",
        "argv.5: {again} is none of the tool's parameters",
    ),
    ((ARGV, 'argv: [df, "{paht}"]'), "error", "sidecar.tools.0.argv.1: {paht} is none of the tool's parameters"),
    ((ARGV, "argv: [df]"), "error", "sidecar.tools.0.parameters.properties.path: the command does not use it"),
    ((ARGV, 'argv: ["{path}"]'), "error", "sidecar.tools.0.argv.0: must name a program"),
    ((ARGV, 'argv: [/bin/df, "{path}"]'), "warning", "sidecar.tools.0.argv.0: /bin/df: images differ"),
    ((ARGV, 'argv: [stat, "{path}"]'), "warning", "sidecar.tools.0.argv.0: stat is not among commands"),
    ((PATH, "path: {type: string}"), "warning", "sidecar.tools.0.argv.2: a path that begins with - is refused"),
    ((PATH, "path: {pattern: ^/}"), "warning", "sidecar.tools.0.parameters.properties.path: has no type"),
    ((PATH, "path: {type: text}"), "error", "sidecar.tools.0.parameters: is no JSON Schema"),
    (("required: [path]", "required: [pth]"), "error", "sidecar.tools.0.parameters.required: pth is none of"),
    (("        additionalProperties: false\n", ""), "warning", "sidecar.tools.0.parameters: takes any further"),
    (("name: disk_usage", "name: read_file"), "error", "sidecar.tools.0.name: read_file is a tool of the agent itself"),
    (("name: disk_usage", "name: complete"), "error", "sidecar.tools.0.name: complete is a tool of the agent itself"),
    (("name: disk_usage", "name: execute_command"), "error", "execute_command is declared by commands"),
    (("name: disk_usage", "name: helm_list"), "warning", "sidecar.tools.0.name: the pack helm has a tool"),
    (("name: disk_usage", "name: Disk-Usage"), "warning", "sidecar.tools.0.name: models know names in snake_case"),
    (("name: disk_usage", "name: disk usage"), "error", "sidecar.tools.0.name: String should match pattern"),
    (("description: How full the file system of a path is.", 'description: ""'), "error", "description: missing"),
    (("How full the file system of a path is.", "Disk."), "warning", "sidecar.tools.0.description: is very short"),
    (("name: disks", "name: discs"), "error", "name: must be disks, as its directory is"),
    (("category: Operations\n", ""), "warning", "category: missing"),
    (("  image: skill-disks\n", ""), "warning", "sidecar: image is not stated"),
    (("[df, du]", "[]"), "warning", "sidecar.commands: [] lets any program of the image be started"),
    (("[df, du]", "[df, du]\n  egress: [internet]"), "error", "sidecar.egress: internet is no way out"),
    (
        ("[df, du]", "[df, du]\n  rbac: [{apiGroups: ['*'], resources: [pods], verbs: [get]}]"),
        "warning",
        "sidecar.rbac.0: apiGroups: '*' is whatever there will ever be",
    ),
    (
        ("[df, du]", "[df, du]\n  rbac: [{apiGroups: [''], resources: [secrets], verbs: [get]}]"),
        "warning",
        "sidecar.rbac.0: lets every Secret of the namespace",
    ),
    (
        ("  commands: [df, du]", "  rbac: [{apiGroups: [''], resources: [pods], verbs: [get, delete]}]"),
        "warning",
        "sidecar.rbac.0: no tool writes, but delete may change things",
    ),
    (("sidecar:", "params: {threshold: 80}\nsidecar:"), "warning", "params.threshold: nothing reads $PARAM_THRESHOLD"),
    (("sidecar:", "params: {apiToken: x}\nsidecar:"), "warning", "params.apiToken: parameters are no place"),
    ((ARGV, ARGV + "\n      stdin: $PARAM_WHERE"), "error", "params: there is no parameter for $PARAM_WHERE"),
    (("sidecar:", "sidecar: ["), "error", "line "),
    ((PACK, "- a\n"), "error", "must hold one document, a mapping"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "level", "says"), WRONG, ids=[says for _, _, says in WRONG])
def test_a_fault_is_found(lint: Lint, change: tuple[str, str], level: str, says: str) -> None:
    found = said(lint(change))
    assert any(one == level and says in what for one, what in found), found


@pytest.mark.parametrize(
    ("brief", "level", "says"),
    [
        ("", "error", "is empty"),
        ("Call `disk_usage`.", "warning", "hardly says anything"),
        (BRIEF + "word " * 2000, "warning", "every request carries them"),
        (BRIEF + "word " * 7000, "error", "every request carries them"),
        (BRIEF + "\nThen `disk_usages`.", "error", "there is no tool disk_usages"),
        (BRIEF + "\nThen `disk_clean`.", "error", "there is no tool disk_clean"),
        (BRIEF.replace("`disk_usage`", "df"), "warning", "does not name the tool disk_usage"),
        (BRIEF + "\nThen `kubectl get pods`.", "warning", "tells to call kubectl, which is not among commands"),
    ],
)
def test_a_fault_of_the_briefing_is_found(lint: Lint, brief: str, level: str, says: str) -> None:
    found = said(lint(brief=brief))
    assert any(one == level and says in what for one, what in found), found


def test_what_is_no_fault_is_passed_over(lint: Lint) -> None:
    brief = (
        BRIEF + "\nMetrics such as `node_filesystem_avail_bytes`; the `path`; `read_file`; `execute_command`; `df -h`."
    )
    assert lint(brief=brief) == []
    assert lint((ARGV, 'argv: [kubectl, apply, --dry-run=server, "{path}"]'), ("[df, du]", "[kubectl]")) == []
    script = """where=$1; case $1 in x) df "$where";; esac; jq '. as $x'"""
    assert lint((ARGV, f'argv: [sh, -c, {json.dumps(script)}, --, "{{path}}"]')) == []
    assert lint((ARGV, 'argv: [curl, -G, -d, a=b, "{path}"]'), ("[df, du]", "[curl]")) == []


def test_a_tool_without_commands_needs_no_free_line(lint: Lint) -> None:
    assert lint(("  commands: [df, du]\n", "")) == []
    told = said(lint(("  commands: [df, du]\n", ""), brief=BRIEF + "`execute_command` starts df."))
    assert told == [("error", ": names execute_command, which this pack does not have")]


def test_an_optional_argument_of_a_script_stands_last(lint: Lint) -> None:
    argv = 'argv: [sh, -c, \'df "$1" "$2"\', --, "{path}", "{also}"]'
    two = PATH + '\n          also: {type: string, pattern: "^/"}'
    assert lint((ARGV, argv), (PATH, two)) == []
    ((level, what),) = said(lint((ARGV, argv), (PATH, two), ("required: [path]", "required: [also]")))
    assert level == "warning"
    assert what.startswith("sidecar.tools.0.argv.4: {path} is optional, and left out when absent")


def test_all_faults_are_told_at_once_each_at_its_line(lint: Lint) -> None:
    found = lint(
        ("category:", "kategory:"),
        ("timeout: 10s", "timeuot: 10s"),
        ("effect: read", "effect: reads"),
        ("image: skill-disks", "image: skill-disks\n  secretref: x"),
    )
    lines = PACK.splitlines()
    told = {finding.field: (finding.line, finding.mend) for finding in found}
    assert told["kategory"] == (lines.index("category: Operations") + 1, "did you mean category?")
    assert told["sidecar.secretref"][1] == "did you mean secretRef?"
    assert told["sidecar.tools.0.timeuot"] == (lines.index("      timeout: 10s") + 2, "did you mean timeout?")
    assert told["sidecar.tools.0.effect"][1].startswith("read: changes nothing")
    assert [finding.line for finding in found] == sorted(finding.line for finding in found)


def test_a_fault_behind_an_alias_is_told_where_the_alias_stands(lint: Lint) -> None:
    second = """
    - name: disk_free
      description: How much is left on a file system.
      effect: read
      parameters: *same
      argv: [df]
"""
    found = lint(("parameters:", "parameters: &same"), (ARGV, ARGV + second))
    line = PACK.replace(ARGV, ARGV + second).splitlines().index("      parameters: *same") + 1
    assert ("error", line) in [(one.level, one.line) for one in found if one.field.startswith("sidecar.tools.1")]


def nodes(value: Any, put: Callable[[Any], None]) -> Iterator[Callable[[Any], None]]:
    """A setter for every value within ``value``."""
    yield put
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in list(items):
        yield from nodes(item, lambda new, key=key: value.__setitem__(key, new))  # type: ignore[misc]


def test_whatever_stands_in_a_field_the_lint_has_an_answer(tmp_path: Path) -> None:
    directory = tmp_path / "disks"
    directory.mkdir()
    (directory / "SKILL.md").write_text(BRIEF)
    count = sum(1 for _ in nodes(yaml.safe_load(PACK), lambda _: None))
    for number in range(1, count):
        for odd in (None, 3, "", [], {}, [None], {"x": 1}):
            value = yaml.safe_load(PACK)
            put = next(setter for at, setter in enumerate(nodes(value, lambda _: None)) if at == number)
            put(odd)
            (directory / "pack.yaml").write_text(json.dumps(value))
            lint_directory(directory)


@pytest.mark.parametrize("missing", ["pack.yaml", "SKILL.md"])
def test_a_missing_file_is_an_error(lint: Lint, tmp_path: Path, missing: str) -> None:
    lint()
    (tmp_path / "disks" / missing).unlink()
    (finding,) = lint_directory(tmp_path / "disks")
    assert (finding.level, finding.file, finding.what) == (
        "error",
        str(tmp_path / "disks" / missing),
        "no such file or directory",
    )


def test_what_is_no_file_or_too_large_is_told(lint: Lint, tmp_path: Path) -> None:
    lint()
    brief = tmp_path / "disks/SKILL.md"
    brief.unlink()
    os.mkfifo(brief)
    assert said(lint_directory(brief.parent)) == [("error", ": is no file")]
    brief.unlink()
    brief.write_bytes(b"a" * ((1 << 20) + 1))
    assert said(lint_directory(brief.parent)) == [("error", ": is larger than 1 MiB")]


def test_bytes_that_are_no_text_are_told_with_their_line(lint: Lint, tmp_path: Path) -> None:
    lint()
    (tmp_path / "disks/SKILL.md").write_bytes(b"one\ntwo\nthr\xff")
    (finding,) = lint_directory(tmp_path / "disks")
    assert (finding.line, finding.what) == (3, "is not UTF-8")


def command(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(SYMPOZIUM), "skills", *words], capture_output=True, text=True, timeout=60, check=False)


def test_the_command_says_file_line_fault_and_remedy_and_ends_with_a_typed_code(lint: Lint, tmp_path: Path) -> None:
    lint(("effect: read", "effect: reads"), ("category: Operations\n", ""))
    directory = tmp_path / "disks"
    done = command("lint", str(directory))
    assert done.returncode == Reason.InvalidPack
    assert f"{directory}/pack.yaml:10: error: sidecar.tools.0.effect: Input should be" in done.stdout
    assert done.stdout.endswith("1 error, 1 warning\n")
    told = [json.loads(line) for line in command("lint", str(directory), "--output", "json").stdout.splitlines()]
    assert {"error", "warning"} == {one["level"] for one in told}


def test_warnings_alone_are_no_failure(lint: Lint, tmp_path: Path) -> None:
    lint(("category: Operations\n", ""))
    done = command("lint", str(tmp_path / "disks"))
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "0 errors, 1 warning")
    lint()
    assert command("lint", str(tmp_path / "disks")).stdout == f"{tmp_path}/disks: nothing to mend\n"


def test_a_directory_that_is_not_there_is_told(tmp_path: Path) -> None:
    done = command("lint", str(tmp_path / "nothing"))
    assert done.returncode == Reason.InvalidPack
    assert "is no directory" in done.stdout


def test_the_list_has_every_pack_and_what_it_may_run() -> None:
    lines = command("list").stdout.splitlines()
    assert lines[0].split() == ["NAME", "CATEGORY", "PROGRAMS", "TOOLS"]
    assert [line.split()[0] for line in lines[1::2]] == [pack.name for pack in SHIPPED]
    told = [json.loads(line) for line in command("list", "--output", "json").stdout.splitlines()]
    gitops = next(one for one in told if one["name"] == "github-gitops")
    assert gitops["commands"] is None
    assert gitops["tools"]["branch_push"] == "write"


def test_a_pack_is_shown_with_its_effects_rights_and_briefing(lint: Lint, tmp_path: Path) -> None:
    shown = command("show", "k8s-ops").stdout
    assert "kubectl_delete_pod  write  90 s" in shown
    assert "get, list, watch: deployments" in shown
    assert "# Kubernetes operations" in shown
    lint()
    assert "disk_usage  read  10 s" in command("show", str(tmp_path / "disks")).stdout
    unknown = command("show", "k8s")
    assert unknown.returncode == Reason.MissingReference
    assert "there is no pack k8s; there are code-review" in unknown.stderr


def test_a_run_takes_a_pack_from_its_directory(lint: Lint, tmp_path: Path) -> None:
    lint()
    script = tmp_path / "script.yaml"
    call = {"tool": "disk_usage", "arguments": {"path": "/"}, "save": "disk"}
    script.write_text(json.dumps({"steps": [{"call": [call]}, {"say": "${disk}"}]}))
    words = ["run", "how full?", "--skill", str(tmp_path / "disks"), "--script", str(script), "--quiet"]
    words += ["--approve", "none", "--dir", str(tmp_path / "run")]
    done = subprocess.run([str(SYMPOZIUM), *words], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "Mounted on" in done.stdout
    refused = subprocess.run([str(SYMPOZIUM), "run", "x", "--skill", "./nowhere"], capture_output=True, text=True)
    assert refused.returncode == Reason.InvalidPack
    assert refused.stderr == "error: nowhere/pack.yaml: no such file or directory\n"
