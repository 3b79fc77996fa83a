"""What keeps whole runs apart in a cluster with everything in it, as somebody finds it who tries.

Hostile is a Python that is started in a container of a running pod, as its user and with its bounds: whoever talked a
program into something has no more. What must fail is tried where it must succeed, too.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.cluster import Cluster, Refused
from tests.support.cluster_accounts import kubeconfig_of
from tests.support.cluster_node import image
from tests.support.hostile import DIRECTORIES, PRESENTS, REACHES, SEARCH, WRITES
from tests.support.installed import GROUP, SYSTEM, Installed, Run, scripted, until
from tests.support.provider_server import ProviderServer, provider_server
from tests.support.runs_on_node import RunOnNode

pytestmark = pytest.mark.xdist_group("node")
HOLD = {
    "command": "touch began; until [ -e go ]; do sleep 0.2; done; echo went",
    "skill": "shell",
    "timeout": 600,
}
KEY = "canary-of-a-provider-key"
TOKENS = {
    "bridge": "/var/run/secrets/sympozium.ai/bus/token",
    "k8s-ops": "/var/run/secrets/kubernetes.io/serviceaccount/token",
}
OFFLINE = {
    "apiVersion": GROUP,
    "kind": "SympoziumPolicy",
    "metadata": {"name": "offline"},
    "spec": {"template": "Permissive", "deniedTools": ["fetch_url"]},
}


@dataclass(frozen=True)
class Held:
    """A run whose agent waits for a command of its shell."""

    run: Run
    inside: RunOnNode

    @property
    def id(self) -> str:
        return str(self.run.status["run"])

    def python(self, container: str, code: str, *words: str) -> Any:
        return self.inside.python(container, code, *words)

    def token(self, container: str) -> str:
        return str(self.python(container, f"found = open({TOKENS[container]!r}).read()"))

    def let_go(self) -> dict[str, Any]:
        """The status once it is over, as if nobody had looked."""
        self.python("shell", "open('/workspace/go', 'w').close()")
        return self.run.ended()


def hold(installed: Installed, team: str, instance: str) -> Held:
    run = installed.start(team, instance, f"{instance}-held")
    run.pod()
    inside = RunOnNode(installed.cluster, team, run.status["jobName"])
    inside.until("shell", "found = os.path.exists('/workspace/began')")
    return Held(run, inside)


def waits(**more: Any) -> dict[str, Any]:
    call = {"tool": "execute_command", "arguments": HOLD, "save": "r"}
    return {"provider": scripted({"call": [call]}, {"say": "it ${r}"}), "policy": "offline", **more}


@pytest.fixture(scope="module")
def teams(installed: Installed) -> Iterator[tuple[str, str]]:
    """Namespaces of two teams."""
    with installed.cluster.namespace() as one, installed.cluster.namespace() as other:
        for name in (one, other):
            installed.cluster.apply(OFFLINE, "-n", name)
        yield one, other


@pytest.fixture(scope="module")
def held(installed: Installed, teams: tuple[str, str]) -> Iterator[tuple[Held, Held]]:
    """A run of each team, with rights in its namespace."""
    for team in teams:
        installed.instance(team, "ops", **waits(skills=["shell", "k8s-ops"]))
    found = [hold(installed, team, "ops") for team in teams]
    yield found[0], found[1]
    for one in found:
        assert one.let_go()["output"] == "it went"


# -- two runs ------------------------------------------------------------------------------------------------------

ASKS = """
import ssl, urllib.error, urllib.request
token, *paths = json.loads(sys.argv[1])
context = ssl.create_default_context(cafile="/var/run/secrets/kubernetes.io/serviceaccount/ca.crt")
host = os.environ["KUBERNETES_SERVICE_HOST"]
found = []
for path in paths:
    asked = urllib.request.Request(f"https://{host}{path}", headers={"Authorization": f"Bearer {token}"})
    try:
        found.append(urllib.request.urlopen(asked, context=context, timeout=20).status)
    except urllib.error.HTTPError as error:
        found.append(error.code)
