"""assemble and render: who sees what, and what a laptop does not enforce; golden files of the examples."""

from __future__ import annotations

import dataclasses
import json
import os
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path, PurePath

import pytest

from sympozium_controller.assemble import assemble
from sympozium_controller.documents import Objects, parse
from sympozium_controller.flags import Flags
from sympozium_controller.objects import SkillPack
from sympozium_controller.outfit import outfit, secret_values, secrets_of
from sympozium_controller.pod import Pod, Program
from sympozium_controller.render.processes import Processes, Roots, render
from sympozium_controller.resolve import resolve
from sympozium_protocol import layout
from sympozium_protocol.messages.spec import RunSpec

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden"
OTHERS = ("09-served", "10-served-in-a-container", "11-on-the-bus", "12-in-a-cluster")
"""Examples that are no run of their own documents alone."""
EXAMPLES = sorted(path.name for path in (ROOT / "examples").glob("[0-9]*") if path.name not in OTHERS)
ROOTS = Roots(PurePath("/run-directory"), PurePath("/memory-directory"))
NOW = "2026-01-02T03:04:05.000Z"
TOKEN = "not-a-real-token"


def made(objects: Objects, packs: Mapping[str, SkillPack], flags: Flags) -> tuple[RunSpec, Pod, Processes]:
    spec = resolve(objects, packs, flags, run_id="run-1", now=NOW)
    pod = assemble(spec, outfit(objects, packs, flags))
    return spec, pod, render(pod, ROOTS, PurePath("/executables"))


def example(name: str) -> tuple[Objects, Flags]:
    directory = ROOT / "examples" / name
    script = directory / "script.yaml"
    sources = [(file.name, file.read_text()) for file in sorted(directory.glob("*.yaml")) if file != script]
    return parse(sources), Flags(script=(script.name, script.read_text()) if script.exists() else None)


@pytest.fixture
def pod(packs: Mapping[str, SkillPack]) -> Pod:
    return made(Objects(), packs, Flags(input="x", skills=("k8s-ops", "llmfit")))[1]


def programs(pod: Pod) -> tuple[Program, ...]:
    return (pod.agent, pod.bridge, *pod.participants)


def writers(pod: Pod) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for program in programs(pod):
        for mount in program.mounts:
            found[mount.volume] += [program.name] if mount.writable else []
    return found


def test_every_volume_has_one_writer_but_the_workspace(pod: Pod) -> None:
    found = writers(pod)
    assert found.pop("workspace") == ["agent", "k8s-ops", "llmfit"]
    outside = {"ipc.run", "ipc.console", "ipc.agent.calls", "ipc.agent.withdrawn", "pack-k8s-ops", "pack-llmfit"}
    assert {volume: who for volume, who in found.items() if len(who) != 1} == {volume: [] for volume in outside}


def test_nobody_but_the_gate_can_rename_a_directory_that_volumes_are_mounted_below(pod: Pod) -> None:
    """A mount's own directory cannot be renamed where it is mounted; one between two mounts could be."""
    programs = (pod.agent, *pod.participants)
    mounts = {mount.path for program in (*programs, pod.bridge) for mount in program.mounts}
    for program in programs:
        for own in (mount.path for mount in program.mounts if mount.writable):
            below = {path for path in mounts if path.startswith(f"{own}/")}
            assert {str(PurePath(path).parent) for path in below} <= {mount.path for mount in program.mounts}


def test_a_volume_is_mounted_at_one_path_and_a_path_is_one_volume(pod: Pod) -> None:
    paths = {(mount.volume, mount.path) for program in programs(pod) for mount in program.mounts}
    assert len({volume for volume, _ in paths}) == len(paths)
    for program in programs(pod):
        assert len({mount.path for mount in program.mounts}) == len(program.mounts)


def test_a_skill_sees_its_own_calls_and_verdicts_and_nothing_of_another(pod: Pod) -> None:
    skill = next(p for p in pod.participants if p.name == "k8s-ops")
    assert {(m.path, m.writable) for m in skill.mounts} == {
        ("/ipc/run", False),
        ("/ipc/agent/calls/k8s-ops", False),
        ("/ipc/agent/withdrawn/k8s-ops", False),
        ("/ipc/bridge/verdicts/k8s-ops", False),
        ("/ipc/k8s-ops", True),
        ("/ipc/k8s-ops/blobs", True),
        ("/workspace", True),
        ("/packs/k8s-ops", False),
        ("/tmp", True),
    }


def test_the_agent_can_write_neither_verdicts_nor_replies(pod: Pod) -> None:
    writable = {m.path for m in pod.agent.mounts if m.writable}
    assert all(path.startswith("/ipc/agent") or path in ("/workspace", "/tmp") for path in writable)


