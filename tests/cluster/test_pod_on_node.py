"""Runs in real pods, without a controller and without a bus: they end with their answer, and their walls hold.

The attacker is a Python that is started in a container of a running pod, as its user and with its bounds. What it
tries is tried where it must succeed, too, so that a wall and a typing error look different.
"""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import pytest
import yaml

from sympozium_controller.documents import parse
from sympozium_controller.flags import Flags
from sympozium_controller.objects import SkillPack
from sympozium_controller.packs import parse_pack
from sympozium_controller.pod import Pod, Program
from sympozium_protocol.files import digest
from tests.support.cluster import Refused
from tests.support.cluster_node import NodeCluster
from tests.support.engine import POD
from tests.support.hostile import DIRECTORIES, SEARCH, WRITES
from tests.support.kubernetes_pods import pod_of
from tests.support.runs_on_node import RunOnNode, start

pytestmark = pytest.mark.xdist_group("node")
CANARY = "canary-of-a-secret"
WAIT = "touch began; until [ -e go ]; do sleep 0.05; done; echo went"
RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}
PACKS: Mapping[str, SkillPack] = {
    "shell": parse_pack("shell", "sidecar: {image: skill-shell, commands: []}", "Run commands.\n"),
    "rights": parse_pack(
        "rights",
        "sidecar: {image: skill-shell, commands: [jq], egress: [kubernetes], "
        "rbac: [{apiGroups: [''], resources: [pods], verbs: [get]}]}",
        "Look.\n",
    ),
    "tickets": parse_pack("tickets", "sidecar: {image: skill-shell, commands: [awk], secretRef: tickets}", "Ask.\n"),
}
OBJECTS = f"""
apiVersion: v1
kind: Secret
metadata: {{name: tickets}}
stringData: {{TICKET_TOKEN: {CANARY}}}
---
apiVersion: sympozium.ai/v1alpha1
kind: SympoziumPolicy
metadata: {{name: offline}}
spec: {{template: Permissive, deniedTools: [fetch_url]}}
---
apiVersion: sympozium.ai/v1alpha1
kind: SympoziumInstance
metadata: {{name: a}}
spec:
  provider: {{name: scripted}}
  policy: offline
  skills: [shell, rights, tickets]
"""


def made(run: str, *steps: Mapping[str, Any], objects: str = OBJECTS, text: str = "x") -> Pod:
    script = ("script.yaml", yaml.safe_dump({"steps": list(steps)}))
    flags = Flags(input=text, instance="a", script=script, approve="none")
    return pod_of(PACKS, flags, parse([("objects.yaml", objects)]), run=run)


def command(line: str, tool: str = "execute_command", **more: Any) -> dict[str, Any]:
    return {
        "call": [{"tool": tool, "arguments": {"command": line, "skill": "shell", "timeout": 600} | more, "save": "r"}]
    }


@pytest.fixture(scope="module")
def space(node_cluster: NodeCluster) -> Iterator[str]:
    node_cluster.load(*POD)
    with node_cluster.namespace(**RESTRICTED) as name:
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "tickets", "namespace": name}}
        node_cluster.create({**secret, "stringData": {"TICKET_TOKEN": CANARY}})
        yield name


@dataclass
class Held:
    """A run that waits in a command of its shell."""

    run: RunOnNode
    rendered: Pod

    def python(self, program: str, code: str, *words: str) -> Any:
        return self.run.python(program, code, *words)

    @property
    def programs(self) -> tuple[Program, ...]:
        return (self.rendered.agent, self.rendered.bridge, *self.rendered.participants)


@pytest.fixture(scope="module")
def held(node_cluster: NodeCluster, space: str) -> Iterator[Held]:
    """One run for all that only looks. It then goes on to its end, as if nobody had looked."""
    pod = made("held", command(WAIT), {"say": "it ${r}"})
    run = start(node_cluster, space, pod)
    run.until_running()
    run.until("agent", "found = os.path.exists('/workspace/began')")
    yield Held(run, pod)
    run.python("shell", "open('/workspace/go', 'w').close()")
    code, told = run.ended()
    assert (code, told.reason, told.output) == (0, "Completed", "it went")