"""


def test_the_rights_of_a_run_end_at_its_namespace_wherever_its_token_is_shown(held: tuple[Held, Held]) -> None:
    for own, other in (held, held[::-1]):
        here, there = own.run.namespace, other.run.namespace
        paths = [
            f"/api/v1/namespaces/{here}/pods",
            f"/api/v1/namespaces/{there}/pods",
            f"/api/v1/namespaces/{there}/pods/{other.run.status['podName']}/log?container=agent",
            f"/api/v1/namespaces/{here}/secrets",
            f"/apis/sympozium.ai/v1alpha1/namespaces/{here}/agentruns",
            "/api/v1/pods",
        ]
        for place in (own, other):
            asked = json.dumps([own.token("k8s-ops"), *paths])
            assert place.python("k8s-ops", ASKS, asked) == [200, 403, 403, 403, 403, 403]
        # what is made for the bus is nobody to the API server
        assert own.python("k8s-ops", ASKS, json.dumps([own.token("bridge"), paths[0]])) == [401]


BUS = """
import asyncio
from sympozium_protocol.bus import subjects
from sympozium_protocol.bus.faults import Away, Forbidden
from sympozium_protocol.bus.link import connected
from sympozium_protocol.bus.reader import open_reader
from sympozium_protocol.bus.settings import BusSettings
from sympozium_protocol.bus.subjects import RunKey
own, other = (RunKey(*one) for one in json.loads(sys.argv[1]))
settings = BusSettings.from_environment()
tries = {
    "read own": lambda link: open_reader(link, own),
    "read other": lambda link: open_reader(link, other),
    "speak as other": lambda link: link.request(subjects.records(other), b"{}"),
    "end other": lambda link: link.request(subjects.said(other, "cancel", "ann"), b"{}"),
    "approve own": lambda link: link.request(subjects.said(own, "answer", "ann"), b"{}"),
    "reply for other": lambda link: link.request(subjects.elsewhere(other, "model", "m-1"), b"{}"),
    "delete all": lambda link: link.request("$JS.API.STREAM.PURGE.SYMPOZIUM", b""),
    "listen to other": lambda link: listen(link, subjects.live(other)),
    "listen to own": lambda link: listen(link, subjects.live(own)),
}
async def listen(link, subject):
    await link.client.subscribe(subject)
    await link.settled()
async def tried(name):
    told = []
    try:
        async with connected(settings, principal=subjects.run_principal(own), tell=told.append) as link:
            await tries[name](link)
            return "refused" if told and "permissions violation" in str(told[0]).lower() else "done"
    except Forbidden:
        return "refused"
    except Away:
        return ""  # a keeper that has much to do lets nobody in, for now
