"""Each pack's example is played as a user would: the real programs, against servers of this machine."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import jsonschema_rs
import pytest

from sympozium_skill.pack import DeclaredTool, Sidecar, load_pack
from sympozium_skill.template import fill_argv
from tests.packs.cluster import POD, cluster, kubeconfig
from tests.packs.examples import IMAGES, PACKS, SHIPPED, needs, play_example, went_well
from tests.support.canned import Canned, canned


def test_every_pack_has_an_example() -> None:
    assert [pack.name for pack in SHIPPED if not (pack / "example.yaml").exists()] == []


@pytest.mark.parametrize(
    ("pack", "says"), [("shell", "looked"), ("code-review", "+    while True:"), ("incident-response", "09:02 UTC")]
)
def test_an_example_that_needs_nothing_runs(pack: str, says: str, tmp_path: Path) -> None:
    run = play_example(pack, tmp_path)
    went_well(run)
    assert says in run.out
    whole = (tmp_path / "run/ipc/run/run.json").read_text()
    briefed = (PACKS / pack / "SKILL.md").read_text().splitlines()[-1]
    assert json.dumps(briefed, ensure_ascii=False)[1:-1] in whole


def test_llmfit_reports_on_its_host(tmp_path: Path) -> None:
    needs("llmfit")
    run = play_example("llmfit", tmp_path, HOME=str(tmp_path))
    went_well(run)
    memory = next(line for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemTotal"))
    gigabytes = int(memory.split()[1]) / (1 << 20)
    system = json.loads(run.out[run.out.index("{") : run.out.index("}\nIt runs best:") + 1])["system"]
    assert system["total_ram_gb"] == pytest.approx(gigabytes, rel=0.05)
    assert "GPU: User-specified GPU (24.00 GB VRAM" in run.out
    assert "Concurrent-session capacity - Qwen/Qwen3-8B" in run.out


@pytest.fixture
def pods(tmp_path: Path) -> Iterator[Canned]:
    with canned(cluster()) as server:
        kubeconfig(tmp_path, server.url)
        yield server


def test_kubectl_looks_at_a_crashing_pod_and_changes_nothing(pods: Canned, tmp_path: Path) -> None:
    needs("kubectl")
    run = play_example("k8s-ops", tmp_path, KUBECONFIG=str(tmp_path / "kubeconfig"), HOME=str(tmp_path))
    went_well(run)
    assert f"{POD}   0/1     CrashLoopBackOff   11" in run.out
    assert "Back-off restarting failed container api" in run.out
    assert "Exit Code:    1" in run.out
    assert run.out.endswith("fatal: PAYMENTS_DB is not set\n")
    assert any("previous=true" in request and "tailLines=50" in request for request in pods.asked)
    assert not [request for request in pods.asked if not request.startswith("GET ")]


@pytest.mark.parametrize("pack", sorted(IMAGES))
def test_the_readme_says_what_an_image_of_the_pack_needs(pack: str) -> None:
    sidecar = load_pack(PACKS / pack).sidecar
    assert sidecar is not None
    started = {*(sidecar.commands or ()), *(tool.argv[0] for tool in sidecar.tools)}
    assert started <= set(IMAGES[pack])
    row = next(line for line in (PACKS.parent / "README.md").read_text().splitlines() if line.startswith(f"| `{pack}`"))
    assert re.findall(r"[a-z]+", re.sub(r"\(.*?\)", "", row.split("|")[4])) == list(IMAGES[pack])


def test_no_tool_says_to_kubectl_how_to_connect() -> None:
    """With such an option it forgets the cluster in which it runs, and looks for one on localhost."""
    said = {pack.name: (pack / "pack.yaml").read_text() for pack in SHIPPED if (pack / "pack.yaml").exists()}
    options = re.compile(r"--(request-timeout|server|kubeconfig|token|tls-server-name)\b")
    assert {name: found for name, text in said.items() if (found := options.findall(text))} == {}


SAMPLES: dict[str, object] = {
    "kind": "pods", "name": "web-0", "namespace": "shop", "allNamespaces": True, "selector": "app=web",
    "fieldSelector": "type=Warning", "output": "yaml", "pod": "web-0", "container": "web", "tail": 10, "since": "5m",
    "previous": True, "what": "pods", "workload": "deployment/web", "revision": 3, "manifest": "{}", "replicas": 2,
    "currentReplicas": 1, "filter": "^web", "release": "web", "chart": "charts/web", "values": "a: 1",
    "valuesFile": "more.yaml", "showOnly": "templates/a.yaml",
}  # fmt: skip
FLAGGED = [
    (pack, tool)
    for pack in ("k8s-ops", "helm")
    for tool in (load_pack(PACKS / pack).sidecar or Sidecar()).tools
    if tool.argv[0] in ("kubectl", "helm")
]


@pytest.mark.parametrize(("pack", "tool"), FLAGGED, ids=[tool.name for _, tool in FLAGGED])
def test_the_program_knows_every_option_that_a_tool_gives_it(pack: str, tool: DeclaredTool, tmp_path: Path) -> None:
    needs(tool.argv[0])
    arguments = {name: SAMPLES[name] for name in tool.parameters["properties"]}
    jsonschema_rs.validate(tool.parameters, arguments)
    argv = [*fill_argv(tool.argv, tool.parameters, arguments), "--help"]
    assert len(argv) == len(tool.argv) + 1
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    done = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("kind", ["secrets", "Secret", "pods,SECRETS", "secrets.v1.", "sealedsecrets.bitnami.com"])
def test_kubectl_get_takes_no_secrets(kind: str) -> None:
    sidecar = load_pack(PACKS / "k8s-ops").sidecar
    assert sidecar is not None
    schema = next(tool.parameters for tool in sidecar.tools if tool.name == "kubectl_get")
    assert jsonschema_rs.is_valid(schema, {"kind": "pods,services"})
    assert not jsonschema_rs.is_valid(schema, {"kind": kind})
