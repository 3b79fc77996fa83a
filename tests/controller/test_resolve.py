"""resolve: documents and flags become one RunSpec, or are refused with an exit code of the tens."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from sympozium_controller.documents import Objects, parse
from sympozium_controller.errors import Refused
from sympozium_controller.flags import Flags
from sympozium_controller.objects import SkillPack
from sympozium_controller.outfit import MAX_VALUE, outfit, secret_values
from sympozium_controller.resolve import resolve
from sympozium_protocol.exits import Reason
from sympozium_protocol.messages.calls import Call
from sympozium_protocol.messages.spec import RunSpec
from sympozium_protocol.policy import judge, judge_native

Resolve = Callable[..., RunSpec]

HEAD = "apiVersion: sympozium.ai/v1alpha1\n"
CONTRACT = Path(__file__).parents[2] / "examples" / "contract"
SCRIPT = "steps: [{say: done}]"


def instance(spec: str, name: str = "i") -> str:
    return HEAD + f"kind: SympoziumInstance\nmetadata: {{name: {name}}}\nspec: {spec}\n"


def run(spec: str, name: str = "r") -> str:
    return HEAD + f"kind: AgentRun\nmetadata: {{name: {name}}}\nspec: {spec}\n"


def policy(name: str, spec: str, labels: str = "{}") -> str:
    return HEAD + f"kind: SympoziumPolicy\nmetadata: {{name: {name}, labels: {labels}}}\nspec: {spec}\n"


def skill(name: str, spec: str) -> str:
    return HEAD + f"kind: SkillPack\nmetadata: {{name: {name}}}\nspec: {spec}\n"


SCRIPTED = instance("{provider: {name: scripted}}")
ASKED = run("{instanceRef: i, input: hello}")


def test_flags_alone_make_a_scripted_run_with_a_shell(resolved: Resolve) -> None:
    spec = resolved(input="hello")
    assert (spec.model.provider, spec.agent, spec.namespace, spec.input) == ("scripted", "laptop", "default", "hello")
    assert [p.name for p in spec.participants] == ["model", "shell"]
    assert [p.name for p in spec.policies] == ["default"]
    assert [t.name for t in spec.native.tools] == ["read_file", "write_file", "list_directory"]
    assert spec.limits.timeout == 600


def test_an_instance_that_wants_no_skill_gets_none_and_one_that_is_silent_gets_a_shell(resolved: Resolve) -> None:
    wanted = instance("{provider: {name: scripted}, skills: []}")
    assert [p.name for p in resolved(wanted, ASKED).participants] == ["model"]
    assert [p.name for p in resolved(SCRIPTED, ASKED).participants] == ["model", "shell"]
    assert [p.name for p in resolved(wanted, ASKED, skills=("k8s-ops",)).participants] == ["model", "k8s-ops"]


def test_a_run_spec_survives_its_file(resolved: Resolve) -> None:
    spec = resolved(input="hello", skills=("k8s-ops", "code-review"))
    assert RunSpec.decode(spec.encode()) == spec


def test_every_run_of_the_users_documents_resolves(packs: Mapping[str, SkillPack]) -> None:
    objects = parse([(file.name, file.read_text()) for file in sorted(CONTRACT.glob("*.yaml"))])
    for name, provider, policy_name, skills in (
        ("sre-watchdog", "openai", "default", ["sre-observability"]),
        ("my-first-agent", "openai", "permissive", ["shell"]),
        ("ops", "anthropic", "default", ["k8s-ops", "llmfit"]),
    ):
        flags = Flags(instance=name, input="look" if name == "ops" else "")
        spec = resolve(objects, packs, flags, run_id="r", now="2026-01-02T03:04:05Z")
        assert (spec.model.provider, spec.policies[-1].name) == (provider, policy_name)
        assert [p.name for p in spec.participants[1:]] == skills
    assert spec.facts["parameters of k8s-ops"] == "PARAM_NAMESPACES=payments,orders, PARAM_CLUSTER=main"


def test_a_skill_without_a_sidecar_is_part_of_the_prompt(resolved: Resolve) -> None:
    spec = resolved(instance("{provider: {name: scripted}, systemPrompt: Be kind., skills: [code-review]}"), input="x")
    assert spec.system_prompt == "Be kind.\n\n# Skill: code-review\nRead the diff twice."
    assert [p.name for p in spec.participants] == ["model", "shell"]


def test_flags_win_over_documents(resolved: Resolve) -> None:
    documents = instance("{provider: {name: openai, model: gpt-4o, apiKeySecret: s}, systemPrompt: a}"), ASKED
    spec = resolved(*documents, provider="ollama", model="small", input="other", system="b", skills=("k8s-ops",))
    assert (spec.model.provider, spec.model.model, spec.input, spec.system_prompt) == ("openai", "small", "other", "b")
    assert spec.model.base_url == "http://127.0.0.1:11434/v1"
    assert [p.name for p in spec.participants] == ["model", "k8s-ops"]


def test_a_script_by_flag_stands_in_for_the_model(resolved: Resolve) -> None:
    spec = resolved(instance("{provider: {name: openai, model: m}}"), ASKED, script=("s.yaml", SCRIPT))
    assert (spec.model.provider, spec.model.script) == ("scripted", {"steps": [{"say": "done"}]})


@pytest.mark.parametrize(
    ("stated", "tightened", "flags", "expected"),
    [
        ("{}", "{}", {}, (50, 600)),
        ("{steps: 10, timeout: 1h}", "{}", {}, (10, 3600)),
        ("{steps: 0, timeout: 0s}", "{}", {}, (0, 0)),
        ("{steps: 10}", "{steps: 3, timeout: 1m}", {}, (3, 60)),
        ("{steps: 3, timeout: 1m}", "{steps: 0, timeout: 1h}", {}, (3, 60)),
        ("{}", "{timeout: 1h}", {}, (50, 600)),
        ("{}", "{}", {"max_steps": 100, "timeout": "1h"}, (100, 3600)),
        ("{steps: 10, timeout: 1m}", "{}", {"max_steps": 100, "timeout": "1h"}, (10, 60)),
        ("{steps: 10}", "{}", {"max_steps": 0}, (10, 600)),
        ("{}", "{}", {"max_steps": 0}, (0, 600)),
    ],
)
def test_limits_only_tighten(
    resolved: Resolve, stated: str, tightened: str, flags: dict[str, object], expected: tuple[int, float]
) -> None:
    documents = (
        instance(f"{{provider: {{name: scripted}}, limits: {stated}}}"),
        run(f"{{instanceRef: i, input: x, limits: {tightened}}}"),
    )
    limits = resolved(*documents, **flags).limits
    assert (limits.steps, limits.timeout) == expected


def test_a_policys_limits_tighten_too(resolved: Resolve) -> None:
    spec = resolved(SCRIPTED, ASKED, policy("p", "{template: Default, limits: {steps: 2}}"), policy="p")
    assert spec.limits.steps == 2


READ = "{name: look, argv: [ls], effect: read}"
TOUCH = "{name: touch, argv: [touch, x], effect: write}"
TOOLS = skill("own", f"{{sidecar: {{commands: [ls], tools: [{READ}, {TOUCH}]}}}}")


@pytest.mark.parametrize(
    ("template", "lists", "tool", "decision"),
    [
        ("Permissive", "", "execute_command", "allow"),
        ("Permissive", "", "touch", "allow"),
        ("Permissive", "requireApproval: [execute_command]", "touch", "ask"),
        ("Permissive", "requireApproval: [execute_command]", "look", "allow"),
        ("Permissive", "deniedTools: [execute_command]", "touch", "deny"),
        ("Permissive", "deniedTools: [look]", "look", "deny"),
        ("Default", "", "execute_command", "ask"),
        ("Default", "", "look", "allow"),
        ("Default", "", "touch", "ask"),
        ("Default", "allowedTools: [touch]", "touch", "allow"),
        ("Default", "allowedTools: [touch], requireApproval: [touch]", "touch", "ask"),
        ("Default", "requireApproval: [touch], deniedTools: [touch]", "touch", "deny"),
        ("Restrictive", "", "look", "deny"),
        ("Restrictive", "allowedTools: [look]", "look", "allow"),
        ("Restrictive", "allowedTools: [look]", "touch", "deny"),
    ],
)
def test_a_policy_of_documents_judges_calls(
    resolved: Resolve, template: str, lists: str, tool: str, decision: str
) -> None:
    body = f"{{template: {template}, {lists}}}" if lists else f"{{template: {template}}}"
    spec = resolved(TOOLS, policy("p", body), instance("{provider: {name: scripted}, skills: [own], policy: p}"), ASKED)
    assert judge(Call(id="1-1", participant="own", tool=tool), spec).decision == decision


ORDER = ["allow", "ask", "deny"]


@pytest.mark.parametrize("of_instance", ["permissive", "default", "restrictive"])
@pytest.mark.parametrize("of_run", ["", "permissive", "default", "restrictive"])
@pytest.mark.parametrize("floor", ["", "Permissive", "Default", "Restrictive"])
def test_the_strictest_of_floor_instance_and_run_holds(
    resolved: Resolve, of_instance: str, of_run: str, floor: str
) -> None:
    documents = [instance(f"{{provider: {{name: scripted}}, policy: {of_instance}}}")]
    documents.append(run(f'{{instanceRef: i, input: x, policy: "{of_run}"}}'))
    if floor:
        documents.append(policy("floor", f"{{template: {floor}}}", '{"sympozium.ai/policy-floor": "true"}'))
    spec = resolved(*documents)
    words = {"permissive": "allow", "default": "ask", "restrictive": "deny", "": "allow"}
    strictest = max((words[name] for name in (of_instance, of_run, floor.lower())), key=ORDER.index)
    assert judge(Call(id="1-1", participant="shell", tool="execute_command"), spec).decision == strictest


@pytest.mark.parametrize(("template", "fetches"), [("permissive", True), ("default", False), ("restrictive", False)])
def test_a_native_tool_that_is_denied_is_not_offered(resolved: Resolve, template: str, fetches: bool) -> None:
    spec = resolved(input="x", policy=template)
    assert ("fetch_url" in [tool.name for tool in spec.native.tools]) is fetches
    assert (judge_native("fetch_url", spec).decision == "allow") is fetches


def test_an_absent_policy_is_default_and_the_commands_policy_holds_beside_it(resolved: Resolve) -> None:
    spec = resolved(SCRIPTED, ASKED, policy="permissive")
    assert [p.name for p in spec.policies] == ["default", "permissive"]


def test_an_object_of_a_built_in_name_stands_in_for_it(resolved: Resolve) -> None:
    spec = resolved(SCRIPTED, ASKED, policy("default", "{template: Default, deniedTools: [execute_command]}"))
    assert judge(Call(id="1-1", participant="shell", tool="execute_command"), spec).decision == "deny"


def test_nobody_to_ask_is_said(resolved: Resolve) -> None:
    assert resolved(input="x").approval.somebody
    assert not resolved(input="x", approve="none").approval.somebody


@pytest.mark.parametrize(
    ("documents", "flags", "reason", "field", "why"),
    [
        ([], {}, Reason.Usage, "INPUT", "missing"),
        ([SCRIPTED], {}, Reason.Usage, "INPUT", "missing"),
        ([SCRIPTED], {"instance": "j", "input": "x"}, Reason.MissingReference, "--instance", "there is: i"),
        ([ASKED], {}, Reason.MissingReference, "spec.instanceRef", "no SympoziumInstance i"),
        ([SCRIPTED, instance("{}", "j")], {"input": "x"}, Reason.Usage, "", "several SympoziumInstances: i, j"),
        ([SCRIPTED, ASKED, run("{instanceRef: i, input: y}", "s")], {}, Reason.Usage, "", "several AgentRuns: r, s"),
        ([SCRIPTED, run("{instanceRef: i, input: y, cancel: true}")], {}, Reason.Usage, "spec.cancel", "cancelled"),
        ([instance("{}"), ASKED], {}, Reason.MissingReference, "spec.provider", "missing"),
        ([instance("{provider: {name: gpt}}"), ASKED], {}, Reason.MissingReference, "spec.provider.name", "known are"),
        ([], {"provider": "gpt", "input": "x"}, Reason.MissingReference, "--provider", "known are openai, azure"),
        ([], {"provider": "openai", "input": "x"}, Reason.Usage, "--model", "name a model"),
        ([instance("{provider: {name: openai}}"), ASKED], {}, Reason.Usage, "spec.provider.model", "name a model"),
        ([], {"provider": "azure", "model": "m", "input": "x"}, Reason.Usage, "--base-url", "no address"),
        ([], {"model": "m", "input": "x"}, Reason.Usage, "--model", "needs --provider"),
        ([], {"provider": "replay", "input": "x"}, Reason.Usage, "--replay", "recorded"),
        ([], {"provider": "openai", "model": "m", "base_url": "file:///etc", "input": "x"}, Reason.Usage,
         "--base-url", "http"),
        ([], {"provider": "openai", "model": "m", "base_url": "http://u:p@h/", "input": "x"}, Reason.Usage,
         "--base-url", "http"),
        ([], {"provider": "openai", "model": "m", "base_url": "http://h:99999/", "input": "x"}, Reason.Usage,
         "--base-url", "http"),
        ([instance("{provider: {name: ollama, model: m, baseURL: 'localhost:1'}}"), ASKED], {}, Reason.Usage,
         "spec.provider.baseURL", "http"),
        ([instance("{provider: {name: scripted, options: {contextTokens: many}}}"), ASKED], {}, Reason.InvalidDocument,
         "spec.provider.options.contextTokens", "whole number"),
        ([instance("{provider: {name: scripted, options: {prices: {input: x}}}}"), ASKED], {}, Reason.InvalidDocument,
         "spec.provider.options.prices.input", "number"),
        ([instance("{provider: {name: scripted, options: {script: {}}}}"), ASKED], {}, Reason.InvalidScript,
         "spec.provider.options.script.steps", "missing"),
        ([], {"script": ("s.yaml", "steps: [{sag: x}]"), "input": "x"}, Reason.InvalidScript, "steps.0.sag", "unknown"),
        ([], {"script": ("s.yaml", "steps: ["), "input": "x"}, Reason.InvalidScript, "", "line"),
        ([], {"script": ("s.yaml", ""), "input": "x"}, Reason.InvalidScript, "", "one document"),
        ([], {"policy": "lax", "input": "x"}, Reason.MissingReference, "--policy", "known are default"),
        ([instance("{provider: {name: scripted}, policy: lax}"), ASKED], {}, Reason.MissingReference, "spec.policy",
         "there is no SympoziumPolicy lax"),
        ([SCRIPTED, run("{instanceRef: i, input: x, policy: lax}")], {}, Reason.MissingReference, "spec.policy", "lax"),
        ([SCRIPTED, ASKED, policy("default", "{template: Permissive}")], {}, Reason.InvalidDocument, "spec.template",
         "must have the template Default"),
        ([SCRIPTED, ASKED, policy("p", "{template: Default, requireApproval: [read_file]}")], {"policy": "p"},
         Reason.PolicyUnsatisfiable, "spec.requireApproval", "nobody can be asked"),
        ([], {"skills": ("nope",), "input": "x"}, Reason.MissingReference, "--skill", "known are code-review"),
        ([], {"skills": ("No Such",), "input": "x"}, Reason.MissingReference, "--skill", "cannot be"),
        ([instance("{provider: {name: scripted}, skills: [k8s-ops, nope]}"), ASKED], {}, Reason.MissingReference,
         "spec.skills.1", "no SkillPack nope"),
        ([instance("{provider: {name: scripted}, skills: [k8s-ops, {skillPackRef: k8s-ops}]}"), ASKED], {},
         Reason.InvalidDocument, "spec.skills.1", "twice"),
        ([instance("{provider: {name: scripted}, skills: [{skillPackRef: k8s-ops, params: {x: 1}}]}"), ASKED], {},
         Reason.InvalidDocument, "spec.skills.0.params.x", "it has cluster"),
        ([instance("{provider: {name: scripted}, skillConfig: {helm: {}}}"), ASKED], {}, Reason.MissingReference,
         "spec.skillConfig.helm", "no such skill"),
        ([instance("{provider: {name: scripted}, skills: [code-review], skillConfig: {code-review: {secretRef: s}}}"),
          ASKED], {}, Reason.InvalidDocument, "spec.skillConfig.code-review.secretRef", "has no sidecar"),
        ([], {"skills": ("model",), "input": "x"}, Reason.InvalidPack, "--skill", "the pod has its own"),
        ([], {"skills": ("bridge",), "input": "x"}, Reason.InvalidPack, "--skill", "the pod has its own"),
        ([skill("own", "{sidecar: {tools: [{name: read_file, argv: [cat]}]}}")], {"skills": ("own",), "input": "x"},
         Reason.InvalidPack, "sidecar.tools.0.name", "also a tool of the agent"),
        ([TOOLS, TOOLS.replace("own", "two")], {"skills": ("own", "two"), "input": "x"}, Reason.InvalidPack,
         "sidecar.tools.0.name", "look is also a tool of the skill own"),
        ([skill("own", "{sidecar: {tools: [{name: t, argv: [a], parameters: {type: object, properties: 7}}]}}")],
         {"skills": ("own",), "input": "x"}, Reason.InvalidPack, "spec.sidecar.tools.0.parameters", "no JSON Schema"),
        ([skill("own", "{sidecar: {}}")], {"skills": ("own",), "input": "x"}, Reason.InvalidPack, "spec.sidecar",
         "needs"),
        ([], {"input": "x" * (1 << 20)}, Reason.InvalidDocument, "spec.input", "larger than 1 MiB"),
        ([instance("{provider: {name: scripted}, skills: [{skillPackRef: k8s-ops, params: {cluster: "
                   + "x" * 40000 + "}}]}"), ASKED], {}, Reason.InvalidDocument,
         "spec.skills.0.params", "larger than 32 KiB"),
        ([], {"timeout": "soon", "input": "x"}, Reason.Usage, "--timeout", "duration"),
        ([], {"max_steps": -1, "input": "x"}, Reason.Usage, "--max-steps", "0 or more"),
        ([instance("{provider: {name: scripted}, mcpServers: [github]}"), ASKED], {}, Reason.MissingReference,
         "spec.mcpServers.0", "no MCPServer github"),
    ],
)  # fmt: skip
def test_what_cannot_run_is_refused_before_anything_starts(
    resolved: Resolve, documents: list[str], flags: dict[str, object], reason: Reason, field: str, why: str
) -> None:
    with pytest.raises(Refused) as found:
        resolved(*documents, **flags)
    assert (found.value.reason, found.value.field) == (reason, field)
    assert why in found.value.why
    assert 10 <= found.value.reason <= 19


SECRET = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {apiKey: sesame}\n"
KEYED = instance("{provider: {name: openai, model: m, apiKeySecret: s}}")


def keys(packs: Mapping[str, SkillPack], environment: dict[str, str], *texts: str, **flags: str) -> list[str]:
    objects = parse([(f"{n}.yaml", text) for n, text in enumerate(texts)]) if texts else Objects()
    wanted = outfit(objects, packs, Flags(input="x", **flags)).model_secrets  # type: ignore[arg-type]
    return list(secret_values(objects, "default", wanted, environment).values())


def test_a_key_comes_from_the_secret_before_the_environment(packs: Mapping[str, SkillPack]) -> None:
    assert keys(packs, {"OPENAI_API_KEY": "other"}, KEYED, SECRET) == ["sesame"]
    assert keys(packs, {"OPENAI_API_KEY": "other"}, KEYED) == ["other"]


def test_local_and_offline_models_need_no_key(packs: Mapping[str, SkillPack]) -> None:
    for provider in ("ollama", "lmstudio", "scripted", "bedrock"):
        assert keys(packs, {}, provider=provider, model="m") == []
    assert keys(packs, {}, provider="openai", model="m", base_url="http://127.0.0.1:1/v1") == []


@pytest.mark.parametrize(
    ("texts", "flags", "field"),
    [
        ([], {"provider": "openai", "model": "m"}, "OPENAI_API_KEY"),
        ([], {"provider": "anthropic", "model": "m"}, "ANTHROPIC_API_KEY"),
        ([], {"provider": "azure", "model": "m", "base_url": "https://h"}, "AZURE_OPENAI_API_KEY"),
        ([KEYED], {}, "OPENAI_API_KEY"),
        ([KEYED, SECRET.replace("apiKey", "key")], {}, "data.apiKey"),
        ([KEYED, SECRET.replace("sesame", "''")], {}, "data.apiKey"),
    ],
)
def test_no_key_is_said_by_name(
    packs: Mapping[str, SkillPack], texts: list[str], flags: dict[str, str], field: str
) -> None:
    with pytest.raises(Refused) as found:
        keys(packs, {}, *texts, **flags)
    assert (found.value.reason, found.value.field) == (Reason.MissingKey, field)


def test_a_value_too_large_for_a_variable_is_refused_by_name(packs: Mapping[str, SkillPack]) -> None:
    assert keys(packs, {}, KEYED, SECRET.replace("sesame", "x" * MAX_VALUE)) == ["x" * MAX_VALUE]
    with pytest.raises(Refused, match=r"1\.yaml.*data\.apiKey: is larger than 127 KiB") as found:
        keys(packs, {}, KEYED, SECRET.replace("sesame", "é" * (MAX_VALUE // 2 + 1)))
    assert found.value.reason is Reason.InvalidDocument


@pytest.mark.parametrize("key", ["PATH", "LD_PRELOAD", "SYMPOZIUM_IPC", "PARAM_X", "BASH_ENV", "with-dash", "1X"])
def test_a_secret_may_not_change_how_programs_run(packs: Mapping[str, SkillPack], key: str) -> None:
    pack = skill("own", "{sidecar: {commands: [ls], secretRef: s}}")
    objects = parse([("p.yaml", pack), ("s.yaml", SECRET.replace("apiKey", key))])
    with pytest.raises(Refused) as found:
        outfit(objects, packs, Flags(input="x", skills=("own",)))
    assert (found.value.reason, found.value.file, found.value.field) == (
        Reason.InvalidDocument,
        "s.yaml",
        f"data.{key}",
    )


def test_a_secret_that_is_not_there_is_named(packs: Mapping[str, SkillPack]) -> None:
    objects = parse([("p.yaml", skill("own", "{sidecar: {commands: [ls], secretRef: s}}"))])
    with pytest.raises(Refused, match=r"p\.yaml: spec\.sidecar\.secretRef: there is no Secret s") as found:
        outfit(objects, packs, Flags(input="x", skills=("own",)))
    assert found.value.reason is Reason.MissingReference


GIVEN = instance("{provider: {name: scripted}, skills: [own], skillConfig: {own: {secretRef: given}}}")


def test_an_instance_gives_a_skill_another_secret_than_its_pack_names(packs: Mapping[str, SkillPack]) -> None:
    given = SECRET.replace("name: s", "name: given").replace("apiKey", "kubeconfig")
    for sidecar in ("{commands: [ls], secretRef: s}", "{commands: [ls]}"):
        pack = skill("own", f"{{sidecar: {sidecar}}}")
        objects = parse([("i.yaml", GIVEN), ("p.yaml", pack), ("s.yaml", SECRET), ("g.yaml", given)])
        found = outfit(objects, packs, Flags(input="x")).skills["own"].secrets
        assert [(one.variable, one.secret, one.key) for one in found] == [("kubeconfig", "given", "kubeconfig")]


def test_a_secret_that_an_instance_gives_and_that_is_not_there_is_named(packs: Mapping[str, SkillPack]) -> None:
    pack = skill("own", "{sidecar: {commands: [ls], secretRef: s}}")
    objects = parse([("i.yaml", GIVEN), ("p.yaml", pack), ("s.yaml", SECRET)])
    with pytest.raises(Refused, match=r"i\.yaml: spec\.skillConfig\.own\.secretRef: there is no Secret given") as found:
        outfit(objects, packs, Flags(input="x"))
    assert found.value.reason is Reason.MissingReference
