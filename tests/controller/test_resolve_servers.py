"""The memory and the MCP servers of a run: what the RunSpec says of them, who gets the secrets, what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

import pytest

from sympozium_controller.assemble import assemble
from sympozium_controller.documents import parse
from sympozium_controller.errors import Refused
from sympozium_controller.flags import Flags
from sympozium_controller.objects import SkillPack
from sympozium_controller.outfit import outfit, secret_values, secrets_of
from sympozium_controller.resolve import resolve
from sympozium_protocol.exits import Reason
from sympozium_protocol.messages.script import Script
from sympozium_protocol.messages.spec import RunSpec

Resolve = Callable[..., RunSpec]

HEAD = "apiVersion: sympozium.ai/v1alpha1\n"
RUN = HEAD + "kind: AgentRun\nmetadata: {name: r}\nspec: {instanceRef: i, input: why did it crash}\n"
SECRET = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {token: sesame, other: unused}\n"


def instance(spec: str) -> str:
    return HEAD + f"kind: SympoziumInstance\nmetadata: {{name: i}}\nspec: {{provider: {{name: scripted}}, {spec}}}\n"


def server(spec: str, name: str = "files") -> str:
    return HEAD + f"kind: MCPServer\nmetadata: {{name: {name}}}\nspec: {spec}\n"


FILES = server("{transport: stdio, command: [files-server]}")
WITH_FILES = instance("mcpServers: [files]")


def test_a_memory_is_a_participant_that_is_told_of_and_searched_before_the_first_step(resolved: Resolve) -> None:
    spec = resolved(instance("memory: {enabled: true, seeds: [Be careful on Fridays.], recall: 3}"), RUN)
    memory = spec.participant("memory")
    assert memory is not None
    assert {tool.name: tool.effect for tool in memory.tools} == {
        "memory_search": "read",
        "memory_store": "idempotent",
        "memory_list": "read",
    }
    assert "recollection" in memory.instructions
    assert spec.seeds == ("Be careful on Fridays.",)
    assert [(c.participant, c.tool, c.arguments) for c in spec.prelude] == [
        ("memory", "memory_search", {"query": "why did it crash", "top_k": 3})
    ]


def test_a_memory_that_is_not_enabled_has_neither_participant_nor_seeds(resolved: Resolve) -> None:
    spec = resolved(instance("memory: {seeds: [x], recall: 3}"), RUN)
    assert spec.participant("memory") is None
    assert (spec.seeds, spec.prelude) == ((), ())


def test_a_flag_gives_the_memory(resolved: Resolve) -> None:
    assert resolved(input="x", memory=True).participant("memory") is not None


def tools_played(spec: RunSpec) -> set[str]:
    assert spec.model is not None
    return {call.tool for step in Script.model_validate_json(json.dumps(spec.model.script)).steps for call in step.call}


def test_the_built_in_script_of_one_that_remembers_looks_there_and_asks_for_no_command(resolved: Resolve) -> None:
    assert tools_played(resolved(input="x", memory=True)) == {"memory_search"}
    assert tools_played(resolved(instance("memory: {enabled: true}"), RUN)) == {"memory_search"}
    assert tools_played(resolved(input="x")) == {"execute_command"}


def test_the_memory_alone_has_the_volume_that_outlives_the_run(packs: Mapping[str, SkillPack]) -> None:
    flags = Flags(input="x", memory=True)
    pod = assemble(
        resolve(parse([]), packs, flags, run_id="r", now="2026-01-02T03:04:05Z"), outfit(parse([]), packs, flags)
    )
    writers = [p.name for p in pod.participants for mount in p.mounts if mount.volume == "laptop-memory"]
    assert writers == ["memory"]


def test_servers_are_one_participant_with_a_prefix_each_and_what_only_reads_by_name(resolved: Resolve) -> None:
    git = server(
        "{transport: http, url: 'https://git.example/mcp', prefix: g_, readTools: [log], required: false}", "git"
    )
    spec = resolved(instance("mcpServers: [files, git]"), FILES, git, RUN)
    mcp = spec.participant("mcp")
    assert mcp is not None
    assert (mcp.prefixes, mcp.required) == (("files_", "g_"), True)
    assert [(tool.name, tool.effect) for tool in mcp.tools] == [("g_log", "read")]
    assert mcp.tool("files_remove") is not None
    assert [(s.name, s.prefix, s.command, s.url, s.required) for s in spec.servers] == [
        ("files", "files_", ("files-server",), "", True),
        ("git", "g_", (), "https://git.example/mcp", False),
    ]


def test_flags_name_servers_by_command_or_by_url(resolved: Resolve) -> None:
    spec = resolved(input="x", mcp=("a=npx 'some server' --all", "b=http://127.0.0.1:1/mcp"))
    assert [(s.name, s.transport, s.command or s.url) for s in spec.servers] == [
        ("a", "stdio", ("npx", "some server", "--all")),
        ("b", "http", "http://127.0.0.1:1/mcp"),
    ]


def pod_of(packs: Mapping[str, SkillPack], *texts: str) -> tuple[RunSpec, dict[str, dict[str, str]]]:
    """The RunSpec, and what each program gets of the secrets, by variable."""
    objects = parse([(f"{n}.yaml", text) for n, text in enumerate(texts)])
    spec = resolve(objects, packs, Flags(), run_id="r", now="2026-01-02T03:04:05Z")
    pod = assemble(spec, outfit(objects, packs, Flags()))
    values = secret_values(objects, "default", secrets_of(pod), {})
    programs = (pod.agent, pod.bridge, *pod.participants)
    return spec, {p.name: {s.variable: values[s] for s in p.secrets} for p in programs if p.secrets}


def test_a_key_reaches_the_bridge_alone_and_only_if_a_value_uses_it(packs: Mapping[str, SkillPack]) -> None:
    web = server("{transport: http, url: 'https://x/mcp', secretRef: s, headers: {Authorization: 'Bearer ${token}'}}")
    spec, given = pod_of(packs, WITH_FILES, web, SECRET, RUN)
    assert spec.servers[0].headers == {"Authorization": "Bearer ${token}"}
    variable = spec.servers[0].secrets["token"]
    assert given == {"mcp": {variable: "sesame"}}
    assert b"sesame" not in spec.encode()


def test_the_keys_are_variables_of_a_stdio_server_that_names_none(packs: Mapping[str, SkillPack]) -> None:
    spec, _ = pod_of(
        packs, WITH_FILES, server("{transport: stdio, command: [x], secretRef: s, env: {A: b}}"), SECRET, RUN
    )
    assert spec.servers[0].env == {"token": "${token}", "other": "${other}", "A": "b"}


def test_client_credentials_are_taken_from_the_secret(packs: Mapping[str, SkillPack]) -> None:
    oauth = "{clientId: me, clientSecret: '${token}', scopes: [read]}"
    web = server(f"{{transport: http, url: 'https://x/mcp', secretRef: s, oauth: {oauth}}}")
    spec, given = pod_of(packs, WITH_FILES, web, SECRET, RUN)
    found = spec.servers[0].oauth
    assert found is not None
    assert (found.client_id, found.client_secret, found.scopes) == ("me", "${token}", ("read",))
    assert list(given["mcp"].values()) == ["sesame"]


def at(url: str) -> str:
    return server(f"{{transport: http, url: {url!r}}}")


@pytest.mark.parametrize("query", ["q=1", "keyword=x", "max_tokens=5", "author=me", "token=", "code=1&region=eu"])
def test_a_url_whose_parameters_are_no_secrets_is_taken(resolved: Resolve, query: str) -> None:
    spec = resolved(WITH_FILES, at(f"https://x/mcp?{query}"), RUN)
    assert spec.servers[0].url == f"https://x/mcp?{query}"


INVALID, MISSING = Reason.InvalidDocument, Reason.MissingReference


def web(spec: str) -> str:
    return server(f"{{transport: http, url: 'https://x/mcp', {spec}}}")


@pytest.mark.parametrize(
    ("documents", "flags", "reason", "field", "why"),
    [
        ([WITH_FILES, server("{transport: stdio}")], {}, INVALID, "spec", "command or image: is missing"),
        ([WITH_FILES, server("{transport: http}")], {}, INVALID, "spec", "url: is missing"),
        ([WITH_FILES, web("env: {A: b}")], {}, INVALID, "spec", "env: is of another"),
        ([WITH_FILES, server("{transport: sse}")], {}, INVALID, "spec.transport", "'stdio' or 'http'"),
        ([WITH_FILES, web("sampling: allow")], {}, INVALID, "spec.sampling", "decline"),
        ([WITH_FILES, server("{transport: stdio, image: i}")], {}, Reason.Usage, "spec.command", "cluster"),
        ([WITH_FILES, web("secretRef: s")], {}, MISSING, "spec.secretRef", "no Secret s"),
        ([WITH_FILES, web("secretRef: s"), SECRET], {}, INVALID, "spec.secretRef", "uses"),
        ([WITH_FILES, web("headers: {X: '${token}'}")], {}, MISSING, "spec.headers.X",
         "needs spec.secretRef"),
        ([WITH_FILES, web("secretRef: s, headers: {X: '${t}'}"), SECRET], {}, MISSING,
         "spec.headers.X", "has no key t"),
        ([WITH_FILES, web("headers: {authorization: Bearer abc}")], {}, INVALID,
         "spec.headers.authorization", "the agent can read"),
        ([WITH_FILES, at("https://me:pw@x/mcp")], {}, INVALID, "spec.url", "a user or password before the host"),
        ([WITH_FILES, at("https://me@x/mcp")], {}, INVALID, "spec.url", "as ${KEY} from the Secret"),
        ([WITH_FILES, at("https://x/mcp?q=1&api_key=abc")], {}, INVALID, "spec.url", "parameter api_key; the agent"),
        ([WITH_FILES, at("https://x/mcp?tavilyApiKey=abc")], {}, INVALID, "spec.url", "parameter tavilyApiKey;"),
        ([WITH_FILES, at("https://x/mcp?a=b;%61ccess_token=abc")], {}, INVALID, "spec.url", "parameter access_token;"),
        ([WITH_FILES, at("https://x/mcp#token=abc")], {}, INVALID, "spec.url", "parameter token;"),
        ([WITH_FILES, web("oauth: {clientId: a, issuer: 'https://a:b@x'}")], {}, INVALID, "spec.oauth.issuer",
         "before the host"),
        ([], {"mcp": ("a=https://x/mcp?X-Api-Key=abc",), "input": "x"}, Reason.Usage, "--mcp", "parameter X-Api-Key;"),
        ([WITH_FILES, web("oauth: {clientId: a, clientSecret: b}")], {}, INVALID,
         "spec.oauth.clientSecret", "the agent can read"),
        ([WITH_FILES, server("{transport: stdio, command: [x], prefix: memory_}"), instance("memory: {enabled: true}")
          .replace("name: i", "name: j")], {"instance": "i"}, INVALID, "spec.prefix", "memory_list"),
        ([WITH_FILES, server("{transport: stdio, command: [x], prefix: exec}")], {}, INVALID,
         "spec.prefix", "execute_command"),
        ([instance("mcpServers: [files, files-two]"), server("{transport: stdio, command: [x], prefix: a}"),
          server("{transport: stdio, command: [x], prefix: a_}", "files-two")], {}, INVALID,
         "spec.prefix", "also begins the tools of the MCP server files-two"),
        ([instance("mcpServers: [1]").replace("[1]", "['1']"), server("{transport: stdio, command: [x]}", "'1'")], {},
         INVALID, "spec.prefix", "state one"),
        ([WITH_FILES, FILES], {"mcp": ("files=x",)}, INVALID, "", "named twice"),
        ([WITH_FILES, server("{transport: stdio, command: [x], readTools: ['no name']}")], {}, INVALID,
         "spec.readTools.0", "cannot be a tool's name"),
        ([], {"mcp": ("nothing",), "input": "x"}, Reason.Usage, "--mcp", "NAME=COMMAND"),
        ([], {"mcp": ("a='x",), "input": "x"}, Reason.Usage, "--mcp", "no closing quotation"),
        ([], {"mcp": ("My_Srv=cat",), "input": "x"}, Reason.Usage, "--mcp", "'My_Srv' cannot be a server's name"),
        ([], {"mcp": ("a=htp://x",), "input": "x"}, Reason.Usage, "--mcp", "neither an http:// or https:// URL nor"),
        ([], {"mcp": ("a=http://x y",), "input": "x"}, Reason.Usage, "--mcp", "neither an http:// or https:// URL nor"),
        ([], {"skills": ("mcp",), "input": "x"}, Reason.InvalidPack, "--skill", "the pod has its own"),
        ([], {"skills": ("memory",), "input": "x"}, Reason.InvalidPack, "--skill", "the pod has its own"),
    ],
)  # fmt: skip
def test_what_cannot_be_served_is_refused_before_anything_starts(
    resolved: Resolve, documents: list[str], flags: dict[str, object], reason: Reason, field: str, why: str
) -> None:
    with pytest.raises(Refused) as found:
        resolved(*documents, *((RUN,) if documents else ()), **flags)
    assert (found.value.reason, found.value.field) == (reason, field), found.value.message
    assert why in found.value.why
    assert "abc" not in found.value.message
