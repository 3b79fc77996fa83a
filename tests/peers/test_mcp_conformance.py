"""The MCP conformance suite: its client scenarios against the bridge, its server scenarios against the web endpoint."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.support import npm
from tests.web.conftest import Web, instance

HERE = Path(__file__).parent
EXPECTED: dict[str, dict[str, list[str]]] = yaml.safe_load((HERE / "expected_failures.yaml").read_text())
WITHIN = 60


def suite(*words: str) -> subprocess.CompletedProcess[str]:
    """The suite's own word on what it judged: 0 when nothing failed, the client under test included."""
    return subprocess.run(
        [npm.program("conformance"), *words],
        env=npm.environment(PYTHONPATH=str(npm.ROOT)),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=WITHIN,
        check=False,
    )


def failing(results: Path) -> list[str]:
    """The checks of one scenario that did not pass."""
    checks = json.loads((results / "checks.json").read_text())
    assert checks, "the suite looked at nothing"
    return sorted({check["id"] for check in checks if check["status"] in {"FAILURE", "WARNING"}})


def results_of(scenario: str, base: Path) -> Path:
    """Where the suite left what it found: named after the scenario and the time."""
    (found,) = base.glob(f"{scenario}-20[0-9][0-9]-*")
    return found


def test_every_scenario_of_the_suite_is_run_here() -> None:
    listed = suite("list").stdout
    known = [line.split()[1] for line in listed.splitlines() if line.startswith("  - ")]
    assert sorted(known) == sorted(scenario for side in EXPECTED.values() for scenario in side)


@pytest.mark.parametrize("scenario", EXPECTED["client"])
def test_the_bridge_is_a_client_as_the_suite_wants_it(scenario: str, tmp_path: Path) -> None:
    command = f"{sys.executable} {HERE / 'conformance_client.py'}"
    done = suite("client", "--command", command, "--scenario", scenario, "-o", str(tmp_path))
    results = results_of(scenario, tmp_path)
    said = (results / "stdout.txt").read_text() + (results / "stderr.txt").read_text()
    assert failing(results) == EXPECTED["client"][scenario], done.stderr[-4000:] + said
    assert "used\n" in said or "given up\n" in said, f"the client under test broke: {said}"
    if not EXPECTED["client"][scenario]:
        assert done.returncode == 0, done.stderr[-4000:] + said


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the suite found in a server of agents, reached through a proxy that presents its token."""
    npm.program("conformance")
    web = Web(tmp_path_factory.mktemp("web"))
    web.write(instance("echo", {"say": "${input}"}))
    web.start()
    command = [sys.executable, str(HERE / "forward.py"), web.url, web.token]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as proxy:
        assert proxy.stdout is not None
        url = f"http://127.0.0.1:{int(proxy.stdout.readline())}/mcp"
        results = tmp_path_factory.mktemp("judged")
        suite("server", "--url", url, "--suite", "all", "-o", str(results))
        proxy.kill()
    web.stop()
    return results


@pytest.mark.xdist_group("conformance-server")
@pytest.mark.parametrize("scenario", EXPECTED["server"])
def test_the_web_endpoint_is_a_server_as_the_suite_wants_it(scenario: str, judged: Path) -> None:
    assert failing(results_of(f"server-{scenario}", judged)) == EXPECTED["server"][scenario]