def test_a_run_ends_with_its_answer_in_the_log_and_in_the_termination_message(
    node_cluster: NodeCluster, space: str
) -> None:
    pod = made("answers", command("echo seen; id -u"), {"say": "It says ${r}."})
    run = start(node_cluster, space, pod)
    code, told = run.ended()
    assert (code, told.reason, told.cut) == (0, "Completed", False)
    assert told.output == "It says seen\n1000."
    assert run.answer() == told.output + "\n"
    assert told.run_digest == digest(pod.run)
    assert (told.usage.model_calls, told.usage.tool_calls) == (2, 1)
    node_cluster.wait("condition=complete", "job/answers", "-n", space)


def test_an_answer_beyond_the_share_of_a_container_is_cut_and_said_to_be(node_cluster: NodeCluster, space: str) -> None:
    answer = "é" * 5000
    run = start(node_cluster, space, made("long", {"say": answer}))
    code, told = run.ended()
    message = run.states["agent"]["state"]["terminated"]["message"]
    assert (code, told.cut, told.output_size, told.output_digest) == (0, True, 10000, digest(answer.encode()))
    assert 2048 - 2 <= len(message.encode()) <= 2048  # six containers share 12 KiB
    assert run.answer() == answer + "\n"


def test_a_run_that_fails_says_why_in_exit_code_and_message(node_cluster: NodeCluster, space: str) -> None:
    run = start(node_cluster, space, made("fails", command("true")))
    code, told = run.ended()
    assert (code, told.reason) == (28, "ScriptEnded")
    node_cluster.wait("condition=failed", "job/fails", "-n", space)
    assert len(node_cluster.get("pods", "-n", space, "-l", "job-name=fails")["items"]) == 1


def test_a_run_beyond_200_kib_comes_by_way_of_a_config_map(node_cluster: NodeCluster, space: str) -> None:
    text = "a very long question " * 12_000
    run = start(node_cluster, space, made("large", {"say": "read"}, text=text))
    assert node_cluster.get("configmap", "large", "-n", space)["immutable"] is True
    code, told = run.ended()
    assert (code, told.output) == (0, "read")


def test_a_container_writes_where_the_pod_says_so_and_nowhere_else(held: Held) -> None:
    for program in held.programs:
        places = [*held.python(program.name, DIRECTORIES), "/", "/etc", "/tmp", "/var/run", "/dev/shm"]
        written = set(held.python(program.name, WRITES, json.dumps(places)))
        assert written == {place for place in places if _writable(program, place)}, program.name


def _writable(program: Program, place: str) -> bool:
    """By the innermost mount around it. The runtime made what only holds the gate's places, and as root."""
    if place in ("/ipc/bridge/verdicts", "/ipc/bridge/questions"):
        return False
    if place == "/dev/shm":  # the container's own, in memory
        return True
    around = [one for one in program.mounts if PurePosixPath(place).is_relative_to(one.path)]
    return bool(around) and max(around, key=lambda one: len(one.path)).writable


REPLACES = """
found = {}
for place in json.loads(sys.argv[1]):
    try:
        os.rename(place, place + "-gone")
        found[place] = "moved"
    except OSError as error:
        found[place] = error.errno
"""


def test_the_agent_cannot_move_what_is_mounted_for_others(held: Held) -> None:
    """A link in the place of one would be followed by the next container that starts."""
    mounted = [one.path for one in held.rendered.agent.mounts if one.path.startswith("/ipc/agent/")]
    assert set(held.python("agent", REPLACES, json.dumps(mounted)).values()) <= {16, 30}  # EBUSY, EROFS


