"""render/compose: which walls a pod of containers has; golden files of the examples."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Mapping
from pathlib import Path, PurePath

import pytest
import yaml

from sympozium_controller.assemble import assemble
from sympozium_controller.documents import Objects, parse
from sympozium_controller.flags import Flags
from sympozium_controller.objects import SkillPack
from sympozium_controller.outfit import outfit
from sympozium_controller.render.compose import Images, InEngine, OnHost, Project, Service, Where, render
from sympozium_controller.render.composefile import document
from sympozium_controller.resolve import resolve

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden" / "compose"
OTHERS = ("09-served", "10-served-in-a-container", "11-on-the-bus", "12-in-a-cluster")
"""Examples that are no run of their own documents alone."""
EXAMPLES = sorted(path.name for path in (ROOT / "examples").glob("[0-9]*") if path.name not in OTHERS)
IMAGES = Images("registry.example/sympozium", "v1")
INSIDE = InEngine("default", "laptop")
HOST = OnHost(PurePath("/run-1"), PurePath("/memories/laptop"), PurePath("/secrets"), "501:20")


def made(where: Where, packs: Mapping[str, SkillPack], flags: Flags, objects: Objects | None = None) -> Project:
    objects = objects or Objects()
    spec = resolve(objects, packs, flags, run_id="run-1", now="2026-01-02T03:04:05.000Z")
    return render(assemble(spec, outfit(objects, packs, flags)), where, IMAGES)


def of_example(name: str, where: Where, packs: Mapping[str, SkillPack]) -> Project:
    directory = ROOT / "examples" / name
    script = directory / "script.yaml"
    sources = [(file.name, file.read_text()) for file in sorted(directory.glob("*.yaml")) if file != script]
    flags = Flags(script=(script.name, script.read_text()) if script.exists() else None)
    return made(where, packs, flags, parse(sources))


def service(project: Project, name: str) -> Service:
    return next(one for one in project.services if one.name == name)


FLAGS = Flags(input="x", skills=("k8s-ops", "shell"), memory=True)


@pytest.mark.parametrize("where", [INSIDE, HOST], ids=["in the engine", "on the host"])
def test_every_source_is_writable_in_one_container_but_the_workspace(
    where: Where, packs: Mapping[str, SkillPack]
) -> None:
    project = made(where, packs, FLAGS)
    programs = [one for one in project.services if one.name != "volumes"]
    writers = Counter(mount.source for one in programs for mount in one.mounts if mount.writable)
    assert {PurePath(source).name for source, count in writers.items() if count > 1} == {"workspace"}


def test_no_directory_of_a_volume_lies_in_another(packs: Mapping[str, SkillPack]) -> None:
    """Who may write the outer one could put a link in the inner one's place, and have any directory mounted."""
    project = made(HOST, packs, FLAGS)
    sources = {PurePath(mount.source) for one in project.services for mount in one.mounts}
    assert not [(a, b) for a in sources for b in sources if a != b and a.is_relative_to(b)]


def test_a_point_where_a_volume_is_mounted_in_a_read_only_one_is_made_before(packs: Mapping[str, SkillPack]) -> None:
    project = made(HOST, packs, FLAGS)
    for one in project.services:
        for inner in one.mounts:
            for outer in one.mounts:
                if inner != outer and PurePath(inner.target).is_relative_to(outer.target):
                    point = PurePath(outer.source) / PurePath(inner.target).relative_to(outer.target)
                    assert str(point) in project.directories


def test_what_lays_the_volumes_out_mounts_all_but_the_memory_and_starts_first(
    packs: Mapping[str, SkillPack],
) -> None:
    project = made(INSIDE, packs, FLAGS)
    volumes = service(project, "volumes")
    others = {(m.source, m.target) for one in project.services for m in one.mounts if m.target != "/memory"}
    assert {(m.source, m.target) for m in volumes.mounts} == others
    assert all(mount.writable for mount in volumes.mounts)
    assert all(one.after == ("volumes",) for one in project.services if one is not volumes)
    assert volumes.secrets == ()


@pytest.mark.parametrize("where", [INSIDE, HOST], ids=["in the engine", "on the host"])
def test_every_container_is_locked_down(where: Where, packs: Mapping[str, SkillPack]) -> None:
    services = document(made(where, packs, FLAGS))["services"]
    for name, one in services.items():
        assert one["cap_drop"] == ["ALL"]
        assert one["security_opt"] == ["no-new-privileges:true"]
        assert one["user"] in ("1000:1000", "501:20")
        assert all(one[bound] for bound in ("cpus", "mem_limit", "pids_limit"))
        assert one["read_only"] is (name != "volumes")
        assert "privileged" not in one
        assert not [m for m in one["volumes"] if "docker.sock" in m["source"]]


def test_only_what_declares_egress_has_a_network_and_each_its_own(packs: Mapping[str, SkillPack]) -> None:
    text = """
apiVersion: sympozium.ai/v1alpha1
kind: SkillPack
metadata: {name: reaching}
spec: {sidecar: {image: skill-k8s-ops, commands: [curl], egress: [kubernetes]}}
"""
    flags = Flags(input="x", provider="openai", model="m", skills=("reaching", "shell"))
    value = document(made(INSIDE, packs, flags, parse([("pack.yaml", text)])))
    networks = {name: one.get("networks", one.get("network_mode")) for name, one in value["services"].items()}
    assert networks == {
        "volumes": "none",
        "agent": "none",
        "bridge": "none",
        "shell": "none",
        "model": ["model"],
        "reaching": ["reaching"],
    }


