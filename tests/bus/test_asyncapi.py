"""The AsyncAPI document is that of the models and the subjects, and says of everybody what they may do."""

from __future__ import annotations

import inspect
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import jsonschema_rs
import pytest

from sympozium_bus_auth.permissions import permissions
from sympozium_protocol.bus import contract, subjects
from sympozium_protocol.bus.subjects import RunKey, Verb
from sympozium_protocol.bus.tokens import (
    Identity,
    LauncherIdentity,
    PersonIdentity,
    RunIdentity,
    ServiceIdentity,
)

ROOT = Path(__file__).parents[2]
COMMITTED = ROOT / "docs" / "asyncapi.json"
FOUND: dict[str, Any] = json.loads(COMMITTED.read_text(encoding="utf-8"))

RUN = RunKey("team-a", "r7")
NONCE = "0011223344556677"
NAMES = {
    "namespace": "team-a",
    "run": "r7",
    "participant": "notes",
    "call": "12-3",
    "service": "memory",
    "verb": "cancel",
    "person": subjects.person_token("Zoë <z@example.org>"),
    "reader": subjects.reader_name(subjects.run_principal(RUN), NONCE),
    "principal": subjects.reader_name(subjects.run_principal(RUN), NONCE).split("-")[0],
    "connection": NONCE,
    "answer": "17",
    "delivery": "89abcdef",
}
MADE: dict[str, Callable[[], str]] = {
    "records": lambda: subjects.records(RUN),
    "elsewhere": lambda: subjects.elsewhere(RUN, "notes", "12-3"),
    "said": lambda: subjects.said(RUN, "cancel", "Zoë <z@example.org>"),
    "call": lambda: subjects.call("memory", RUN, "notes"),
    "withdrawn": lambda: subjects.withdrawn("memory", RUN, "notes", "12-3"),
    "manifest": lambda: subjects.manifest("memory"),
    "working": lambda: subjects.working(RUN, "notes", "12-3"),
    "progress": lambda: subjects.progress(RUN, "notes", "12-3"),
    "status": lambda: subjects.status(RUN),
    "present": lambda: subjects.present(RUN),
    "reader": lambda: subjects.reader(RUN, NAMES["reader"]),
    "next_message": lambda: subjects.next_message(NAMES["reader"]),
    "answers": lambda: f"{subjects.inbox(NAMES['reader'])}.r.17",
    "alive": lambda: f"{subjects.inbox(NAMES['reader'])}.p.17",
    "deliveries": lambda: f"{subjects.inbox(NAMES['reader'])}.n.89abcdef",
}
FILTERS: dict[str, tuple[str, set[str]]] = {
    "everything": (subjects.everything(RUN), {"records", "elsewhere", "said"}),
    "calls": (subjects.calls("memory"), {"call"}),
    "withdrawals": (subjects.withdrawals("memory"), {"withdrawn"}),
    "live": (subjects.live(RUN), {"working", "progress", "status"}),
}
"""What such a function's subject matches, by the channels' names."""
IDENTITIES: dict[contract.Role, Identity] = {
    "bridge": RunIdentity(namespace="team-a", run="r7"),
    "launcher": LauncherIdentity(name="ci", namespaces=("team-a",)),
    "person": PersonIdentity(
        name="Zoë <z@example.org>", namespaces=("team-a",), verbs=("answer", "send", "cancel", "get")
    ),
    "service": ServiceIdentity(service="memory", participant="notes", namespaces=("team-a",)),
}


def address(channel: str, **names: str) -> str:
    """A channel's subject, with names in the place of its parameters."""
    found = cast("str", FOUND["channels"][channel]["address"])
    return re.sub(r"\{([a-z]+)\}", lambda match: {**NAMES, **names}[match[1]], found)


def matches(pattern: str, subject: str) -> bool:
    """As NATS has it."""
    wanted, parts = pattern.split("."), subject.split(".")
    for place, part in enumerate(wanted):
        if part == ">":
            return len(parts) > place
        if place >= len(parts) or part not in ("*", parts[place]):
            return False
    return len(wanted) == len(parts)


def resolved(reference: dict[str, str]) -> Any:
    found: Any = FOUND
    for part in reference["$ref"].removeprefix("#/").split("/"):
        found = found[part]
    return resolved(found) if "$ref" in found else found