def test_the_agent_has_no_token_and_no_secret_in_environment_files_or_processes(held: Held) -> None:
    token = held.python("rights", "found = open('/var/run/secrets/kubernetes.io/serviceaccount/token').read()")
    words = json.dumps([CANARY, token.rpartition(".")[2]])
    assert held.python("tickets", SEARCH, words)
    assert held.python("rights", SEARCH, words)
    for name in ("agent", "bridge", "model", "shell"):
        assert held.python(name, SEARCH, words) == [], name
    assert not held.python("agent", "found = os.path.exists('/var/run/secrets')")


def test_a_skill_with_rights_has_a_short_token_of_its_own_pod(held: Held) -> None:
    token = held.python("rights", "found = open('/var/run/secrets/kubernetes.io/serviceaccount/token').read()")
    body = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    assert claims["exp"] - claims["iat"] == 600
    assert claims["kubernetes.io"]["pod"]["uid"] == held.run.pod["metadata"]["uid"]
    assert held.python("rights", "found = sorted(os.listdir('/var/run/secrets/kubernetes.io/serviceaccount'))")[
        -3:
    ] == [
        "ca.crt",
        "namespace",
        "token",
    ]


LOCKED = """
status = dict(line.split(":\\t") for line in open("/proc/self/status").read().splitlines() if ":\\t" in line)
found = {name: status[name].strip() for name in ("Uid", "CapEff", "CapBnd", "NoNewPrivs", "Seccomp")}
"""


def test_every_container_is_nobody_in_particular(held: Held) -> None:
    for program in held.programs:
        found = held.python(program.name, LOCKED)
        assert set(found.pop("Uid").split()) == {"1000"}
        assert found == {"CapEff": "0" * 16, "CapBnd": "0" * 16, "NoNewPrivs": "1", "Seccomp": "2"}


FILES = """
found = {}
for root, folders, files in os.walk(sys.argv[1]):
    for name in [*folders, *files]:
        path = os.path.join(root, name)
        found[path] = "link" if os.path.islink(path) else "file" if os.path.isfile(path) else "directory"
"""


def test_run_and_packs_are_regular_files(held: Held) -> None:
    """Readers refuse links."""
    assert held.python("agent", FILES, "/ipc/run") == {"/ipc/run/run.json": "file"}
    assert held.python("shell", FILES, "/packs") == {
        "/packs/shell": "directory",
        "/packs/shell/pack.yaml": "file",
        "/packs/shell/SKILL.md": "file",
    }


KILL = """
import signal
found = []
for number in filter(str.isdigit, os.listdir("/proc")):
    try:
        name = open(f"/proc/{number}/cmdline").read()
        parent = int(open(f"/proc/{number}/stat").read().rpartition(")")[2].split()[1])
    except OSError:
        continue
    if parent == 1 and sys.argv[1] in name:
        os.kill(int(number), signal.SIGKILL)
        found.append(int(number))
"""


def kill(run: RunOnNode, victim: str) -> None:
    """A sidecar ends with its program, and with it whoever was about to say what was killed: its restart tells."""
    if victim == "agent":
        assert len(run.python(victim, KILL, "sympozium")) == 1
    else:
        with contextlib.suppress(Refused):
            run.python(victim, KILL, "sympozium")


@pytest.mark.parametrize("victim", ["agent", "bridge", "model"])
def test_a_run_whose_program_is_killed_goes_on(victim: str, node_cluster: NodeCluster, space: str) -> None:
    """The agent's first process starts the agent again, the kubelet a sidecar."""
    run = start(node_cluster, space, made(f"killed-{victim}", command(WAIT), {"say": "it ${r}"}))
    run.until_running()
    run.until("shell", "found = os.path.exists('/workspace/began')")
    kill(run, victim)
    run.python("shell", "open('/workspace/go', 'w').close()")
    code, told = run.ended()
    assert (code, told.output) == (0, "it went")
    assert run.states[victim]["restartCount"] == (0 if victim == "agent" else 1)