def test_what_a_program_reads_and_writes_is_mounted(pod: Pod) -> None:
    names = ("model", "k8s-ops", "llmfit")

    def covered(program: Program, place: layout.Place, *, writable: bool) -> bool:
        path = PurePath("/ipc", *place)
        mounts = [m for m in program.mounts if path.is_relative_to(m.path)]
        return bool(mounts) and max(mounts, key=lambda m: len(m.path)).writable is writable

    assert all(covered(pod.agent, place, writable=True) for place in layout.agent_places(names))
    assert all(covered(pod.bridge, place, writable=True) for place in layout.bridge_places(names))
    for program in pod.participants:
        assert all(covered(program, place, writable=True) for place in layout.participant_places(program.name))
        for place in (layout.replies(program.name), layout.tools(program.name), layout.blobs(program.name)):
            assert covered(pod.agent, place, writable=False)
    assert covered(pod.participants[0], layout.TRANSCRIPT, writable=False)
    assert covered(pod.bridge, layout.CONSOLE_BOX, writable=False)


def test_the_key_goes_to_the_model_and_the_token_to_its_skill_alone(packs: Mapping[str, SkillPack]) -> None:
    objects, flags = example("05-skill-with-secret")
    flags = dataclasses.replace(flags, provider="openai", model="gpt-4o")
    _, pod, processes = made(objects, packs, flags)
    assert {p.name: [s.variable for s in p.secrets] for p in programs(pod) if p.secrets} == {
        "model": ["OPENAI_API_KEY"],
        "tickets": ["TICKET_TOKEN"],
    }
    tickets = next(p for p in processes.programs if p.name == "tickets")
    assert dict(tickets.env)["SYMPOZIUM_PASS"] == "PARAM_QUEUE TICKET_TOKEN"
    assert dict(tickets.env)["PARAM_QUEUE"] == "disks"
    assert "OPENAI_API_KEY" not in [name for p in processes.programs for name in p.inherits]
    values = secret_values(objects, "default", secrets_of(pod), {"OPENAI_API_KEY": "sesame"})
    assert sorted(values.values()) == [TOKEN, "sesame"]


def test_values_of_secrets_are_in_no_document(packs: Mapping[str, SkillPack]) -> None:
    spec, pod, processes = made(*reordered("05-skill-with-secret", packs))
    for document in (spec.encode().decode(), repr(pod), repr(processes)):
        assert TOKEN not in document


def reordered(name: str, packs: Mapping[str, SkillPack]) -> tuple[Objects, Mapping[str, SkillPack], Flags]:
    objects, flags = example(name)
    return objects, packs, flags


def test_the_agent_inherits_nothing_of_the_developer(pod: Pod) -> None:
    assert not {"HOME", "PATH", "KUBECONFIG"} & set(pod.agent.inherits)


def test_paths_inside_a_container_become_paths_of_the_run(pod: Pod) -> None:
    processes = render(pod, Roots(PurePath("/d"), PurePath("/m")), PurePath("/b"))
    skill = next(p for p in processes.programs if p.name == "k8s-ops")
    env = dict(skill.env)
    assert skill.argv == ("/b/sympozium-skill",)
    assert (env["SYMPOZIUM_IPC"], env["SYMPOZIUM_WORKSPACE"]) == ("/d/ipc", "/d/workspace")
    assert (env["SYMPOZIUM_PACK"], env["TMPDIR"]) == ("/d/packs/k8s-ops", "/d/tmp/k8s-ops")
    assert [p.name for p in processes.programs] == ["bridge", "model", "k8s-ops", "llmfit", "agent"]
    assert all(p.cwd in processes.directories for p in processes.programs)
    assert "/d/packs/k8s-ops/SKILL.md" in dict(processes.files)


def test_what_is_not_enforced_is_listed_by_name(packs: Mapping[str, SkillPack]) -> None:
    _, _, plain = made(Objects(), packs, Flags(input="x"))
    _, _, sandboxed = made(Objects(), packs, Flags(input="x", policy="restrictive"))
    names = [one.name for one in plain.not_enforced]
    assert names == ["one-writer", "identity", "egress", "private-tmp", "read-only-root", "images", "disk"]
    assert [one.name for one in sandboxed.not_enforced] == [*names, "sandbox"]
    assert all(one.what.endswith(".") for one in sandboxed.not_enforced)


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_resolves_assembles_and_renders_as_recorded(name: str, packs: Mapping[str, SkillPack]) -> None:
    """SYMPOZIUM_UPDATE_GOLDEN=1 records anew."""
    objects, flags = example(name)
    spec, pod, processes = made(objects, packs, flags)
    shown = {
        "RunSpec": json.loads(spec.encode()),
        "Pod": {**dataclasses.asdict(pod), "run": "the RunSpec above"},
        "Processes": dataclasses.asdict(processes),
    }
    text = json.dumps(shown, indent=1, ensure_ascii=False) + "\n"
    file = GOLDEN / f"{name}.json"
    if os.environ.get("SYMPOZIUM_UPDATE_GOLDEN"):
        file.write_text(text)
    assert text == file.read_text()


def test_the_same_documents_make_the_same_bytes(packs: Mapping[str, SkillPack]) -> None:
    first, second = (made(*reordered(EXAMPLES[0], packs)) for _ in range(2))
    assert first[1].run == second[1].run
    assert first == second


def test_every_program_is_told_the_digest_of_the_one_run(pod: Pod) -> None:
    told = {dict(program.env)["SYMPOZIUM_RUN_DIGEST"] for program in programs(pod)}
    assert len(told) == 1
