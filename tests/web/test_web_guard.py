"""What stands before every request, and what the server says when it cannot be started."""

from __future__ import annotations

import signal
import socket
import subprocess
from pathlib import Path

import httpx2
import pytest

from tests.support.scratch import soon
from tests.web.conftest import Web, instance, waits_for

JSON = {"content-type": "application/json"}


@pytest.mark.parametrize(
    "presented", [None, "", "Bearer", "Bearer wrong", "Basic YTpi", "Bearer a-token-for-test", "a-token-for-tests"]
)
@pytest.mark.parametrize("path", ["/v1/models", "/v1/chat/completions", "/mcp", "/nowhere"])
def test_without_the_token_nothing_is_told(shared: Web, presented: str | None, path: str) -> None:
    headers = {} if presented is None else {"authorization": presented}
    found = httpx2.get(shared.url + path, headers=headers)
    assert (found.status_code, found.headers["www-authenticate"]) == (401, "Bearer")
    assert found.json()["error"]["code"] == "invalid_api_key"


def test_health_needs_no_token(shared: Web) -> None:
    assert httpx2.get(shared.url + "/healthz").json() == {"status": "ok"}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/v1/chat/completions", 405), ("DELETE", "/v1/models", 405), ("GET", "/nowhere", 404)],
)
def test_what_is_not_there_or_not_meant_so_is_an_error_object(shared: Web, method: str, path: str, status: int) -> None:
    with shared.client() as client:
        found = client.request(method, path)
    assert found.status_code == status
    assert path in found.json()["error"]["message"]


def test_a_body_that_is_no_json_by_its_type_is_refused(shared: Web) -> None:
    with shared.client() as client:
        assert client.post("/v1/chat/completions", content="{}").status_code == 415


def test_a_body_that_is_too_large_is_refused_whether_it_says_so_or_not(web: Web) -> None:
    web.write(instance("echo", {"say": "x"}))
    web.start("--max-body", "1000")
    pieces = (b"x" * 100 for _ in range(20))
    with web.client(**JSON) as client:
        for content in (b"x" * 1001, pieces):
            found = client.post("/v1/chat/completions", content=content)
            assert found.status_code == 413
            assert found.json()["error"]["code"] == "request_too_large"
        assert client.post("/mcp", content=b"x" * 1001).status_code == 413
    assert not web.runs


def test_a_token_is_made_and_told_once_when_none_is_given(web: Web) -> None:
    web.write(instance("echo", {"say": "${input}"}))
    web.token = ""
    web.start()
    told = [line for line in web.log.read_text().splitlines() if line.startswith("token: ")]
    assert len(told) == 1
    web.token = told[0].removeprefix("token: ")
    assert web.ask("echo").status_code == 200
    assert web.log.read_text().count(web.token) == 1


def test_the_token_does_not_reach_the_runs(web: Web, tmp_path: Path) -> None:
    web.write(instance("waits", waits_for(tmp_path / "go"), {"say": "done"}))
    web.start()
    client = web.client_process("waits")
    soon(lambda: web.at_work() or None, "the run is at work")
    environments = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/environ") if readable(path)]
    ours = [found for found in environments if b"SYMPOZIUM_IPC=" + str(web.path).encode() in found]
    assert len(ours) >= 4
    assert not any(web.token.encode() in found for found in ours)
    (tmp_path / "go").touch()
    client.wait(30)


def readable(path: Path) -> bool:
    try:
        path.read_bytes()
    except OSError:
        return False
    return True


def test_a_killed_server_takes_its_runs_with_it(web: Web, tmp_path: Path) -> None:
    web.write(instance("waits", waits_for(tmp_path / "never"), {"say": "done"}))
    web.start()
    client = web.client_process("waits")
    soon(lambda: web.at_work() or None, "the run is at work")
    assert web.stop(signal.SIGKILL) == -signal.SIGKILL
    client.wait(30)
    soon(lambda: web.left() == [] or None, "nothing of the run is left")


def refused(web: Web, *options: str, **env: str) -> tuple[int, str]:
    done = subprocess.run(
        web.command(*options),
        env={**web.environment, **env},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("text", "code", "named"),
    [
        ("kind: [", 11, "agents.yaml"),
        ("", 12, "holds no SympoziumInstance"),
        ("apiVersion: sympozium.ai/v1alpha1\nkind: SympoziumInstance\nmetadata: {name: a}\nspec: {provder: 1}\n", 11,
         "agents.yaml: spec.provder: unknown field"),
        ("apiVersion: sympozium.ai/v1alpha1\nkind: SympoziumInstance\nmetadata: {name: a}\n"
         "spec: {provider: {name: openai, model: m}}\n", 13, "OPENAI_API_KEY"),
    ],
)  # fmt: skip
def test_documents_that_cannot_be_run_are_told_before_anything_is_served(
    web: Web, text: str, code: int, named: str
) -> None:
    web.objects.write_text(text)
    found, said = refused(web)
    assert found == code
    assert said.startswith("error: ")
    assert named in said


def test_an_address_that_is_taken_is_one_sentence(web: Web) -> None:
    web.write(instance("echo", {"say": "x"}))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, said = refused(web, "--port", str(port))
    assert (code, said) == (10, f"error: 127.0.0.1:{port}: address already in use")


@pytest.mark.parametrize(
    "options",
    [
        ["--max-runs", "0"],
        ["--port", "70000"],
        ["--token-file", "/nowhere/token"],
        ["--nonsense"],
        ["--instance", "nobody"],
    ],
)
def test_wrong_options_are_named(web: Web, options: list[str]) -> None:
    web.write(instance("echo", {"say": "x"}))
    code, said = refused(web, *options)
    assert 10 <= code <= 19
    assert options[-1] in said or options[0] in said


def test_a_token_that_no_header_can_carry_is_refused(web: Web) -> None:
    web.write(instance("echo", {"say": "x"}))
    code, said = refused(web, SYMPOZIUM_WEB_TOKEN="two words")
    assert code == 10
    assert "SYMPOZIUM_WEB_TOKEN" in said
