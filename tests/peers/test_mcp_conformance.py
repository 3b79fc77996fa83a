"""The MCP conformance suite: its client scenarios against the bridge, its server scenarios against the web endpoint."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.peers import conformance_client, forward
from tests.support import npm
from tests.web.conftest import Web, instance

EXPECTED = Path(__file__).with_name("expected_failures.yaml")
FAILING: dict[str, list[str]] = yaml.safe_load(EXPECTED.read_text())
WITHIN = 60
PASSING = {
    "client": (
        "initialize",
        "tools_call",
        "elicitation-sep1034-client-defaults",
        "sse-retry",
        "auth/pre-registration",
        "auth/client-credentials-basic",
        "auth/client-credentials-jwt",
        "auth/resource-mismatch",
    ),
    "server": (
        "server-initialize",
        "ping",
        "tools-list",
        "server-sse-multiple-streams",
        "dns-rebinding-protection",
    ),
}


def suite(path: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Judged by the suite: 0 for what passes, and for what is expected to fail and does."""
    return subprocess.run(
        [npm.program("conformance"), *words, "--expected-failures", str(EXPECTED)],
        cwd=path,
        env=npm.environment(PYTHONPATH=str(npm.ROOT)),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=WITHIN,
        check=False,
    )


def test_every_scenario_of_the_suite_is_run_here(tmp_path: Path) -> None:
    listed = subprocess.run(
        [npm.program("conformance"), "list"], env=npm.environment(), capture_output=True, text=True, check=True
    ).stdout
    known = {line.split()[1] for line in listed.splitlines() if line.startswith("  - ")}
    assert known == {name for found in (PASSING, FAILING) for names in found.values() for name in names}


@pytest.mark.parametrize("scenario", [*PASSING["client"], *FAILING["client"]])
def test_the_bridge_is_a_client_as_the_suite_wants_it(scenario: str, tmp_path: Path) -> None:
    command = f"{sys.executable} {conformance_client.__file__}"
    done = suite(tmp_path, "client", "--command", command, "--scenario", scenario)
    assert done.returncode == 0, done.stdout[-4000:]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server of agents, reached through a proxy that presents its token."""
    npm.program("conformance")
    web = Web(tmp_path_factory.mktemp("web"))
    web.write(instance("echo", {"say": "${input}"}))
    web.start()
    command = [sys.executable, forward.__file__, web.url, web.token]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as proxy:
        assert proxy.stdout is not None
        yield f"http://127.0.0.1:{int(proxy.stdout.readline())}/mcp"
        proxy.kill()
    web.stop()


@pytest.mark.parametrize("scenario", [*PASSING["server"], *FAILING["server"]])
def test_the_web_endpoint_is_a_server_as_the_suite_wants_it(scenario: str, url: str, tmp_path: Path) -> None:
    done = suite(tmp_path, "server", "--url", url, "--scenario", scenario)
    assert done.returncode == 0, done.stdout[-4000:]