def test_a_key_is_a_file_of_the_one_service_that_needs_it_and_never_a_variable(
    packs: Mapping[str, SkillPack],
) -> None:
    flags = Flags(input="x", provider="openai", model="m")
    value = document(made(INSIDE, packs, flags))
    assert value["secrets"] == {"OPENAI_API_KEY": {"file": "${OPENAI_API_KEY_FILE:?name the file that holds it}"}}
    assert {name: one.get("secrets") for name, one in value["services"].items() if one.get("secrets")} == {
        "model": [{"source": "OPENAI_API_KEY", "target": "/run/secrets/OPENAI_API_KEY"}]
    }
    held = made(HOST, packs, flags)
    assert [m.source for one in held.services for m in one.mounts if m.target == "/run/secrets"] == ["/secrets/model"]
    assert not [name for one in held.services for name, _ in one.environment if "KEY" in name]


def test_two_skills_with_different_secrets_of_one_name_are_asked_for_two_files(
    packs: Mapping[str, SkillPack],
) -> None:
    secret = "apiVersion: v1\nkind: Secret\nmetadata: {{name: {0}}}\nstringData: {{kubeconfig: of-{0}}}\n---\n"
    text = f"""{secret.format("narrow")}{secret.format("wide")}
apiVersion: sympozium.ai/v1alpha1
kind: SympoziumInstance
metadata: {{name: i}}
spec:
  provider: {{name: scripted}}
  skills: [k8s-ops, llmfit, shell]
  skillConfig: {{k8s-ops: {{secretRef: narrow}}, llmfit: {{secretRef: wide}}}}
"""
    value = document(made(INSIDE, packs, Flags(input="x"), parse([("i.yaml", text)])))
    found = {name: one["secrets"][0] for name, one in value["services"].items() if one.get("secrets")}
    assert {one["target"] for one in found.values()} == {"/run/secrets/kubeconfig"}
    named = {name: value["secrets"][one["source"]]["file"].split(":")[0] for name, one in found.items()}
    assert named == {
        "k8s-ops": "${k8s_ops_kubeconfig_FILE",
        "llmfit": "${llmfit_kubeconfig_FILE",
    }


def test_a_sandbox_is_the_runtime_that_the_policy_names(packs: Mapping[str, SkillPack]) -> None:
    plain = made(INSIDE, packs, Flags(input="x", policy="restrictive"))
    assert {one.runtime for one in plain.services if one.name != "volumes"} == {"runsc"}
    assert all(one.bounds.processes > 512 for one in plain.services if one.runtime), "the sandbox has threads itself"
    text = """
apiVersion: sympozium.ai/v1alpha1
kind: SympoziumPolicy
metadata: {name: boxed}
spec: {template: Permissive, sandbox: {enabled: true, runtimeClass: kata-qemu}}
"""
    named = made(INSIDE, packs, Flags(input="x", policy="boxed"), parse([("p.yaml", text)]))
    assert {one.runtime for one in named.services if one.name != "volumes"} == {"kata-qemu"}


def test_a_dollar_in_a_text_is_not_taken_for_a_variable(packs: Mapping[str, SkillPack]) -> None:
    value = document(made(INSIDE, packs, Flags(input="what is $HOME?")))
    assert "$$HOME" in value["configs"]["run"]["content"]


def test_an_image_that_names_its_own_place_is_taken_as_it_is() -> None:
    assert IMAGES.reference("agent") == "registry.example/sympozium/agent:v1"
    assert IMAGES.reference("team/skill") == "team/skill"
    assert IMAGES.reference("skill:v2") == "skill:v2"


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_renders_to_the_recorded_project(name: str, packs: Mapping[str, SkillPack]) -> None:
    """SYMPOZIUM_UPDATE_GOLDEN=1 records anew."""
    text = yaml.safe_dump(document(of_example(name, INSIDE, packs)), sort_keys=False, width=120)
    file = GOLDEN / f"{name}.yaml"
    if os.environ.get("SYMPOZIUM_UPDATE_GOLDEN"):
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    assert text == file.read_text()


HAS_COMPOSE = bool(shutil.which("docker")) and (
    subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode == 0
)


@pytest.mark.skipif(not HAS_COMPOSE, reason="there is no docker compose")
@pytest.mark.parametrize("name", EXAMPLES)
def test_docker_compose_accepts_the_project(name: str, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("sesame")
    value = yaml.safe_load((GOLDEN / f"{name}.yaml").read_text())
    names = value.get("secrets", {})
    environment = {**os.environ, **{f"{one}_FILE": str(key) for one in names}}
    done = subprocess.run(
        ["docker", "compose", "-f", str(GOLDEN / f"{name}.yaml"), "config", "--quiet"],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert (done.returncode, done.stderr) == (0, "")
