"""Secrets: filled in where a spec asks for them, and nowhere to be read afterwards."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from sympozium_mcp.access import Access, accesses
from sympozium_mcp.secrets import Redactor
from sympozium_protocol.exits import Ended, Reason
from sympozium_protocol.messages import ParticipantSpec
from sympozium_protocol.messages.servers import OAuthSpec, ServerSpec
from tests.support.ipc import run_spec


def access_of(environment: dict[str, str], redactor: Redactor | None = None, **fields: Any) -> Access:
    given: dict[str, Any] = {"name": "docs", "prefix": "d_", "transport": "http", "url": "http://x/", **fields}
    return reach([ServerSpec(**given)], environment, redactor)[0]


def reach(
    servers: list[ServerSpec], environment: dict[str, str] | None = None, redactor: Redactor | None = None
) -> tuple[Access, ...]:
    participant = ParticipantSpec(name="mcp", role="mcp", prefixes=("d_", "e_", "d_x"))
    spec = run_spec("mcp", participants=(participant,), servers=tuple(servers))
    return accesses(spec, participant, environment or {}, redactor or Redactor())


def test_keys_are_filled_into_headers_environment_and_credentials() -> None:
    access = access_of(
        {"MY_TOKEN": "t0ken", "MY_ID": "me"},
        headers={"authorization": "Bearer ${TOKEN}"},
        env={"BOTH": "${ID}:${TOKEN}"},
        oauth=OAuthSpec(client_id="${ID}", client_secret="${TOKEN}", scopes=("read:${ID}",)),
        secrets={"TOKEN": "MY_TOKEN", "ID": "MY_ID"},
    )
    assert access.headers == {"authorization": "Bearer t0ken"}
    assert access.env == {"BOTH": "me:t0ken"}
    assert access.oauth is not None
    assert (access.oauth.client_id, access.oauth.client_secret, access.oauth.scopes) == ("me", "t0ken", ("read:me",))


@pytest.mark.parametrize(
    ("secrets", "words"),
    [
        ({"TOKEN": "MY_TOKEN"}, "server docs: key TOKEN: the variable MY_TOKEN is not set"),
        ({}, "server docs: headers.x: secrets names no variable for TOKEN"),
    ],
)
def test_a_key_that_has_no_value_is_a_missing_key_with_server_and_name(secrets: dict[str, str], words: str) -> None:
    with pytest.raises(Ended, match=words) as ended:
        access_of({}, headers={"x": "${TOKEN}"}, secrets=secrets)
    assert ended.value.reason is Reason.MissingKey


def test_what_is_put_in_for_a_key_is_not_filled_in_again() -> None:
    access = access_of({"A": "${B}", "B": "no"}, headers={"x": "${A}"}, secrets={"A": "A", "B": "B"})
    assert access.headers["x"] == "${B}"


def test_a_server_is_given_a_small_environment_without_the_secrets_of_any() -> None:
    stdio = {"transport": "stdio", "command": ("x",), "url": ""}
    environment = {"PATH": "/bin", "LANG": "C", "AWS_SECRET": "no", "MY_TOKEN": "no", "HOME": "secret home"}
    first, second = reach(
        [
            ServerSpec(name="a", prefix="d_", env={"MODE": "x"}, secrets={"T": "MY_TOKEN"}, **stdio),  # type: ignore[arg-type]
            ServerSpec(name="b", prefix="e_", secrets={"H": "HOME"}, **stdio),  # type: ignore[arg-type]
        ],
        environment,
    )
    assert first.env == {"PATH": "/bin", "LANG": "C", "MODE": "x"}
    assert second.env == {"PATH": "/bin", "LANG": "C"}


def test_an_access_does_not_show_its_secrets() -> None:
    access = access_of({"T": "t0ken"}, headers={"x": "${T}"}, env={"y": "${T}"}, secrets={"T": "T"})
    assert "t0ken" not in repr(access)


def test_a_secret_is_taken_out_of_text_however_it_is_written() -> None:
    redactor = Redactor()
    secret = 'pa"ss/wörd'
    redactor.add(secret)
    for text in (secret, 'x pa\\"ss/w\\u00f6rd y', "pa%22ss%2Fw%C3%B6rd", base64.b64encode(secret.encode()).decode()):
        assert "ss" not in redactor.text(text).replace("[secret]", "")
    assert redactor.json({"a": [secret, 1], secret: None}) == {"a": ["[secret]", 1], "[secret]": None}


def test_a_secret_that_begins_another_does_not_leave_the_rest_of_it() -> None:
    redactor = Redactor()
    redactor.add("token")
    redactor.add("token-and-more")
    assert redactor.text("x token-and-more y token") == "x [secret] y [secret]"


def test_a_value_of_a_few_characters_is_left_since_ordinary_text_has_it_too() -> None:
    redactor = Redactor()
    redactor.add("1")
    assert redactor.text("1 of 11") == "1 of 11"


@pytest.mark.parametrize(
    ("servers", "words"),
    [
        ([("a", "d_"), ("a", "e_")], "two are named a"),
        ([("a", "d_"), ("b", "d_")], "begin one another"),
        ([("a", "d_"), ("b", "d_x")], "begin one another"),
        ([("a", "d_x"), ("b", "d_")], "begin one another"),
        ([("a", "f_")], "is none of participant mcp"),
    ],
)
def test_servers_whose_tools_could_take_each_others_names_are_refused(
    servers: list[tuple[str, str]], words: str
) -> None:
    given = [ServerSpec(name=name, prefix=prefix, transport="http", url="http://x/") for name, prefix in servers]
    with pytest.raises(Ended, match=words) as ended:
        reach(given)
    assert ended.value.reason is Reason.InvalidRun


@pytest.mark.parametrize(
    "fields", [{"transport": "stdio"}, {"transport": "http"}, {"transport": "http", "url": "file:///etc/passwd"}]
)
def test_a_server_that_nothing_leads_to_is_refused_by_name(fields: dict[str, str]) -> None:
    with pytest.raises(Ended, match="servers: docs:"):
        reach([ServerSpec(name="docs", prefix="d_", **fields)])  # type: ignore[arg-type]
