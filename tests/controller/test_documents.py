"""What users write is read whole, or refused by file and field."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from sympozium_controller.documents import parse
from sympozium_controller.errors import InvalidObject
from sympozium_controller.objects import AgentRun, Secret, SympoziumInstance, SympoziumPolicy

EXAMPLES = Path(__file__).parents[2] / "examples"
HEAD = "apiVersion: sympozium.ai/v1alpha1\n"
RUN = HEAD + "kind: AgentRun\nmetadata: {name: a}\nspec: {instanceRef: i, input: hello}\n"
BOMB = "a: &a [1, 1]\n" + "".join(
    f"{c}: &{c} [{', '.join(['*' + p] * 9)}]\n" for p, c in ["ab", "bc", "cd", "de", "ef", "fg"]
)
INSTANCE = HEAD + "kind: SympoziumInstance\nmetadata: {name: i}\nspec: "


def test_the_documents_that_users_have_are_accepted_unchanged() -> None:
    files = sorted((EXAMPLES / "contract").glob("*.yaml"))
    objects = parse([(file.name, file.read_bytes()) for file in files])
    assert len(files) == 7
    assert len(objects.found) == 10
    instance = objects.get(SympoziumInstance, "ops", "default")
    assert instance is not None
    assert [skill.skill_pack_ref for skill in instance.spec.skills] == ["k8s-ops", "llmfit"]
    assert instance.spec.skill_config["k8s-ops"].namespaces == ("payments", "orders")


@pytest.mark.parametrize(
    ("text", "field", "why"),
    [
        ("a: [", "", "line 2"),
        ("a: b: c", "", "line 1"),
        (b"kind: \xff", "", "line 1: is not UTF-8"),
        ("- 1", "", "is no object"),
        ("kind: Deployment\n", "kind", "unknown kind 'Deployment'"),
        ("kind: [a]\n", "kind", "missing"),
        ("metadata: {}\n", "kind", "missing"),
        ("kind: AgentRun\napiVersion: v1\n", "apiVersion", "must be sympozium.ai/v1alpha1"),
        (RUN.replace("AgentRun", "Secret"), "apiVersion", "must be v1"),
        (RUN.replace("input", "inputs"), "spec.inputs", "unknown field"),
        (RUN.replace("instanceRef", "instance_ref"), "spec.instance_ref", "unknown field"),
        (RUN.replace("input: hello", "input: 7"), "spec.input", "string"),
        (RUN.replace("input: hello", 'input: ""'), "spec.input", "at least 1"),
        (RUN.replace("name: a", "name: A_b"), "metadata.name", "pattern"),
        (RUN.replace("metadata: {name: a}\n", ""), "metadata", "missing"),
        (RUN + "spec: {}\n", "spec", "stands there twice"),
        (RUN + "? [a]\n: b\n", "", "key that is not text"),
        (INSTANCE + "{limits: {timeout: 10}}", "spec.limits.timeout", "duration"),
        (INSTANCE + "{limits: {timeout: 10 min}}", "spec.limits.timeout", "duration"),
        (INSTANCE + "{limits: {disk: lots}}", "spec.limits.disk", "quantity"),
        (INSTANCE + "{limits: {disk: 1Ki}}", "spec.limits.disk", "greater"),
        (INSTANCE + "{limits: {calls: 0}}", "spec.limits.calls", "greater"),
        (INSTANCE + "{limits: {usd: .inf}}", "spec.limits.usd", "finite"),
        (INSTANCE + "{skills: [{skillPackRef: Bad Name}]}", "spec.skills.0.skillPackRef", "pattern"),
        (INSTANCE + "{skills: [7]}", "spec.skills.0", "object"),
        (INSTANCE + "{provider: !!python/object:os.system {}}", "spec.provider", "tag"),
        (INSTANCE + "{provider: !secret x}", "spec.provider", "tag"),
        (HEAD + "kind: SympoziumPolicy\nmetadata: {name: p}\nspec: {template: Loose}\n", "spec.template", "Permissive"),
        ("apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {apiKey: '%%'}\n", "data.apiKey", "base64"),
        (BOMB, None, "too many values"),
        ("a: &a {x: 1}\n<<: *a\nkind: AgentRun\napiVersion: sympozium.ai/v1alpha1\n", None, "unknown field"),
        ("[" * 100_000 + "]" * 100_000, "", "nested too deeply"),
        (RUN.replace("input: hello", 'input: "a\\0b"'), "spec.input", "NUL"),
        ("apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {a: AGE=}\n", "data.a", "NUL"),
        (INSTANCE + "{provider: {name: x, options: {heat: .nan}}}", "spec.provider.options.heat", "finite"),
        ("[" * 2000 + "]" * 2000, None, "nested too deeply"),
        ("# " + "x" * (1 << 20), "", "larger than 1 MiB"),
    ],
)  # fmt: skip
def test_a_bad_document_is_refused_by_file_and_field(text: str | bytes, field: str | None, why: str) -> None:
    with pytest.raises(InvalidObject) as found:
        parse([("good.yaml", RUN.replace("name: a", "name: z")), ("bad.yaml", text)])
    assert found.value.file == "bad.yaml"
    if field is not None:
        assert found.value.field == field
    assert why in found.value.why
    assert found.value.message.startswith("bad.yaml")
    assert 10 <= found.value.reason <= 19


def test_an_object_twice_names_both_files() -> None:
    with pytest.raises(InvalidObject, match=r"AgentRun a is also in one\.yaml") as found:
        parse([("one.yaml", RUN), ("two.yaml", RUN)])
    assert found.value.file == "two.yaml"


def test_a_later_document_of_a_file_is_named_by_its_number() -> None:
    with pytest.raises(InvalidObject, match=r"f.yaml \(document 3\): kind") as found:
        parse([("f.yaml", f"{RUN}---\n# nothing\n---\nkind: X\n")])
    assert found.value.document == 3


def test_control_characters_of_a_file_do_not_reach_the_terminal() -> None:
    with pytest.raises(InvalidObject) as found:
        parse([("f.yaml", RUN + '"\\e[2J": 1\n')])
    assert found.value.message.isprintable()


def test_dates_versions_and_numbers_in_text_stay_text() -> None:
    objects = parse([("f.yaml", RUN.replace("input: hello", "input: 2026-01-02"))])
    assert objects.all(AgentRun)[0].spec.input == "2026-01-02"


def test_what_kubectl_prints_is_read() -> None:
    text = (
        "apiVersion: v1\nkind: List\nitems:\n- apiVersion: sympozium.ai/v1alpha1\n  kind: AgentRun\n"
        "  metadata: {name: a, uid: u, resourceVersion: '7', generation: 2, creationTimestamp: 2026-01-02T03:04:05Z}\n"
        "  spec: {instanceRef: i, input: hello}\n  status: {phase: Succeeded}\n"
    )
    assert [run.name for run in parse([("f.yaml", text)]).all(AgentRun)] == ["a"]


def test_a_secret_is_read_both_ways_and_never_shown() -> None:
    text = (
        "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {a: aGVsbG8=, b: aGVsbG8=}\nstringData: {b: plain}\n"
    )
    secret = parse([("f.yaml", text)]).all(Secret)[0]
    assert (secret.names(), secret.value("a"), secret.value("b"), secret.value("c")) == (
        ("a", "b"),
        "hello",
        "plain",
        None,
    )
    assert "plain" not in repr(secret)
    assert "aGVsbG8" not in repr(secret)


def test_an_own_namespace_is_seen_before_none() -> None:
    def policy(meta: str, template: str) -> str:
        return HEAD + f"kind: SympoziumPolicy\nmetadata: {meta}\nspec: {{template: {template}}}\n"

    objects = parse(
        [("f.yaml", policy("{name: p}", "Default") + "---\n" + policy("{name: p, namespace: a}", "Permissive"))]
    )
    seen = {where: objects.get(SympoziumPolicy, "p", where) for where in ("a", "b")}
    assert {where: one and one.spec.template for where, one in seen.items()} == {"a": "Permissive", "b": "Default"}


@given(st.text(max_size=60) | st.binary(max_size=60))
def test_any_text_is_read_or_refused(text: str | bytes) -> None:
    try:
        parse([("f.yaml", text)])
    except InvalidObject as fault:
        assert fault.file == "f.yaml"  # noqa: PT017  either way is right
