"""Servers over HTTP: headers and credentials reach them and nobody else; what fails costs one call or their tools."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from sympozium_protocol.exits import Reason
from sympozium_protocol.messages import BlobPart
from sympozium_protocol.messages.servers import OAuthSpec, ServerSpec
from tests.mcp.conftest import Bridge, free_port, text_of
from tests.support.ipc import wait_for
from tests.support.odd_http_server import App, running

PROXY_PASSWORD = "pr0xy-password"
SECRET = "s3cret/value+with=signs"


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as found:
        yield found


def spec_of(url: str, name: str = "h", **fields: Any) -> ServerSpec:
    given = {"name": name, "prefix": f"{name}_", "transport": "http", "url": f"{url}/mcp"}
    return ServerSpec(**{**given, **fields})


def odd(stack: ExitStack, fault: str = "", **fields: Any) -> tuple[App, str]:
    app = App(fault, **fields)
    return app, stack.enter_context(running(app, free_port()))


def nowhere_to_be_read(bridge: Bridge, secret: str = SECRET) -> None:
    assert secret not in bridge.said()
    for path in bridge.ipc.rglob("*"):
        if path.is_file():
            assert secret.encode() not in path.read_bytes(), path


# -- headers --------------------------------------------------------------------------------------


def test_headers_with_a_secret_open_the_server(bridge: Bridge) -> None:
    server = bridge.http("a", "--token", SECRET)
    spec = server.model_copy(update={"headers": {"Authorization": "Bearer ${T}"}, "secrets": {"T": "MY_TOKEN"}})
    bridge.start(spec, MY_TOKEN=SECRET)
    assert text_of(bridge.call("a_echo", text="in")) == "in"
    assert text_of(bridge.call("a_echo", text=SECRET)) == "[secret]"
    assert "MY_TOKEN" not in text_of(bridge.call("a_environment"))


def test_a_server_that_refuses_is_named_with_its_status_and_without_the_secret(bridge: Bridge) -> None:
    server = bridge.http("a", "--token", "another")
    spec = server.model_copy(
        update={"headers": {"Authorization": "Bearer ${T}"}, "secrets": {"T": "MY_TOKEN"}, "required": False}
    )
    bridge.start(spec, MY_TOKEN=SECRET)
    assert bridge.heard("server lost")["why"] == "it refused the handshake: HTTP 401 Unauthorized"
    nowhere_to_be_read(bridge)


def test_a_missing_key_ends_the_program_before_anything_is_started(bridge: Bridge) -> None:
    spec = bridge.own("a", env={"T": "${T}"}, secrets={"T": "MY_TOKEN"})
    bridge.start(spec, wait=False)
    assert bridge.end() == Reason.MissingKey
    assert bridge.events("ended")[0]["message"] == "server a: key T: the variable MY_TOKEN is not set"
    assert not (bridge.marks / "starts").exists()


@pytest.mark.parametrize("fault", ["echoes-headers", "error-with-headers"])
def test_a_secret_that_a_server_sends_back_is_in_no_reply(bridge: Bridge, stack: ExitStack, fault: str) -> None:
    app, url = odd(stack, fault)
    bridge.start(spec_of(url, headers={"x-key": "${K}"}, secrets={"K": "MY_KEY"}), MY_KEY=SECRET)
    reply = bridge.call("h_echo", text="odd")
    assert "x-key" in text_of(reply)
    assert any(headers.get("x-key") == SECRET for _, _, headers, _ in app.seen)
    nowhere_to_be_read(bridge)


def test_a_secret_in_binary_content_is_taken_out_too(bridge: Bridge, stack: ExitStack) -> None:
    _, url = odd(stack, "blob-with-headers")
    bridge.start(spec_of(url, headers={"x-key": "${K}"}, secrets={"K": "MY_KEY"}), MY_KEY=SECRET)
    (part,) = bridge.call("h_echo", text="odd").content
    assert isinstance(part, BlobPart)
    assert b"x-key" in bridge.blob(part.digest)
    nowhere_to_be_read(bridge)


def test_a_secret_of_a_stdio_server_is_given_to_it_and_is_in_no_reply(bridge: Bridge) -> None:
    spec = bridge.own("a", env={"GIVEN": "key=${K}"}, secrets={"K": "MY_KEY"})
    bridge.start(spec, MY_KEY=SECRET, UNRELATED="variable")
    found = bridge.call("a_environment").details["structuredContent"]
    assert found["GIVEN"] == "key=[secret]"
    assert not {"MY_KEY", "UNRELATED", "SYMPOZIUM_IPC"} & found.keys()
    nowhere_to_be_read(bridge)


# -- trouble --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "outcome", "words"),
    [
        ("large", "error", "more than 8 MiB"),
        ("packed", "error", "compressed"),
        ("status", "error", "HTTP 503"),
        ("status-with-error", "error", "HTTP 429"),
        ("status-of-a-stream", "error", "HTTP 502"),
        ("bad-request", "error", "HTTP 400"),
        ("status-of-the-protocol", "error", "in its own words"),
        ("not-json", "error", "parse"),
        ("not-mcp", "error", "parse"),
        ("text", "error", "content type"),
        ("redirect", "error", "not followed"),
        ("redirects-to-itself", "unavailable", "h is not available: it redirects without end"),
        ("empty-stream", "interrupted", "look first"),
        ("large-event", "interrupted", "look first"),
    ],
)
def test_an_odd_answer_costs_one_call(bridge: Bridge, stack: ExitStack, fault: str, outcome: str, words: str) -> None:
    app, url = odd(stack, fault)
    bridge.start(spec_of(url))
    hanging = bridge.ask("h_echo", text="hang")
    bridge.started(hanging)
    reply = bridge.call("h_echo", text="odd")
    assert (reply.outcome, words in text_of(reply)) == (outcome, True), text_of(reply)
    assert text_of(bridge.call("h_echo", text="fine")) == "fine"
    assert not bridge.has(f"mcp/replies/{hanging}.json"), "the call beside it goes on"
    bridge.withdraw(hanging)
    assert bridge.reply(hanging).outcome == "cancelled"
    assert app.session == 1


def test_a_server_that_hangs_on_notifications_is_not_waited_for_longer_than_its_bound(
    bridge: Bridge, stack: ExitStack
) -> None:
    _, url = odd(stack, "hangs-on-notifications")
    bridge.start(spec_of(url))
    assert bridge.call("h_echo", 0.3, text="hang").outcome == "timeout"
    assert text_of(bridge.call("h_echo", text="fine")) == "fine"


def test_a_server_that_only_redirects_to_itself_is_unavailable_for_that_reason(
    bridge: Bridge, stack: ExitStack
) -> None:
    app, url = odd(stack)
    bridge.start(spec_of(url))
    app.fault = "always-redirects-to-itself"
    why = f"h is not available: it redirects without end, 5 times were followed, the last to {url}/mcp. Nothing"
    reply = bridge.call("h_echo", text="x")
    assert (reply.outcome, why in text_of(reply)) == ("unavailable", True), text_of(reply)
    assert len([body for _, _, _, body in app.seen if b"tools/call" in body]) == 6
    app.fault = ""
    assert bridge.until("ok", "h_echo", text="back")


def test_a_server_that_redirects_to_itself_from_the_start_is_named_with_that(bridge: Bridge, stack: ExitStack) -> None:
    _, url = odd(stack, "always-redirects-to-itself")
    bridge.start(spec_of(url, required=False))
    assert bridge.heard("server lost", server="h")["why"] == (
        f"it redirects without end, 5 times were followed, the last to {url}/mcp"
    )


def test_a_redirect_at_the_same_origin_is_followed(bridge: Bridge, stack: ExitStack) -> None:
    app, url = odd(stack, "slash")
    bridge.start(spec_of(url))
    assert text_of(bridge.call("h_echo", text="there")) == "there"
    assert {path for _, path, _, _ in app.seen} == {"/mcp", "/mcp/"}


def test_a_session_that_the_server_forgot_is_opened_again(bridge: Bridge, stack: ExitStack) -> None:
    app, url = odd(stack)
    bridge.start(spec_of(url))
    app.session = 2
    assert bridge.call("h_echo", text="x").outcome == "unavailable"
    assert bridge.until("ok", "h_echo", text="x")


def test_a_server_that_goes_away_leaves_its_tools_unavailable_until_it_is_back(bridge: Bridge) -> None:
    port = free_port()
    first = bridge.serve_http(port)
    bridge.start(bridge.own("a"), spec_of(f"http://127.0.0.1:{port}"))
    assert bridge.call("h_echo", text="x").outcome == "ok"
    first.kill()
    first.wait()
    reply = bridge.call("h_echo", text="x")
    assert reply.outcome == "unavailable"
    assert "cannot be reached" in text_of(reply)
    assert text_of(bridge.call("a_echo", text="fine")) == "fine"
    bridge.serve_http(port)
    assert bridge.until("ok", "h_echo", text="x")
    assert "h_echo" in bridge.newest()


def test_a_server_that_is_not_there_at_the_start_comes_later(bridge: Bridge) -> None:
    port = free_port()
    bridge.start(bridge.own("a"), spec_of(f"http://127.0.0.1:{port}", required=False))
    assert "h_echo" not in bridge.names()
    bridge.serve_http(port)
    bridge.offers("h_echo")


def test_a_proxy_of_the_environment_is_used_and_its_password_is_a_secret(bridge: Bridge, stack: ExitStack) -> None:
    app, url = odd(stack, "echoes-headers")
    proxy = url.replace("http://", f"http://me:{PROXY_PASSWORD}@")
    bridge.start(spec_of("http://docs.example.invalid"), HTTP_PROXY=proxy, http_proxy=proxy, NO_PROXY="", no_proxy="")
    assert text_of(bridge.call("h_echo", text=PROXY_PASSWORD)) == "[secret]"
    assert {headers["host"] for _, _, headers, _ in app.seen} == {"docs.example.invalid"}


def test_a_server_that_needs_no_proxy_is_reached_directly(bridge: Bridge, stack: ExitStack) -> None:
    app, url = odd(stack)
    nowhere = f"http://127.0.0.1:{free_port()}"
    bridge.start(spec_of(url), HTTP_PROXY=nowhere, http_proxy=nowhere, NO_PROXY="127.0.0.1", no_proxy="127.0.0.1")
    assert text_of(bridge.call("h_echo", text="direct")) == "direct"
    assert app.seen


def test_the_session_is_ended_at_the_server(bridge: Bridge, stack: ExitStack) -> None:
    app, url = odd(stack)
    bridge.start(spec_of(url))
    assert bridge.stop() == Reason.Suspended
    wait_for(lambda: any(method == "DELETE" for method, *_ in app.seen) or None, "the end of the session")


# -- OAuth ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_client_credentials_open_the_server(bridge: Bridge, stack: ExitStack, method: str) -> None:
    app, url = odd(stack, "oauth", secret=SECRET)
    oauth = OAuthSpec(client_id="me", client_secret="${S}", auth_method=method, issuer=f"{url}")  # type: ignore[arg-type]
    bridge.start(spec_of(url, oauth=oauth, secrets={"S": "MY_SECRET"}), MY_SECRET=SECRET)
    assert text_of(bridge.call("h_echo", text="in")) == "in"
    assert app.tokens == 1
    assert text_of(bridge.call("h_echo", text="my opaque-token-1")) == "my [secret]"
    nowhere_to_be_read(bridge)


def test_a_token_in_an_answer_that_makes_no_sense_is_not_logged(bridge: Bridge, stack: ExitStack) -> None:
    app, url = odd(stack, "oauth", secret=SECRET, token_type="Sealed")
    oauth = OAuthSpec(client_id="me", client_secret="${S}", issuer=url)
    bridge.start(spec_of(url, oauth=oauth, required=False, secrets={"S": "MY_SECRET"}), MY_SECRET=SECRET)
    bridge.heard("server lost", server="h")
    assert app.tokens
    nowhere_to_be_read(bridge, "opaque-token-1")


def test_a_signed_assertion_opens_the_server(bridge: Bridge, stack: ExitStack) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    app, url = odd(stack, "oauth", key=key.public_key())
    oauth = OAuthSpec(client_id="me", private_key="${K}")
    bridge.start(spec_of(url, oauth=oauth, secrets={"K": "MY_KEY"}), MY_KEY=pem)
    assert text_of(bridge.call("h_echo", text="in")) == "in"
    assert app.tokens == 1
    nowhere_to_be_read(bridge, pem.splitlines()[1])


def test_a_token_that_is_not_taken_any_more_is_replaced(bridge: Bridge, stack: ExitStack) -> None:
    app, url = odd(stack, "oauth", secret=SECRET)
    oauth = OAuthSpec(client_id="me", client_secret="${S}", issuer=url)
    bridge.start(spec_of(url, oauth=oauth, secrets={"S": "MY_SECRET"}), MY_SECRET=SECRET)
    app.tokens += 1
    assert text_of(bridge.call("h_echo", text="again")) == "again"


def test_credentials_are_not_sent_to_an_authorization_server_that_the_run_does_not_name(
    bridge: Bridge, stack: ExitStack
) -> None:
    app, url = odd(stack, "oauth", secret=SECRET)
    oauth = OAuthSpec(client_id="me", client_secret="${S}", issuer="https://login.example.com")
    bridge.start(spec_of(url, oauth=oauth, required=False, secrets={"S": "MY_SECRET"}), MY_SECRET=SECRET)
    bridge.heard("server lost", server="h")
    assert not any(path == "/token" for _, path, _, _ in app.seen)


def test_a_wrong_secret_is_said_without_it(bridge: Bridge, stack: ExitStack) -> None:
    _, url = odd(stack, "oauth", secret="another")
    oauth = OAuthSpec(client_id="me", client_secret="${S}", auth_method="client_secret_post", issuer=url)
    bridge.start(spec_of(url, oauth=oauth, required=False, secrets={"S": "MY_SECRET"}), MY_SECRET=SECRET)
    why = bridge.heard("server lost", server="h")["why"]
    assert "401" in why
    assert "invalid_client" in why
    nowhere_to_be_read(bridge)
