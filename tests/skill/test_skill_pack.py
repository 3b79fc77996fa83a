"""pack.yaml is read strictly, templates put arguments where they belong, and every shipped pack can be read."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import sympozium_packs

from sympozium_protocol.exits import Ended, Reason
from sympozium_protocol.ids import digest_of_files
from sympozium_skill.pack import load_pack, parse_pack
from sympozium_skill.template import BadArgument, fill_argv, fill_stdin

SHIPPED = sorted(file.parent for file in Path(sympozium_packs.__file__).parent.glob("*/pack.yaml"))

TOOL = "name: x\nsidecar:\n  tools:\n    - {name: t, argv: [a], parameters: {type: object}}\n"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("name: x\nsidecar: {command: [a]}", "sidecar.command: Extra inputs are not permitted"),
        ("name: x\nsidecar: {commands: [/bin/sh]}", "sidecar.commands.0: String should match pattern"),
        (TOOL.replace("argv: [a]", "argv: []"), "sidecar.tools.0.argv: Tuple should have at least 1 item"),
        (TOOL.replace("argv: [a]", "argv: ['{x}']"), "sidecar.tools.0.argv.0: must name a program"),
        (TOOL.replace("argv: [a]", "argv: [a, '{x}']"), "sidecar.tools.0.argv.1: {x} is none of the tool's parameters"),
        (TOOL.replace("argv: [a]", "argv: [a], stdin: '{x}'"), "sidecar.tools.0.stdin: {x} is none of the tool's"),
        (TOOL.replace("type: object", "type: string"), "sidecar.tools.0.parameters.type: must be object"),
        (TOOL.replace("type: object", "type: object, properties: 3"), "sidecar.tools.0.parameters: is no JSON Schema"),
        (TOOL.replace("argv: [a]", "argv: [a], effect: maybe"), "sidecar.tools.0.effect: Input should be 'read'"),
        (TOOL.replace("name: t", "name: 't t'"), "sidecar.tools.0.name: String should match pattern"),
        (
            "name: x\nsidecar:\n  commands: []\n  tools: [{name: execute_command, argv: [a]}]",
            "two tools execute_command",
        ),
        ("name: [", "line 2: "),
        ("", "Input should be a valid dictionary"),
        ("- a", "Input should be a valid dictionary"),
        ("{}", "name: Field required"),
    ],
)
def test_a_bad_pack_is_refused_naming_file_and_field(text: str, says: str) -> None:
    with pytest.raises(Ended) as fault:
        parse_pack(text)
    assert fault.value.reason is Reason.InvalidPack
    assert fault.value.message.startswith("pack.yaml: ")
    assert says in fault.value.message


def test_a_pack_that_is_not_there_ends_the_program_by_its_reason(tmp_path: Path) -> None:
    for more in (["--pack", str(tmp_path)], []):
        command = [sys.executable, "-m", "sympozium_skill", *more]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == (Reason.InvalidPack if more else Reason.Usage)
        assert "pack.yaml" in done.stderr


SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "free": {"type": "string"},
        "kind": {"type": "string", "enum": ["-a", "b"]},
        "loose": {"type": "string", "pattern": "x"},
        "tight": {"type": "string", "pattern": "^-?x$"},
        "many": {"type": "array", "items": {"type": "string"}},
        "count": {"type": "integer"},
        "yes": {"type": "boolean"},
    },
}


@pytest.mark.parametrize(
    ("argv", "arguments", "expected"),
    [
        (("a", "{free}", "z"), {"free": "b c;$(d)"}, ["a", "b c;$(d)", "z"]),
        (("a", "{free}", "z"), {}, ["a", "z"]),
        (("a", "{free}", "z"), {"free": None}, ["a", "z"]),
        (("a", "--n={free}"), {"free": "-x"}, ["a", "--n=-x"]),
        (("a", "--n={free}"), {}, ["a"]),
        (("a", "{many}"), {"many": ["1", "2"]}, ["a", "1", "2"]),
        (("a", "{many}"), {"many": []}, ["a"]),
        (("a", "--m={many}"), {"many": ["1", "2"]}, ["a", "--m=1,2"]),
        (("a", "--", "{free}"), {"free": "-x"}, ["a", "--", "-x"]),
        (("a", "{kind}"), {"kind": "-a"}, ["a", "-a"]),
        (("a", "{tight}"), {"tight": "-x"}, ["a", "-x"]),
        (("a", "-c{count}", "-y={yes}"), {"count": 3, "yes": True}, ["a", "-c3", "-y=true"]),
        (("a", "{.items}", "{range .x}"), {}, ["a", "{.items}", "{range .x}"]),
        (("a", "{free}"), {"free": "{kind}", "kind": "b"}, ["a", "{kind}"]),
    ],
)
def test_arguments_stand_where_the_template_puts_them(
    argv: tuple[str, ...], arguments: dict[str, Any], expected: list[str]
) -> None:
    assert fill_argv(argv, SCHEMA, arguments) == expected


@pytest.mark.parametrize(
    ("argv", "arguments"),
    [
        (("a", "{free}"), {"free": "-x"}),
        (("a", "{free}/b"), {"free": "--x"}),
        (("a", "{loose}"), {"loose": "-x"}),
        (("a", "{many}"), {"many": ["b", "-x"]}),
        (("a", "{count}"), {"count": -3}),
        (("a", "{free}{kind}"), {"free": "", "kind": "-a"}),
        (("a", "--n={free}"), {"free": "a\0b"}),
    ],
)
def test_an_argument_never_becomes_an_option_by_surprise(argv: tuple[str, ...], arguments: dict[str, Any]) -> None:
    with pytest.raises(BadArgument):
        fill_argv(argv, SCHEMA, arguments)


def test_standard_input_is_filled_and_an_absent_argument_leaves_nothing() -> None:
    assert fill_stdin("<{free}|{many}|{count}>", {"free": "é", "many": [1]}) == "<é|[1]|>".encode()


@pytest.mark.parametrize("directory", SHIPPED, ids=lambda path: path.name)
def test_every_shipped_pack_can_be_read_and_briefs_the_agent(directory: Path) -> None:
    pack = load_pack(directory)
    assert pack.name == directory.name
    assert pack.description
    assert len((directory / "SKILL.md").read_text()) > 500


@pytest.mark.parametrize("directory", SHIPPED, ids=lambda path: path.name)
def test_no_shipped_tool_can_be_given_an_option_by_surprise(directory: Path) -> None:
    sidecar = load_pack(directory).sidecar
    for tool in sidecar.tools if sidecar else ():
        open_to_options = tool.argv[: tool.argv.index("--")] if "--" in tool.argv else tool.argv
        for name, schema in tool.parameters.get("properties", {}).items():
            if f"{{{name}}}" in open_to_options:
                begins = schema.get("pattern", "")
                plain = begins.startswith(("^[A-Za-z]", "^[A-Za-z0-9]", "^[A-Za-z0-9_]", "^[a-z0-9]", "^("))
                assert "enum" in schema or plain or schema.get("minimum", -1) >= 0


def test_a_pack_that_is_not_the_one_of_the_run_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pack.yaml").write_text("{name: ops, sidecar: {commands: [ls]}}")
    (tmp_path / "SKILL.md").write_text("Look.")
    files = [(path.name, path.read_bytes()) for path in tmp_path.iterdir()]
    assert load_pack(tmp_path, digest_of_files(files)).name == "ops"
    (tmp_path / "pack.yaml").write_text("{name: ops, sidecar: {commands: [rm]}}")
    with pytest.raises(Ended, match="is not the pack that this run was resolved with"):
        load_pack(tmp_path, digest_of_files(files))
