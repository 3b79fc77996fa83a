"""judge: deny over ask over allow, within a policy and between them; one more policy never loosens."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from sympozium_protocol.messages import Call, NativeSpec, ParticipantSpec, PolicySpec, ToolSpec
from sympozium_protocol.policy import Subject, judge, judge_native, judge_subject
from tests.support.ipc import run_spec

ORDER = {"allow": 0, "ask": 1, "deny": 2}
COMMAND = Subject("execute_command", "write", skill=True)
DECLARED = Subject("restart", "write", skill=True)
LOOK = Subject("pods", "read", skill=True)
FETCH = Subject("fetch_url", "read", native=True)
READ_FILE = Subject("read_file", "read", native=True)
WRITE_FILE = Subject("write_file", "write", native=True)
SEARCH = Subject("memory_search", "read")


def policy(template: str, denied: str = "", approval: str = "", allowed: str = "", name: str = "p") -> PolicySpec:
    return PolicySpec(
        name=name,
        template=template,  # type: ignore[arg-type]
        denied_tools=tuple(denied.split()),
        require_approval=tuple(approval.split()),
        allowed_tools=tuple(allowed.split()),
    )


@pytest.mark.parametrize(
    ("held", "subject", "expected"),
    [
        (policy("Permissive"), COMMAND, "allow"),
        (policy("Permissive"), FETCH, "allow"),
        (policy("Permissive", denied="execute_command"), COMMAND, "deny"),
        (policy("Permissive", denied="execute_command"), DECLARED, "deny"),
        (policy("Permissive", denied="execute_command"), LOOK, "allow"),
        (policy("Permissive", approval="execute_command"), DECLARED, "ask"),
        (policy("Permissive", approval="restart"), DECLARED, "ask"),
        (policy("Permissive", approval="restart"), COMMAND, "allow"),
        (policy("Default"), COMMAND, "ask"),
        (policy("Default"), DECLARED, "ask"),
        (policy("Default"), LOOK, "allow"),
        (policy("Default"), SEARCH, "allow"),
        (policy("Default"), FETCH, "deny"),
        (policy("Default"), WRITE_FILE, "allow"),
        (policy("Default", allowed="execute_command"), COMMAND, "allow"),
        (policy("Default", allowed="execute_command"), DECLARED, "ask"),
        (policy("Default", allowed="fetch_url"), FETCH, "allow"),
        (policy("Restrictive"), READ_FILE, "allow"),
        (policy("Restrictive"), SEARCH, "allow"),
        (policy("Restrictive"), WRITE_FILE, "deny"),
        (policy("Restrictive"), LOOK, "deny"),
        (policy("Restrictive", allowed="pods"), LOOK, "allow"),
        (policy("Restrictive", approval="pods"), LOOK, "ask"),
        (policy("Restrictive", denied="read_file"), READ_FILE, "deny"),
        (policy("Permissive", denied="pods", approval="pods", allowed="pods"), LOOK, "deny"),
        (policy("Permissive", approval="pods", allowed="pods"), LOOK, "ask"),
    ],
)
def test_one_policy_decides(held: PolicySpec, subject: Subject, expected: str) -> None:
    found = judge_subject(subject, (held,))
    assert (found.decision, found.by) == (expected, "p")
    assert found.reason


tools = st.sampled_from(["execute_command", "restart", "pods", "fetch_url", "read_file", "memory_search", "other"])
lists = st.lists(tools, max_size=3).map(tuple)
policies = st.builds(
    PolicySpec,
    name=st.sampled_from(["a", "b", "c"]),
    template=st.sampled_from(["Permissive", "Default", "Restrictive"]),
    denied_tools=lists,
    require_approval=lists,
    allowed_tools=lists,
)
subjects = st.builds(
    Subject,
    tool=tools,
    effect=st.sampled_from(["read", "idempotent", "write"]),
    native=st.booleans(),
    skill=st.booleans(),
)
several = st.lists(policies, min_size=1, max_size=4).map(tuple)


@given(subjects, several, policies)
def test_a_further_policy_never_loosens(subject: Subject, held: tuple[PolicySpec, ...], more: PolicySpec) -> None:
    before = judge_subject(subject, held).decision
    for together in ((*held, more), (more, *held)):
        assert ORDER[judge_subject(subject, together).decision] >= ORDER[before]


@given(subjects, several)
def test_the_strictest_policy_decides_and_is_named(subject: Subject, held: tuple[PolicySpec, ...]) -> None:
    found = judge_subject(subject, held)
    words = [judge_subject(subject, (one,)) for one in held]
    assert ORDER[found.decision] == max(ORDER[word.decision] for word in words)
    assert found == next(word for word in words if word.decision == found.decision)


@given(subjects, policies, tools)
def test_a_further_denied_or_asked_name_never_loosens(subject: Subject, held: PolicySpec, name: str) -> None:
    before = ORDER[judge_subject(subject, (held,)).decision]
    denied = held.model_copy(update={"denied_tools": (*held.denied_tools, name)})
    asked = held.model_copy(update={"require_approval": (*held.require_approval, name)})
    assert ORDER[judge_subject(subject, (denied,)).decision] >= before
    if subject.tool not in held.denied_tools:
        assert ORDER[judge_subject(subject, (asked,)).decision] >= 1 or subject.tool != name


@given(subjects, several)
def test_what_is_denied_by_name_is_denied(subject: Subject, held: tuple[PolicySpec, ...]) -> None:
    if any(subject.tool in one.denied_tools for one in held):
        assert judge_subject(subject, held).decision == "deny"


FILES = ParticipantSpec(
    name="files", role="mcp", prefixes=("files_",), tools=(ToolSpec(name="files_ls", effect="read"),)
)
SPEC = run_spec(
    policies=(policy("Permissive", denied="complete", approval="write_file"),),
    native=NativeSpec(tools=(ToolSpec(name="read_file", effect="read"), ToolSpec(name="write_file"))),
    participants=(
        ParticipantSpec(name="model", role="model", tools=(ToolSpec(name="complete"),)),
        ParticipantSpec(name="imposter", role="model", tools=(ToolSpec(name="complete"),)),
        ParticipantSpec(
            name="files", role="mcp", prefixes=("files_",), tools=(ToolSpec(name="files_ls", effect="read"),)
        ),
    ),
)


@pytest.mark.parametrize(
    ("participant", "tool", "expected"),
    [
        ("nobody", "x", "deny"),
        ("files", "other", "deny"),
        ("files", "files_ls", "allow"),
        ("files", "files_rm", "allow"),
        ("model", "complete", "allow"),
        ("model", "execute_command", "deny"),
        ("imposter", "complete", "deny"),
    ],
)
def test_a_call_is_judged_by_what_the_run_offers(participant: str, tool: str, expected: str) -> None:
    assert judge(Call(id="1-1", participant=participant, tool=tool), SPEC).decision == expected


def test_a_native_tool_that_would_need_a_person_is_denied() -> None:
    assert judge_native("read_file", SPEC).decision == "allow"
    assert judge_native("write_file", SPEC).decision == "deny"
    assert judge_native("fetch_url", SPEC).decision == "deny"


def test_a_native_tool_that_a_policy_denies_is_told_by_the_policys_name() -> None:
    denying = PolicySpec(name="mine", template="Default", denied_tools=("write_file",))
    spec = run_spec("ops", policies=(denying,))
    assert (judge_native("write_file", spec).decision, judge_native("write_file", spec).by) == ("deny", "mine")
    assert judge_native("read_file", spec).reason == "this run has no tool read_file"
