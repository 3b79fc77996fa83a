"""The same examples, each pack in its own image: read-only, without capabilities, with no program but its own."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.packs.cluster import POD, cluster, kubeconfig
from tests.packs.examples import docker, image_of, play_example
from tests.packs.test_pack_github_gitops import FILE, TOKEN, VALUES
from tests.packs.test_pack_observability import LOKI, PROMETHEUS
from tests.pod.play import SYMPOZIUM, Run
from tests.support.canned import canned
from tests.support.engine import cannot, need_images
from tests.support.forge import forge

PROGRAMS = ("sympozium/agent:dev", "sympozium/ipc-bridge:dev", "sympozium/model:dev")


@pytest.fixture(scope="module")
def host() -> str:
    """The address at which containers reach servers of this machine."""
    need_images()
    return docker("network", "inspect", "bridge", "--format", "{{(index .IPAM.Config 0).Gateway}}")


def play(pack: str, path: Path, put: dict[str, str] | None = None, *, skill: str = "", more: str = "") -> Run:
    """The example of ``pack`` in containers; skipped where an image is not built."""
    for image in (*PROGRAMS, image_of(skill or pack)):
        if not docker("image", "inspect", image):
            cannot(f"the image {image} is not built: docker buildx bake all")
    named = {name: os.environ[name] for name in ("DOCKER_HOST", "DOCKER_CONFIG") if name in os.environ}
    run = play_example(pack, path, put, on="compose", more=more, **named)
    assert run.code == 0, run.err + run.out
    shown = [str(SYMPOZIUM), "runs", "show", str(run.directory), "--output", "json"]
    told = json.loads(subprocess.run(shown, capture_output=True, text=True, check=True).stdout)
    outcomes = [message["outcome"] for message in told["messages"] if message["role"] == "tool"]
    assert outcomes == ["ok"] * len(outcomes), run.out
    assert outcomes
    return run


@pytest.mark.usefixtures("host")
def test_helm_lints_renders_and_compares_in_its_image(tmp_path: Path) -> None:
    run = play("helm", tmp_path)
    assert "1 chart(s) linted, 0 chart(s) failed" in run.out
    assert "changed  Secret/payments-password\n  (a Secret: its lines are not shown)" in run.out
    assert '  +               memory: "256Mi"\n' in run.out


@pytest.mark.usefixtures("host")
def test_llmfit_reports_on_its_host_from_its_image(tmp_path: Path) -> None:
    run = play("llmfit", tmp_path)
    system = json.loads(run.out[run.out.index("{") : run.out.index("}\nIt runs best:") + 1])["system"]
    assert system["cpu_cores"] == os.cpu_count()


@pytest.mark.usefixtures("host")
@pytest.mark.parametrize("pack", ["shell", "code-review", "incident-response"])
def test_packs_without_programs_of_their_own_run_with_a_plain_shell(pack: str, tmp_path: Path) -> None:
    play(pack, tmp_path, skill="shell")


def test_kubectl_looks_at_a_cluster_that_a_secret_names_from_the_image(host: str, tmp_path: Path) -> None:
    with canned(cluster(), host) as server:
        config = kubeconfig(tmp_path, server.url).read_text()
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "reader"}}
        more = json.dumps({**secret, "stringData": {"kubeconfig": config}})
        put = {"{namespaces: [payments]}": "{namespaces: [payments], secretRef: reader}"}
        run = play("k8s-ops", tmp_path, put, more=more)
    assert f"{POD}   0/1     CrashLoopBackOff   11" in run.out
    assert "Back-off restarting failed container api" in run.out
    assert "Exit Code:    1" in run.out
    assert run.out.endswith("fatal: PAYMENTS_DB is not set\n")
    assert any("previous=true" in request and "tailLines=50" in request for request in server.asked)
    assert not [request for request in server.asked if not request.startswith("GET ")]
    kept = [file for file in run.directory.rglob("*") if file.is_file() and server.url.encode() in file.read_bytes()]
    assert not kept, "the kubeconfig stays in no file of the run"


def test_a_draft_pull_request_is_made_from_the_image(host: str, tmp_path: Path) -> None:
    with forge(tmp_path / "forge", TOKEN, host=host) as server:
        server.seed({FILE: VALUES})
        play("github-gitops", tmp_path, {"http://forge.example:3000": server.url})
        assert server.git("show", f"sympozium/payments-memory-limit:{FILE}").endswith("256Mi")
        assert [pull["draft"] for pull in server.pulls] == [True]


def test_metrics_and_logs_are_read_from_the_image(host: str, tmp_path: Path) -> None:
    with canned(PROMETHEUS, host) as prometheus, canned(LOKI, host) as loki:
        put = {"http://prometheus.example:9090": prometheus.url, "http://loki.example:3100": loki.url}
        run = play("sre-observability", tmp_path, put)
    assert "one request in five fails" in run.out
    assert "error: no database" in run.out
