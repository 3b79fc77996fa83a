"""helm really lints, renders and compares, and shows no Secret."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.packs.cluster import NAMESPACE, cluster, kubeconfig, releases
from tests.packs.examples import call_tool, needs, needs_tools_of, play_example, went_well
from tests.support.canned import Canned, canned

MANIFEST = """---
# Source: shop/templates/all.yaml
apiVersion: v1
kind: ConfigMap
metadata:
  name: shop
data:
  memory: 128Mi
---
# Source: shop/templates/secret.yaml
apiVersion: v1
kind: Secret
metadata:
  name: shop-password
stringData:
  password: never-shown
---
# Source: shop/templates/old.yaml
apiVersion: v1
kind: Service
metadata:
  name: shop-old
"""


class Helm:
    """The pack's tools over a workspace with a chart, and a cluster that has a release of it."""

    def __init__(self, path: Path, server: Canned, env: Mapping[str, str]) -> None:
        self.workspace = path / "workspace"
        self.server = server
        self.env = env
        templates = self.workspace / "shop/templates"
        templates.mkdir(parents=True)
        (templates.parent / "Chart.yaml").write_text("apiVersion: v2\nname: shop\nversion: 1.4.0\n")
        (templates.parent / "values.yaml").write_text("memory: 128Mi\nregion: north\n")
        (templates / "all.yaml").write_text(
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}\n"
            "data:\n  memory: {{ .Values.memory }}\n  region: {{ .Values.region }}\n"
        )
        (templates / "secret.yaml").write_text(MANIFEST.split("---\n")[2])

    def release(self, manifest: str, values: dict[str, object]) -> None:
        """What the cluster says that it has."""
        listed = releases("shop", manifest, values)
        one = f"/api/v1/namespaces/{NAMESPACE}/secrets/sh.helm.release.v1.shop.v3"
        self.server.answers = {**cluster(secrets=listed), one: listed["items"][0]}

    def __call__(self, tool: str, **arguments: object) -> str:
        done = call_tool("helm", tool, self.workspace, self.env, **arguments)
        assert done.returncode == 0, done.stdout
        return done.stdout


@pytest.fixture
def helm(tmp_path: Path) -> Iterator[Helm]:
    needs_tools_of("helm")
    with canned(cluster()) as server:
        tools = Helm(tmp_path, server, {"KUBECONFIG": str(kubeconfig(tmp_path, server.url))})
        tools.release(MANIFEST, {"region": "south"})
        yield tools


def test_helm_compares_with_what_runs_and_keeps_its_values(helm: Helm) -> None:
    assert helm("helm_diff", against="release", release="shop", chart="shop", values="memory: 256Mi\n") == (
        "changed  ConfigMap/shop\n"
        "  -   memory: 128Mi\n"
        "  +   memory: 256Mi\n"
        "  +   region: south\n"
        "removed  Service/shop-old\n"
        "  - apiVersion: v1\n"
        "  - kind: Service\n"
        "  - metadata:\n"
        "  -   name: shop-old\n"
    )


def test_lines_that_only_moved_are_told_as_such(helm: Helm) -> None:
    helm.release(
        "kind: ConfigMap\ndata:\n  region: north\n  memory: 128Mi\nmetadata:\n  name: shop\napiVersion: v1\n", {}
    )
    said = helm("helm_diff", against="release", release="shop", chart="shop")
    assert said.startswith("changed  ConfigMap/shop\n  (only where lines stand, or how often)\nadded    Secret/")


def test_helm_says_that_nothing_would_change(helm: Helm) -> None:
    assert helm("helm_diff", against="chart", release="shop", chart="shop") == "No object would change.\n"


def test_a_values_file_comes_before_the_values_that_are_said(helm: Helm) -> None:
    (helm.workspace / "more.yaml").write_text("memory: 1Gi\nregion: west\n")
    said = helm(
        "helm_diff", against="chart", release="shop", chart="shop", valuesFile="more.yaml", values="memory: 2Gi\n"
    )
    assert "  +   memory: 2Gi\n  +   region: west\n" in said


def test_a_manifest_shows_no_secret(helm: Helm) -> None:
    shown = helm("helm_manifest", release="shop")
    assert "# a Secret, not shown: shop-password" in shown
    assert "memory: 128Mi" in shown
    assert "never-shown" not in shown


def test_a_namespace_gives_helm_no_option_of_its_own(helm: Helm) -> None:
    """Were it split into words, helm would start a program of the agent's on what it rendered."""
    evil = helm.workspace / "evil.sh"
    evil.write_text(f"#!/bin/sh\n: >{helm.workspace}/proof\ncat\n")
    evil.chmod(0o755)
    said = f"shop --post-renderer={evil}"
    wanted = {"against": "chart", "release": "shop", "chart": "shop", "namespace": said}
    with pytest.raises(ValueError, match="does not match"):
        call_tool("helm", "helm_diff", helm.workspace, helm.env, **wanted)
    call_tool("helm", "helm_diff", helm.workspace, helm.env, checked=False, **wanted)
    assert not (helm.workspace / "proof").exists()


@pytest.mark.parametrize(
    "text",
    [
        "apiVersion: v1\nkind: List\nitems:\n  - kind: Secret\n    metadata: {name: inner}\n    data: {a: bmV2ZXI=}\n",
        '{"kind": "Secret", "metadata": {"name": "json"}, "data": {"a": "bmV2ZXI="}}\n',
    ],
    ids=["in a list", "as JSON"],
)
def test_a_secret_in_another_form_is_not_shown_either(helm: Helm, text: str) -> None:
    (helm.workspace / "shop/templates/more.yaml").write_text("{{- if .Values.more }}\n" + text + "{{- end }}\n")
    said = helm("helm_diff", against="chart", release="shop", chart="shop", values="more: true\n")
    assert "its lines are not shown" in said
    assert "bmV2ZXI=" not in said


def test_a_release_without_values_of_its_own_is_compared(helm: Helm) -> None:
    helm.release(MANIFEST, {})
    said = helm("helm_diff", against="release", release="shop", chart="shop")
    assert "  +   region: north\n" in said
    assert "memory" not in said


def test_helm_lists_what_is_released(helm: Helm) -> None:
    (release,) = json.loads(helm("helm_list"))
    assert (release["name"], release["status"], release["chart"]) == ("shop", "deployed", "shop-1.4.0")
    assert "deployed" in helm("helm_history", release="shop")


def test_helm_keeps_nothing_readable_after_a_comparison(helm: Helm) -> None:
    helm("helm_diff", against="release", release="shop", chart="shop", values="memory: 256Mi\n")
    left = [file for file in (helm.workspace.parent / "tmp").rglob("*") if file.is_file() and file.stat().st_size]
    assert [file for file in left if b"never-shown" in file.read_bytes() or b"south" in file.read_bytes()] == []


def test_helm_lints_renders_and_compares_a_chart(tmp_path: Path) -> None:
    needs("helm", "jq")
    run = play_example("helm", tmp_path, HOME=str(tmp_path))
    went_well(run)
    assert "1 chart(s) linted, 0 chart(s) failed" in run.out
    difference = run.out.split("What would change:")[1]
    assert "changed  Deployment/payments-api\n  -               memory" in difference
    assert '  +               memory: "256Mi"\n' in difference
    assert "changed  Secret/payments-password\n  (a Secret: its lines are not shown)" in difference
    assert "added    Service/payments-api" in difference
    assert "only-for-the-example" not in difference
    assert "another" not in difference