found = {name: asyncio.run(tried(name)) for name in tries if name not in sys.argv[2:]}
"""


def tried_on_the_bus(own: Held, other: Held) -> dict[str, str]:
    """What became of each try, once the keeper has let the run in for it."""
    keys = json.dumps([[one.run.namespace, one.id] for one in (own, other)])
    told: dict[str, str] = {}

    def all_of_them() -> bool:
        now = own.python("bridge", BUS, keys, *told)
        told.update({name: word for name, word in now.items() if word})
        return all(now.values())

    until(all_of_them, "each was tried", lambda: json.dumps(told))
    return told


def test_the_bus_lets_a_run_read_and_say_nothing_of_another(held: tuple[Held, Held]) -> None:
    for own, other in (held, held[::-1]):
        found = tried_on_the_bus(own, other)
        assert len(found) == 9
        assert found == {name: "done" if name in ("read own", "listen to own") else "refused" for name in found}


# -- a hostile agent -----------------------------------------------------------------------------------------------


def thinks(address: str, secret: str = "keys", **more: Any) -> dict[str, Any]:
    """An instance whose provider is this server."""
    provider = {"name": "openai", "model": "m", "baseURL": f"{address}/v1", "apiKeySecret": secret}
    return {"provider": provider, "policy": "offline", "skills": ["shell"], **more}


@contextmanager
def provider(installed: Installed, team: str, *answers: dict[str, Any]) -> Iterator[tuple[ProviderServer, str]]:
    """A server on this machine, its URL for pods, and a Secret of the team with a key for it."""
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "keys", "namespace": team}}
    installed.cluster.apply({**secret, "stringData": {"apiKey": KEY}})
    host = installed.cluster.host_address
    with provider_server(*answers, host=host) as server:
        yield server, f"http://{host}:{server.port}"


@pytest.fixture(scope="module")
def asking(installed: Installed, teams: tuple[str, str]) -> Iterator[Held]:
    """A run that has a key behind a gateway, and a shell that needs nothing."""
    answers = {"calls": [("execute_command", json.dumps(HOLD))]}, {"text": "it went"}
    with provider(installed, teams[0], *answers) as (_, address):
        installed.instance(teams[0], "asking", **thinks(address))
        found = hold(installed, teams[0], "asking")
        yield found
        assert found.let_go()["output"] == "it went"


def bus_of(installed: Installed) -> str:
    return str(installed.cluster.get("service", "sympozium-bus", "-n", SYSTEM)["spec"]["clusterIP"])


def bystander(installed: Installed, team: str, code: str, *words: str) -> Any:
    """What this code finds in a pod that is none of ours."""
    command = ["python3", "-c", f"import json, os, sys\n{code}\nprint(json.dumps(found))", *words]
    container = {"name": "looks", "image": image("skill-shell"), "command": command}
    spec = {"restartPolicy": "Never", "containers": [container]}
    metadata = {"name": "bystander", "namespace": team}
    cluster = installed.cluster
    cluster.create({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
    cluster.wait("jsonpath={.status.phase}=Succeeded", "pod/bystander", "-n", team, seconds=100)
    return json.loads(cluster.kubectl("logs", "bystander", "-n", team))


def test_a_hostile_agent_reaches_the_bus_and_nothing_else(
    installed: Installed, teams: tuple[str, str], asking: Held, held: tuple[Held, Held]
) -> None:
    get = installed.cluster.get
    gateway = get("si", "asking", "-n", teams[0])
    server = gateway["spec"]["provider"]["baseURL"].removeprefix("http://").removesuffix("/v1").split(":")
    keeper = get("pods", "-n", SYSTEM, "-l", "app.kubernetes.io/component=bus")["items"][0]["status"]["podIP"]
    slices = get("endpointslices", "-n", "default", "-l", "kubernetes.io/service-name=kubernetes")["items"]
    api = slices[0]["endpoints"][0]["addresses"][0], slices[0]["ports"][0]["port"]
    places = json.dumps(
        {
            "bus": (bus_of(installed), 4222),
            "monitoring of the bus": (keeper, 8222),
            "api": (get("service", "kubernetes", "-n", "default")["spec"]["clusterIP"], 443),
            "api itself": api,
            "provider": (server[0], int(server[1])),
            "names": get("service", "kube-dns", "-n", "kube-system")["spec"]["clusterIP"],
            "resolves": "kubernetes.default.svc.cluster.local",
        }
    )
    everything = bystander(installed, teams[0], REACHES, places)
    assert set(everything) >= {"bus", "api", "api itself", "provider", "names", "resolves"}
    assert asking.python("agent", REACHES, places) == ["bus"]
    assert held[0].python("agent", REACHES, places) == ["api", "api itself", "bus"]


def test_the_bus_lets_nobody_in_who_shows_it_no_token_of_its_own(
    installed: Installed, asking: Held, held: tuple[Held, Held]
) -> None:
    address = bus_of(installed)
    for token in ("", held[0].token("k8s-ops"), "x" * 200):
        assert "Authorization Violation" in asking.python("agent", PRESENTS, json.dumps([address, token]))
    good = json.dumps([address, asking.token("bridge")])
    until(lambda: asking.python("agent", PRESENTS, good) == "let in", "a good token lets in, wherever it is shown")


def test_a_hostile_agent_writes_its_own_directories_and_forges_no_verdict(asking: Held) -> None:
    places = asking.python("agent", DIRECTORIES)
    assert {"/ipc/agent/calls/shell", "/ipc/bridge/verdicts/shell", "/ipc/shell/replies"} <= set(places)
    written = asking.python("agent", WRITES, json.dumps([*places, "/", "/etc", "/var/run"]))
    assert "/ipc/agent/calls/shell" in written
    assert [one for one in written if not one.startswith(("/ipc/agent", "/workspace"))] == []
    moves = "found = []\nfor place in ('/ipc/bridge', '/ipc/bridge/verdicts', '/ipc/bridge/verdicts/shell'):\n"
    moves += "    try: os.rename(place, '/ipc/agent/taken')\n    except OSError: found.append(place)"
    assert len(asking.python("agent", moves)) == 3


def test_no_key_and_no_token_is_where_the_agent_can_look(
    installed: Installed, asking: Held, held: tuple[Held, Held]
) -> None:
    # the signature alone: nothing else has it
    words = [one.token(name).rpartition(".")[2] for one, name in ((asking, "bridge"), (held[0], "bridge"))]
    account = held[0].token("k8s-ops").rpartition(".")[2]
    told = json.dumps([KEY, account, *words])
    assert asking.python("bridge", SEARCH, told)
    assert held[0].python("k8s-ops", SEARCH, json.dumps([account]))
    assert held[0].python("k8s-ops", SEARCH, json.dumps([KEY, *words])) == []
    for one, name in ((asking, "agent"), (asking, "shell"), (held[0], "agent"), (held[0], "shell")):
        assert one.python(name, SEARCH, told) == [], name
    assert asking.python("bridge", SEARCH, json.dumps([KEY])) == []


# -- the model gateway ---------------------------------------------------------------------------------------------


def test_a_provider_is_asked_by_a_gateway_that_alone_has_the_key_and_goes_with_its_last_instance(
    installed: Installed, teams: tuple[str, str]
) -> None:
    team, kubectl = teams[1], installed.cluster.kubectl
    answers = {"calls": [("execute_command", json.dumps({"command": "echo looked"}))]}, {"text": "I looked."}
    with provider(installed, team, *answers) as (server, address):
        for name in ("first", "second"):
            installed.instance(team, name, **thinks(address))
        status = installed.start(team, "first", "asks").ended()
        assert (status["phase"], status["output"]) == ("Succeeded", "I looked."), status
        assert "looked" in json.dumps(server.requests[1]["messages"])
        assert {headers["authorization"] for headers in server.headers} == {f"Bearer {KEY}"}
    gateway = installed.cluster.get("si", "first", "-n", team)["status"]["gateway"]
    look = f"import json, os, sys\n{SEARCH}\nprint(json.dumps(found))"
    found = kubectl("exec", f"deployment/{gateway}", "-n", team, "--", "python3", "-c", look, json.dumps([KEY]))
    assert all(place.startswith("/") for place in json.loads(found))
    assert json.loads(found)
    pods = installed.cluster.get("pods", "-n", team)["items"]
    holders = [one["metadata"]["name"] for one in pods if '"name": "keys"' in json.dumps(one["spec"]["volumes"])]
    assert len(pods) > len(holders) == 1
    assert holders[0].startswith(gateway)

    kubectl("delete", "si", "first", "-n", team)
    installed.start(team, "second", "asks-again", cancel=True).ended()  # the controller has seen what is gone
    assert kubectl("get", "deployment", gateway, "-n", team)
    kubectl("delete", "si", "second", "-n", team)
    installed.cluster.wait("delete", f"deployment/{gateway}", "-n", team, seconds=100)
    until(lambda: gateway not in kubectl("get", "pods", "-n", team, "-o", "name"), "its pods go")


# -- memory --------------------------------------------------------------------------------------------------------


def test_what_one_run_stores_the_next_one_finds_and_two_at_once_lose_nothing(
    installed: Installed, teams: tuple[str, str]
) -> None:
    team = teams[0]
    stores = {"tool": "memory_store", "arguments": {"content": "${input}"}, "save": "s"}
    finds = {"tool": "memory_search", "arguments": {"query": "payments-api", "top_k": 20}, "save": "r"}
    script = scripted({"call": [stores]}, {"call": [finds]}, {"say": "${r}"})
    facts = [f"payments-api fact {name}" for name in ("alpha", "bravo", "charlie", "delta")]
    with installed.cluster.volume(team, "remembers-memory"):
        installed.instance(team, "remembers", provider=script, memory={"enabled": True}, skills=[], policy="permissive")
        first = installed.start(team, "remembers", "first", facts[0]).ended()
        assert (first["phase"], facts[0] in first["output"]) == ("Succeeded", True), first
        both = [installed.start(team, "remembers", f"at-once-{one}", facts[one]) for one in (1, 2)]
        assert all(facts[0] in run.ended()["output"] for run in both)
        last = installed.start(team, "remembers", "last", facts[3]).ended()["output"]
        assert [fact for fact in facts if fact not in last] == []
        installed.cluster.kubectl("delete", "si", "remembers", "-n", team)
        until(lambda: "memory" not in installed.cluster.kubectl("get", "pods", "-n", team, "-o", "name"), "it ends")


# -- a tenant ------------------------------------------------------------------------------------------------------


def pack(name: str, *rules: Mapping[str, Sequence[str]], **sidecar: Any) -> dict[str, Any]:
    spec = {"sidecar": {"image": "skill-k8s-ops", "commands": ["kubectl"], "rbac": list(rules), **sidecar}}
    return {"apiVersion": GROUP, "kind": "SkillPack", "metadata": {"name": name}, "spec": spec}


def rule(group: str, resource: str, *verbs: str) -> dict[str, Sequence[str]]:
    return {"apiGroups": [group], "resources": [resource], "verbs": verbs}


def test_a_tenant_gives_his_packs_no_right_that_he_does_not_hold(
    installed: Installed, teams: tuple[str, str], tmp_path: Path
) -> None:
    team, cluster = teams[1], installed.cluster
    installed.token(team, "tenant", "sympozium-edit")
    cluster.kubectl("create", "rolebinding", "tenant-looks", "--clusterrole=view",
                    f"--serviceaccount={team}:tenant", "-n", team)  # fmt: skip
    tenant = Cluster(kubeconfig_of(cluster, team, "tenant", tmp_path), cluster.client, cluster.state)
    tenant.create(pack("looks", rule("", "pods", "get", "list")), "-n", team)
    asked = {
        "reads-secrets": (rule("", "secrets", "get"), "secrets"),
        "deletes-pods": (rule("", "pods", "get", "delete"), "delete pods"),
        "everything": (rule("*", "*", "*"), "*"),
        "binds": (rule("rbac.authorization.k8s.io", "rolebindings", "create"), "rolebindings"),
    }
    for name, (wanted, word) in asked.items():
        with pytest.raises(Refused, match="denied the request") as refused:
            tenant.create(pack(name, wanted), "-n", team)
        assert word in str(refused.value)
    with pytest.raises(Refused, match="clusterRBAC"):
        tenant.create(pack("whole-cluster", clusterRBAC=[rule("", "pods", "get")]), "-n", team)
    with pytest.raises(Refused, match="denied the request"):  # nor what it has by and by
        tenant.apply(pack("looks", rule("", "pods", "get", "list"), rule("", "secrets", "get")), "-n", team)
    kept = cluster.get("sp", "-n", team)["items"]
    assert [one["metadata"]["name"] for one in kept] == ["looks"]
    assert len(kept[0]["spec"]["sidecar"]["rbac"]) == 1
