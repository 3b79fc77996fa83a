"""Our kinds as a real API server takes them: what applies, what is refused and in which words, what never changes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sympozium_packs
import yaml

from sympozium_cli.packs import Packs
from sympozium_controller.crds import builtin_packs
from sympozium_controller.documents import parse
from sympozium_controller.objects import SkillPack, SympoziumInstance
from sympozium_controller.objects.status import Condition, RunStatus, UsageStatus
from tests.support.cluster import Cluster
from tests.support.cluster_definitions import HEAD

ROOT = Path(__file__).parents[2]
CONTRACT = sorted((ROOT / "examples" / "contract").glob("*.yaml"))
EXAMPLES = sorted((ROOT / "examples").glob("[0-9]*/agent.yaml"))


@pytest.fixture(scope="module")
def place(kinds: Cluster) -> Iterator[str]:
    """A namespace of this module."""
    with kinds.namespace() as name:
        yield name


def instance(**spec: Any) -> dict[str, Any]:
    return of("SympoziumInstance", **spec)


def run(**spec: Any) -> dict[str, Any]:
    whole = {"instanceRef": "a", "input": "b"} | spec
    return {**HEAD, "kind": "AgentRun", "metadata": {"generateName": "run-"}, "spec": whole}


def of(kind: str, name: str = "a", **spec: Any) -> dict[str, Any]:
    return {**HEAD, "kind": kind, "metadata": {"name": name}, "spec": spec}


# -- what users have ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("file", [*CONTRACT, *EXAMPLES], ids=lambda file: f"{file.parent.name}/{file.name}")
def test_a_document_that_users_have_applies_as_it_stands(kinds: Cluster, file: Path) -> None:
    names = {one["metadata"].get("namespace") for one in yaml.safe_load_all(file.read_text())} - {None, "default"}
    for name in names:
        kinds.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    kinds.apply(file.read_text(), "--dry-run=server")


def contract(place: str) -> list[dict[str, Any]]:
    """Every document of the contract, in this namespace."""
    found = [one for file in CONTRACT for one in yaml.safe_load_all(file.read_text())]
    return [one | {"metadata": one["metadata"] | {"namespace": place}} for one in found]


def test_applying_them_again_changes_nothing(kinds: Cluster, place: str) -> None:
    kinds.apply(contract(place))
    again = kinds.apply(contract(place)).splitlines()
    assert len(again) == len(contract(place))
    assert all(line.endswith(" unchanged") for line in again), again


def spec_of(one: Any) -> Any:
    """Its spec as it acts: to an instance no policy and ``default`` are the same."""
    instances = isinstance(one, SympoziumInstance)
    return one.spec.model_copy(update={"policy": one.spec.policy or "default"}) if instances else one.spec


def test_what_the_api_server_made_of_them_is_read_like_the_files(kinds: Cluster, place: str) -> None:
    kinds.apply(contract(place))
    had = parse([("files", yaml.safe_dump_all(contract(place)))]).found
    shown = parse([("shown", kinds.kubectl("get", "sympozium,si,pp,spol,ssch", "-n", place, "-o", "yaml"))]).found
    assert {key: spec_of(shown[key]) for key in had} == {key: spec_of(one) for key, one in had.items()}


def test_skills_are_patched_as_users_do_it(kinds: Cluster, place: str) -> None:
    kinds.apply(instance(provider={"name": "openai"}, skills=["a"]), "-n", place)
    change = '{"spec":{"skills":[{"skillPackRef":"k8s-ops"}]}}'
    kinds.kubectl("patch", "sympoziuminstance", "a", "-n", place, "--type=merge", "-p", change)
    assert kinds.get("si", "a", "-n", place)["spec"]["skills"] == [{"skillPackRef": "k8s-ops"}]


def test_the_shipped_packs_apply_and_are_read_back_as_they_are(kinds: Cluster) -> None:
    kinds.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "sympozium-system"}})
    packs = Packs(Path(sympozium_packs.__file__).parent)
    shown = kinds.apply(builtin_packs(packs.values()), "--server-side", "--dry-run=server", "-o", "yaml")
    found = parse([("shown", shown)]).all(SkillPack)
    assert {one.name: one.spec for one in found} == {pack.name: pack.spec for pack in packs.values()}


def test_a_long_message_has_room(kinds: Cluster, place: str) -> None:
    kinds.create(run(input="x" * 500_000), "-n", place, "--dry-run=server")


# -- what is refused ---------------------------------------------------------------------------------------

TOOL = {"name": "t", "argv": ["a"]}
LABELLED = {"labels": {"sympozium.ai/egress": "all"}}
STAMPED = {"name": "a", "annotations": {"sympozium.ai/requester": "somebody-else"}}
NODES = {"apiGroups": [""], "resources": ["nodes"], "verbs": ["get"]}
EACH = "each must be the name of a SkillPack, or {skillPackRef: NAME, params: {}}"

BAD: dict[str, tuple[dict[str, Any], str]] = {
    "a misspelt field": (instance(systemPromt="x"), 'unknown field "spec.systemPromt"'),
    "no provider's name": (instance(provider={}), "spec.provider.name: Required value"),
    "a phrase for a duration": (instance(limits={"timeout": "5 minutes"}), "spec.limits.timeout: Invalid value"),
    "no room to write": (instance(limits={"disk": "1k"}), "spec.limits.disk: Invalid value: must be at least 1Mi"),
    "no calls": (instance(limits={"calls": 0}), "spec.limits.calls in body should be greater than or equal to 1"),
    "a skill of no name": (instance(skills=["Not A Name"]), f"spec.skills: {EACH}"),
    "a number for a skill": (instance(skills=["a", 3]), f"spec.skills: {EACH}"),
    "a misspelt field of a skill": (instance(skills=[{"skillPackRef": "a", "parms": {}}]), f"spec.skills: {EACH}"),
    "a skill without a name": (instance(skills=[{"params": {}}]), f"spec.skills: {EACH}"),
    "a skill twice": (instance(skills=["a", {"skillPackRef": "a"}]), "spec.skills: no skill may be named twice"),
    "a label of ours": (instance(podTemplate=LABELLED), "spec.podTemplate.labels: those of sympozium.ai are not yours"),
    "an empty message": (run(input=""), "spec.input in body should be at least 1 chars long"),
    "another as requester": (run() | {"metadata": STAMPED}, "sympozium.ai/requester is who made the run"),
    "the pod's own name": (
        of("SkillPack", "bridge"),
        "metadata.name: no skill may be named bridge: the pod has its own",
    ),
    "a name with a dot": (of("SkillPack", "a.b"), 'metadata.name: Invalid value: "a.b"'),
    "rights in the whole cluster": (
        of("SkillPack", sidecar={"commands": [], "clusterRBAC": [NODES]}),
        "spec.sidecar.clusterRBAC: only a SkillPack in sympozium-system may have rights in the whole cluster",
    ),
    "a sidecar with nothing to do": (
        of("SkillPack", sidecar={"image": "x"}),
        "spec.sidecar: Invalid value: needs commands ([] = any) or tools",
    ),
    "a program that the model chooses": (
        of("SkillPack", sidecar={"tools": [TOOL | {"argv": ["{x}"]}]}),
        "spec.sidecar.tools[0].argv: Invalid value: must begin with a program, which no argument may choose",
    ),
    "two tools of a name": (of("SkillPack", sidecar={"tools": [TOOL, TOOL]}), "spec.sidecar.tools[1]: Duplicate value"),
    "arguments that are no mapping": (
        of("SkillPack", sidecar={"tools": [TOOL | {"parameters": {"type": "array"}}]}),
        'spec.sidecar.tools[0].parameters.type: Unsupported value: "array": supported values: "object"',
    ),
    "a lax policy of a strict name": (
        of("SympoziumPolicy", "restrictive", template="Permissive"),
        "spec.template: a policy named restrictive must have the template Restrictive",
    ),
    "a policy without a template": (of("SympoziumPolicy", deniedTools=["x"]), "spec.template: Required value"),
    "a server without a way to it": (of("MCPServer", transport="http"), "transport http needs url"),
    "a server with two ways": (
        of("MCPServer", transport="stdio", image="x", url="http://x"),
        "url and headers are of transport http",
    ),
    "a client that is nobody": (
        of("MCPServer", transport="http", url="http://x", oauth={"clientSecret": "${A}"}),
        "spec.oauth: Forbidden: needs clientId, and transport http",
    ),
    "a scope without a word": (
        of("MCPServer", transport="http", url="http://x", oauth={"clientId": "x", "scopes": [""]}),
        "spec.oauth.scopes[0] in body should be at least 1 chars long",
    ),
    "a toleration of many keys": (
        instance(podTemplate={"tolerations": [{"key": ["a", "b"]}]}),
        "spec.podTemplate.tolerations[0].key in body must be of type string",
    ),
    "a time that is none": (
        of("SympoziumSchedule", instanceRef="a", input="b", schedule="every day"),
        "must be the five fields of cron",
    ),
    "a heartbeat without a beat": (
        of("SympoziumSchedule", instanceRef="a", input="b", type="heartbeat"),
        "types heartbeat and sweep need interval",
    ),
    "a persona's bad skill": (
        of("PersonaPack", personas=[{"name": "x"}, {"name": "y", "skills": ["ok", {"skillPackRef": "NO"}]}]),
        f"spec.personas.skills: {EACH}",
    ),
}


@pytest.fixture(scope="module")
def refusals(kinds: Cluster, place: str) -> str:
    """What kubectl says to all of them."""
    stream = "\n---\n".join(json.dumps(one) for one, _ in BAD.values())  # a List kubectl would check by itself, worse
    return kinds.kubectl("create", "-n", place, "--dry-run=server", "-f", "-", stdin=stream, check=False)


def test_none_of_them_is_taken(refusals: str) -> None:
    assert "created" not in refusals


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_meant_is_refused_naming_the_field(refusals: str, case: str) -> None:
    assert BAD[case][1] in refusals


def test_a_pack_of_the_system_namespace_may_have_rights_in_the_whole_cluster(kinds: Cluster) -> None:
    kinds.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "sympozium-system"}})
    pack = of("SkillPack", sidecar={"commands": [], "clusterRBAC": [NODES]})
    kinds.create(pack, "-n", "sympozium-system", "--dry-run=server")


# -- what never changes ------------------------------------------------------------------------------------


@pytest.fixture
def made(kinds: Cluster, place: str) -> str:
    """An AgentRun of this test, by its name."""
    return kinds.create(run(limits={"steps": 3}), "-n", place, "-o", "jsonpath={.metadata.name}")


def patch(kinds: Cluster, place: str, name: str, change: str, *words: str) -> str:
    """What kubectl says to a change of an AgentRun, whether it is taken or not."""
    return kinds.kubectl("patch", "ar", name, "-n", place, "--type=merge", "-p", change, *words, check=False)


CHANGES = {
    '{"spec":{"input":"other"}}': "input",
    '{"spec":{"instanceRef":"other"}}': "instanceRef",
    '{"spec":{"policy":"permissive"}}': "policy",
    '{"spec":{"limits":{"steps":9}}}': "limits",
    '{"spec":{"limits":{"usd":1}}}': "limits",
    '{"spec":{"limits":null}}': "limits",
}


def test_what_a_run_was_asked_never_changes(kinds: Cluster, place: str, made: str) -> None:
    for change, field in CHANGES.items():
        said = patch(kinds, place, made, change)
        assert f"spec.{field}: Forbidden: cannot be changed: an AgentRun is one message; make another" in said


def test_a_run_is_cancelled_once_and_for_all(kinds: Cluster, place: str, made: str) -> None:
    assert "patched" in patch(kinds, place, made, '{"spec":{"cancel":true}}')
    for change in ('{"spec":{"cancel":false}}', '{"spec":{"cancel":null}}'):
        assert "spec.cancel: Forbidden: cannot be taken back" in patch(kinds, place, made, change)


def test_the_requester_is_neither_added_nor_changed_later(kinds: Cluster, place: str, made: str) -> None:
    change = '{"metadata":{"annotations":{"sympozium.ai/requester":"eve"}}}'
    assert "it names nobody else and never changes" in patch(kinds, place, made, change)
    assert "patched" in patch(kinds, place, made, '{"metadata":{"annotations":{"other":"eve"}}}')


def test_a_run_goes_to_and_fro_until_it_ends(kinds: Cluster, place: str, made: str) -> None:
    for phase in ("Pending", "Waiting", "Running", "Waiting", "Running", "Failed"):
        said = patch(kinds, place, made, f'{{"status":{{"phase":"{phase}"}}}}', "--subresource=status")
        assert "patched" in said


@pytest.mark.parametrize("phase", ["Succeeded", "Failed", "Cancelled"])
def test_a_run_that_has_ended_stays_as_it_ended(kinds: Cluster, place: str, made: str, phase: str) -> None:
    patch(kinds, place, made, f'{{"status":{{"phase":"{phase}"}}}}', "--subresource=status")
    other = "Failed" if phase == "Succeeded" else "Succeeded"
    for change in (f'{{"status":{{"phase":"{other}"}}}}', '{"status":{"phase":null}}', '{"status":null}'):
        said = patch(kinds, place, made, change, "--subresource=status")
        assert "status.phase: Forbidden: a run that has ended stays as it ended" in said
    assert "patched" in patch(kinds, place, made, '{"status":{"output":"late"}}', "--subresource=status")


def test_a_status_is_checked_as_well(kinds: Cluster, place: str, made: str) -> None:
    said = patch(kinds, place, made, '{"status":{"phase":"Done"}}', "--subresource=status")
    assert 'status.phase: Unsupported value: "Done"' in said
    long = f'{{"status":{{"output":"{"x" * 16_385}"}}}}'
    assert "status.output: Too long" in patch(kinds, place, made, long, "--subresource=status")


def test_a_status_comes_by_its_own_door_alone(kinds: Cluster, place: str, made: str) -> None:
    patch(kinds, place, made, '{"status":{"phase":"Succeeded"}}')
    assert "status" not in kinds.get("ar", made, "-n", place)
    patch(kinds, place, made, '{"spec":{"cancel":true},"status":{"phase":"Running"}}', "--subresource=status")
    found = kinds.get("ar", made, "-n", place)
    assert (found["spec"]["cancel"], found["status"]["phase"]) == (False, "Running")


def test_a_whole_status_of_the_models_is_taken(kinds: Cluster, place: str, made: str) -> None:
    now = "2026-01-02T03:04:05Z"
    condition = Condition(type="Ready", status="True", last_transition_time=now, reason="Completed")
    usage = UsageStatus(input_tokens=3, output_tokens=4, model_calls=1, tool_calls=2, usd="0.01")
    status = RunStatus(
        phase="Succeeded",
        reason="Completed",
        message="Done.",
        output="All is well.",
        output_size=12,
        output_digest="0" * 64,
        start_time=now,
        completion_time=now,
        usage=usage,
        run=made,
        run_digest="1" * 64,
        attempt=1,
        job_name=made,
        job_uid="576df8b7-42cf-4bc0-9eae-b8d54c418aa7",
        pod_name=f"{made}-x",
        observed_generation=1,
        conditions=(condition,),
    ).model_dump(mode="json", by_alias=True, exclude_unset=True)
    assert "patched" in patch(kinds, place, made, json.dumps({"status": status}), "--subresource=status")
    assert kinds.get("ar", made, "-n", place)["status"] == status