def command(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "sympozium_protocol.bus.asyncapi", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_committed_document_is_up_to_date_and_check_says_so() -> None:
    done = command("--check", COMMITTED)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_what_was_written_is_what_is_checked_and_an_edit_is_found(tmp_path: Path) -> None:
    path = tmp_path / "asyncapi.json"
    assert "is missing" in command("--check", path).stderr
    assert command("--write", path).returncode == 0
    assert path.read_bytes() == COMMITTED.read_bytes()
    path.write_text(path.read_text(encoding="utf-8").replace("sympozium.run.", "sympozium.runs."), encoding="utf-8")
    done = command("--check", path)
    assert done.returncode == 1
    assert "differs" in done.stderr


def test_every_channel_has_the_address_that_its_function_makes() -> None:
    assert {name: address(name) for name in FOUND["channels"]} == {name: make() for name, make in MADE.items()}


def test_every_function_that_makes_a_subject_has_a_channel_or_is_a_filter_over_channels() -> None:
    names = {"token", "reader_name", "person_token", "person_of", "inbox"}
    found = {
        name
        for name, function in inspect.getmembers(subjects, inspect.isfunction)
        if function.__module__ == subjects.__name__
        and function.__annotations__.get("return") == "str"
        and not name.endswith("_principal")
    }
    assert found - names == (FOUND["channels"].keys() - {"answers", "alive", "deliveries"}) | FILTERS.keys()


@pytest.mark.parametrize("name", FILTERS)
def test_a_filter_matches_the_channels_that_it_is_for_and_no_other(name: str) -> None:
    pattern, wanted = FILTERS[name]
    assert {channel for channel in MADE if matches(pattern, address(channel))} == wanted


def test_what_the_document_calls_stored_is_what_the_stream_takes() -> None:
    taken = {name for name in MADE if any(matches(each, address(name)) for each in subjects.STREAM_SUBJECTS)}
    stored = {name for name, channel in FOUND["channels"].items() if channel["tags"] == [{"name": "stored"}]}
    assert stored == taken


def test_the_parameters_of_a_channel_are_those_of_its_address() -> None:
    for channel in FOUND["channels"].values():
        assert re.findall(r"\{([a-z]+)\}", channel["address"]) == list(channel["parameters"])


def test_the_tables_of_the_page_about_the_bus_name_exactly_these_subjects() -> None:
    rows = re.findall(r"^\| `([^` ]+)` \|", (ROOT / "docs" / "bus.md").read_text(encoding="utf-8"), re.MULTILINE)
    short = {"namespace": "NS"}
    channels = [cast("str", channel["address"]) for channel in FOUND["channels"].values()]
    expected = [re.sub(r"\{([a-z]+)\}", lambda match: short.get(match[1], match[1].upper()), each) for each in channels]
    assert sorted(rows) == sorted(each for each in expected if not each.startswith("_INBOX."))


@pytest.mark.parametrize("name", FOUND["components"]["messages"])
def test_the_examples_of_a_message_fit_its_schema_and_its_model(name: str) -> None:
    message = FOUND["components"]["messages"][name]
    assert ("payload" in message) == bool(message.get("examples"))
    model = contract.MESSAGES[name].model
    for example in message.get("examples", ()):
        schema = {**message["payload"], "components": FOUND["components"]}
        jsonschema_rs.Draft7Validator(schema).validate(example["payload"])
        if "headers" in message:
            jsonschema_rs.Draft7Validator(message["headers"]).validate(example["headers"])
        if model is not None:
            data = json.dumps(example["payload"], ensure_ascii=False).encode()
            assert json.loads(model.decode(data).encode()) == example["payload"]


def test_a_schema_refuses_what_its_model_refuses() -> None:
    schema = {"$ref": "#/components/schemas/Status", "components": FOUND["components"]}
    good = FOUND["components"]["messages"]["Status"]["examples"][0]["payload"]
    assert jsonschema_rs.is_valid(schema, good)
    for bad in ({**good, "phase": "Asleep"}, {**good, "run": "No Id"}, {k: v for k, v in good.items() if k != "kind"}):
        assert not jsonschema_rs.is_valid(schema, bad)


@pytest.mark.parametrize("name", [operation.name for operation in contract.OPERATIONS])
def test_an_operation_carries_messages_of_its_channels(name: str) -> None:
    operation = FOUND["operations"][name]
    messages = resolved(operation["channel"])["messages"].values()
    assert [resolved(one) for one in operation["messages"]] == [resolved(one) for one in messages]
    assert all(resolved(one)["name"] for one in operation.get("reply", {}).get("messages", ()))


@pytest.mark.parametrize("operation", [each for each in contract.OPERATIONS if each.role in IDENTITIES], ids=str)
def test_the_keeper_lets_everybody_do_what_the_document_says(operation: contract.Operation) -> None:
    who = IDENTITIES[operation.role]
    reader = subjects.reader_name(who.principal, NONCE)
    allowed = permissions(who, NONCE)
    principal, connection = reader.split("-")
    verbs: tuple[Verb, ...] = subjects.VERBS if operation.channel == "said" else ("answer",)
    for verb in verbs:
        subject = address(operation.channel, reader=reader, principal=principal, connection=connection, verb=verb)
        patterns = allowed.publish if operation.action == "send" else allowed.subscribe
        assert any(matches(pattern, subject) for pattern in patterns), subject


@pytest.mark.parametrize("role", [role for role in IDENTITIES if role != "launcher"])
def test_what_the_keeper_lets_somebody_publish_is_in_the_document(role: contract.Role) -> None:
    allowed = permissions(IDENTITIES[role], NONCE).publish
    reader = subjects.reader_name(IDENTITIES[role].principal, NONCE)
    known = {each.channel for each in contract.OPERATIONS if each.role == role and each.action == "send"}
    known |= {"alive"} if role == "bridge" else set()
    principal = reader.split("-")[0]
    made = [address(name, reader=reader, principal=principal, verb=verb) for name in known for verb in subjects.VERBS]
    assert [pattern for pattern in allowed if not any(matches(pattern, subject) for subject in made)] == []
