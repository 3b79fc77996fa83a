"""The walls hold: whoever has taken over the agent's or a skill's container stays in it, and gets nothing there.

The attacker is a Python that the engine starts in the real container of a real run, as its user and with its bounds.
What it tries is tried in the place where it must succeed, too, so that a wall and a typing error look different.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from sympozium_cli.launch.containers import MAX_LOG
from sympozium_protocol import layout
from sympozium_protocol.exits import Reason
from tests.pod.play import Play, Run
from tests.support.containers import Containers, containers_of
from tests.support.engine import POD, need_images
from tests.support.provider_server import ProviderServer, provider_server
from tests.support.scratch import soon

KEY = "canary-of-a-key"
TOKEN = "canary-of-a-token"
WAIT = "touch began; until [ -e go ]; do sleep 0.01; done; echo went"
PROGRAMS = ("agent", "bridge", "model", "shell", "tickets")
POLICY: dict[str, object] = {
    "apiVersion": "sympozium.ai/v1alpha1",
    "kind": "SympoziumPolicy",
    "metadata": {"name": "offline"},
    "spec": {"template": "Permissive", "deniedTools": ["fetch_url"]},
}


def documents(path: Path, provider: dict[str, object], **instance: object) -> Path:
    """An agent without fetch_url, the skill shell, and the skill tickets, which has a secret."""
    made = {"apiVersion": "sympozium.ai/v1alpha1"}
    sidecar = {
        "image": "skill-shell",
        "commands": ["printenv", "awk"],
        "secretRef": "tickets",
        "resources": {"limits": {"memory": "128Mi"}},
    }
    objects: list[dict[str, object]] = [
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "tickets"}, "stringData": {"TICKET_TOKEN": TOKEN}},
        {
            **made,
            "kind": "SkillPack",
            "metadata": {"name": "tickets"},
            "spec": {"category": "Test", "description": "x", "instructions": "x", "sidecar": sidecar},
        },
        POLICY,
        {
            **made,
            "kind": "SympoziumInstance",
            "metadata": {"name": "a"},
            "spec": {
                "provider": provider,
                "skills": [{"skillPackRef": "shell"}, {"skillPackRef": "tickets"}],
                "policy": "offline",
                **instance,
            },
        },
    ]
    file = path / "objects.yaml"
    file.write_text("---\n".join(json.dumps(one) + "\n" for one in objects))
    return file


def words(play: Play, objects: Path, *options: str) -> list[str]:
    more = ["--approve", "all", "--dir", str(play.directory), *options]
    return play.plain("x", "-f", str(objects), *more)


def scripted(*steps: dict[str, object]) -> dict[str, object]:
    return {"name": "scripted", "options": {"script": {"steps": list(steps)}}}


def run_command(line: str, save: str = "r", **more: object) -> dict[str, object]:
    return {"tool": "execute_command", "arguments": {"command": line, **more}, "save": save}


@dataclass
class Attacked:
    """A run that waits in a command, and its containers."""

    play: Play
    containers: Containers
    server: ProviderServer

    def python(self, program: str, code: str, *more: str) -> object:
        return self.containers.python(program, code, *more)


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attacked]:
    """One run for all that only looks: a real provider's gateway with a key, a skill with a token."""
    need_images(*POD)
    play = Play(tmp_path_factory.mktemp("held"), "compose")
    call = ("execute_command", json.dumps({"command": WAIT}))
    with provider_server({"calls": [call]}, {"text": "done"}, host=play.listen) as server:
        provider = {"name": "openai", "model": "m", "baseURL": f"http://{play.here}:{server.port}/v1"}
        launcher = play.start(words(play, documents(play.path, provider)), OPENAI_API_KEY=KEY)
        try:
            soon((play.workspace / "began").exists, "the command starts")
            with containers_of(play.directory) as containers:
                yield Attacked(play, containers, server)
        finally:
            (play.workspace / "go").touch()
            assert launcher.wait(60) == 0


CONNECT = """
import socket
found = {}
for host, port in (("1.1.1.1", 53), (sys.argv[1], int(sys.argv[2])), ("host.docker.internal", int(sys.argv[2]))):
    try:
        socket.create_connection((host, port), 2).close()
        found[host] = "connected"
    except OSError as error:
        found[host] = type(error).__name__
found = [found, [line.split(":")[0].strip() for line in open("/proc/net/dev").readlines()[2:]]]
"""


@pytest.mark.parametrize("program", ["agent", "bridge", "shell", "tickets"])
def test_a_program_that_declares_no_egress_has_no_network(program: str, held: Attacked) -> None:
    gateway = held.containers.client.networks.get("bridge").attrs["IPAM"]["Config"][0]["Gateway"]
    where = (gateway, str(held.server.port))
    reached, interfaces = held.containers.python(program, CONNECT, *where)
    assert "connected" not in reached.values(), reached
    assert interfaces == ["lo"]
    reached, _ = held.containers.python("model", CONNECT, *where)
    assert reached["host.docker.internal"] == "connected"


SEARCH = """
canaries, found = [word.encode() for word in sys.argv[1:]], {}
def look(path):
    try:
        with open(path, "rb") as file:
            data = file.read(1 << 26)
    except OSError:
        return
    for canary in canaries:
        if canary in data:
            found.setdefault(canary.decode(), []).append(path)
own = f"/proc/{os.getpid()}/"
for top in ("/", *(f"/proc/{pid}/root" for pid in os.listdir("/proc") if pid.isdecimal())):
    for directory, directories, files in os.walk(top):
        if directory == "/":
            directories[:] = [name for name in directories if name not in ("proc", "sys", "dev")]
        elif directory.endswith("/root") and directory.startswith("/proc/"):
            directories[:] = []
        for name in files:
            path = os.path.join(directory, name)
            if os.path.isfile(path):
                look(path)
for pid in filter(str.isdecimal, os.listdir("/proc")):
    if pid != str(os.getpid()):
        for name in ("environ", "cmdline"):
            look(f"/proc/{pid}/{name}")
for name, value in os.environ.items():
    for canary in canaries:
        if canary.decode() in value:
            found.setdefault(canary.decode(), []).append(name)
found = {name: sorted(set(paths)) for name, paths in found.items()}
"""


def test_a_key_is_in_the_gateway_and_a_token_in_its_skill_and_nowhere_else(held: Attacked) -> None:
    found = {program: held.python(program, SEARCH, KEY, TOKEN) for program in PROGRAMS}
    assert [found[program] for program in ("agent", "bridge", "shell")] == [{}, {}, {}]
    assert found["model"] == {KEY: ["/run/secrets/OPENAI_API_KEY"]}
    assert found["tickets"] == {TOKEN: ["/run/secrets/TICKET_TOKEN"]}
    listed = json.dumps([one.attrs for one in held.containers.all()])
    assert KEY not in listed
    assert TOKEN not in listed


WRITABLE = """
found = []
for directory, _, _ in os.walk("/"):
    if directory.split("/")[1] in ("proc", "sys", "dev", "tmp"):
        continue
    probe = os.path.join(directory, ".probe")
    try:
        os.close(os.open(probe, os.O_CREAT | os.O_EXCL, 0o600))
        os.unlink(probe)
        found.append(directory)
    except OSError:
        pass
"""


def written(program: str) -> set[str]:
    """The places of /ipc that this program writes."""
    if program == "agent":
        places = {("agent",), *layout.agent_places(("model", "shell", "tickets"))}
    elif program == "bridge":
        names = ("model", "shell", "tickets")
        both = {("bridge", "verdicts"), ("bridge", "questions")}
        places = {("bridge",), *both, *layout.bridge_places(names)}
    else:
        places = {(program,), *layout.participant_places(program)}
    return {"/".join(("/ipc", *place)) for place in places}


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_can_write_its_own_places_and_nothing_else(program: str, held: Attacked) -> None:
    content = {"/workspace"} if program in ("agent", "shell", "tickets") else set()
    assert set(held.containers.python(program, WRITABLE)) == written(program) | content


FORGE = """
found = {}
def attempt(name, action, *arguments):
    try:
        action(*arguments)
        found[name] = "done"
    except OSError as error:
        found[name] = errno.errorcode[error.errno]
import ctypes, errno
libc = ctypes.CDLL(None, use_errno=True)
def system(name, *arguments):
    def call():
        if getattr(libc, name)(*arguments) != 0:
            raise OSError(ctypes.get_errno(), name)
    return call
verdict = "/ipc/bridge/verdicts/shell"
attempt("new verdict", lambda: open(f"{verdict}/99-1.json", "x"))
attempt("new reply", lambda: open("/ipc/shell/replies/99-1.json", "x"))
attempt("new question", lambda: open("/ipc/bridge/questions/shell/99-1.json", "x"))
attempt("an answer of the person", lambda: open("/ipc/console/1.json", "x"))
attempt("the run", lambda: open("/ipc/run/run.json", "r+"))
attempt("move", os.rename, "/ipc/agent/calls", "/ipc/agent/moved")
attempt("link in", os.link, "/ipc/run/run.json", "/ipc/agent/run.json")
attempt("other root", lambda: open(f"/proc/1/root{verdict}/99-1.json", "x"))
attempt("remount", system("mount", b"none", b"/ipc/bridge", None, 0x1020, None))
attempt("unmount", system("umount2", b"/ipc/bridge", 2))
attempt("new namespaces", system("unshare", 0x10000000 | 0x20000))
attempt("device", os.mknod, "/ipc/agent/disk", 0o60600, 0x800)
attempt("become root", os.setuid, 0)
attempt("hand over", os.chown, "/ipc/agent/alive", 0, 0)
"""


def test_the_agent_can_forge_no_verdict_reply_or_answer_by_any_way(held: Attacked) -> None:
    found = held.containers.python("agent", FORGE)
    assert {name: why for name, why in found.items() if why == "done"} == {}
    assert {found[name] for name in ("new verdict", "new reply", "new question", "the run", "other root")} == {"EROFS"}
    assert found["an answer of the person"] in ("EROFS", "ENOENT")
    assert found["move"] == "EBUSY"


def test_a_skill_sees_its_own_calls_and_nobody_elses(held: Attacked) -> None:
    see = 'found = sorted(os.path.join(d, n) for d, ns, _ in os.walk("/ipc") for n in ns)'
    found = held.containers.python("tickets", see)
    assert {path for path in found if "shell" in path or "model" in path} == set()
    assert "/ipc/agent/calls/tickets" in found
    assert held.containers.python("tickets", 'found = os.path.exists("/ipc/agent/transcript")') is False


PRIVILEGES = """
status = dict(line.rstrip("\\n").split(":\\t", 1) for line in open("/proc/self/status"))
setuid = [
    os.path.join(directory, name)
    for directory, directories, files in os.walk("/")
    if directory.split("/")[1] not in ("proc", "sys", "dev")
    for name in files
    if os.lstat(os.path.join(directory, name)).st_mode & 0o6000
]
capabilities = [int(status[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")]
found = [status["NoNewPrivs"], capabilities, status["Seccomp"], os.getuid() != 0, setuid]
"""


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_has_no_privilege_and_can_gain_none(program: str, held: Attacked) -> None:
    assert held.python(program, PRIVILEGES) == ["1", [0, 0, 0, 0, 0], "2", True, []]


NEIGHBOURS = """
found = []
for pid in filter(str.isdecimal, os.listdir("/proc")):
    words = open(f"/proc/{pid}/cmdline", "rb").read().split(b"\\0")
    found += [word.decode() for word in words if word.rpartition(b"/")[2].startswith(b"sympozium-")]
found = sorted({word.rpartition("/")[2] for word in found})
"""


@pytest.mark.parametrize(
    ("program", "sees"),
    [
        ("agent", ["sympozium-agent"]),
        ("bridge", ["sympozium-bridge"]),
        ("model", ["sympozium-model"]),
        ("shell", ["sympozium-skill"]),
    ],
)
def test_a_program_sees_no_processes_of_its_neighbours(program: str, sees: list[str], held: Attacked) -> None:
    assert held.python(program, NEIGHBOURS) == sees


def ended(play: Play, launcher: subprocess.Popen[bytes]) -> Run:
    return Run(play.directory, launcher.wait(90), "", "")


DISTURB = """
own, peer = sys.argv[1], "/ipc/run/run.json"
places = [directory for directory, _, _ in os.walk(own) if os.access(directory, os.W_OK)]
for number, place in enumerate(places):
    for name in ("90-1.json", "91-1", "900.json"):
        try:
            os.mkfifo(os.path.join(place, name))
        except FileExistsError:
            pass
    for name, target in (("92-1.json", "/dev/zero"), ("93-1.json", peer), ("94-1.json", "94-1.json")):
        os.symlink(target, os.path.join(place, name))
    os.mkdir(os.path.join(place, "95-1.json"))
    for count in range(100):
        with open(os.path.join(place, f"{1000 + count}-1.json"), "x") as file:
            file.write("[" * 1000)
found = len(places)
"""


@pytest.mark.parametrize("program", ["agent", "shell"])
def test_pipes_links_and_floods_in_ones_own_places_block_nobody(
    program: str, play: Play, containers: Containers
) -> None:
    steps = ({"call": [run_command(WAIT)]}, {"call": [run_command("awk 'BEGIN { print 2 }'")]}, {"say": "said ${r}"})
    launcher = play.start(words(play, documents(play.path, scripted(*steps)), "--timeout", "60s"))
    soon((play.workspace / "began").exists, "the command starts")
    assert containers.python(program, DISTURB, f"/ipc/{program}") > 2
    lives = {name: containers.starts(name) for name in PROGRAMS}
    alive = [play.place((name,)) / "alive" for name in PROGRAMS]
    then = time.time_ns()
    for file in alive:
        soon(lambda file=file: file.stat().st_mtime_ns > then, f"{file} shows that it is alive")
    assert {name: containers.starts(name) for name in PROGRAMS} == lives
    (play.workspace / "go").touch()
    run = ended(play, launcher)
    assert (run.code, run.result["output"]) == (0, "said 2")


def test_what_the_agent_put_in_the_place_of_its_directories_moves_no_mount(play: Play, containers: Containers) -> None:
    """The gate and a skill start again after the agent has replaced what it can by links; each finds its own."""
    second = {"call": [run_command(WAIT.replace("touch", "touch again"), "b")]}
    objects = documents(play.path, scripted({"call": [run_command(WAIT)]}, second, {"say": "${r.outcome} ${b}"}))
    launcher = play.start(words(play, objects))
    soon((play.workspace / "began").exists, "the command starts")
    replace = """
found = []
for directory, names, _ in os.walk("/ipc/agent", topdown=False):
    for name in names:
        path = os.path.join(directory, name)
        try:
            os.rename(path, f"{path}-moved")
            os.symlink("/ipc/bridge", path)
            found.append(path)
        except OSError:
            pass
"""
    assert containers.python("agent", replace) == []
    before = {name: mounted(containers, name) for name in ("shell", "bridge", "agent")}
    for name in ("bridge", "shell"):
        life = containers.starts(name)
        containers.of(name).kill()
        soon(lambda name=name, life=life: containers.starts(name) not in ("", life), f"{name} starts again")
    assert {name: mounted(containers, name) for name in before} == before
    (play.workspace / "go").touch()
    run = ended(play, launcher)
    assert (run.code, [answer.outcome for answer in run.answers]) == (0, ["interrupted", "ok"])


def mounted(containers: Containers, program: str) -> list[list[str]]:
    """What is mounted where: (source, target)."""
    look = """
found = sorted(line.split()[3:5] for line in open("/proc/self/mountinfo") if " /ipc" in line or " /workspace" in line)
"""
    return containers.python(program, look)  # type: ignore[no-any-return]


def test_a_command_that_asks_for_too_much_memory_or_too_many_processes_fails_and_the_run_goes_on(play: Play) -> None:
    eat = "awk 'BEGIN { s = \"x\"; while (1) s = s s }'"
    bomb = "bomb() { bomb | bomb & }; bomb; sleep 60"
    steps = (
        {"call": [run_command(eat, "a")]},
        {"call": [run_command(bomb, "b", timeout=2)]},
        {"call": [run_command("echo still", "c")]},
        {"say": "${c}"},
    )
    run = play.do(words(play, documents(play.path, scripted(*steps))))
    assert run.code == 0, run.err
    first, second, third = [answer.outcome for answer in run.answers]
    assert first in ("error", "interrupted")
    assert second in ("error", "timeout", "interrupted")
    assert third == "ok"


def with_agent(play: Play, code: str, **instance: object) -> Run:
    """A run whose agent is this Python from now on: its document is changed while it is suspended."""
    objects = documents(play.path, scripted({"call": [run_command(WAIT)]}, {"say": "x"}), **instance)
    launcher = play.start(words(play, objects))
    soon((play.workspace / "began").exists, "the command starts")
    launcher.terminate()
    assert launcher.wait(60) == Reason.Suspended
    saved = play.directory / "pod.json"
    value = json.loads(saved.read_text())
    value["pod"]["agent"]["command"] = ["python3", "-c", code]
    saved.write_text(json.dumps(value))
    return play.resume()


HOG = """
import os
held = []
while True:
    held.append(os.urandom(1 << 20))
"""


def test_an_agent_that_asks_for_more_than_its_memory_is_ended_and_the_run_says_so(play: Play) -> None:
    run = with_agent(play, HOG, resources={"limits": {"memory": "64Mi"}})
    assert (run.code, "64 MiB" in run.err) == (Reason.OutOfMemory, True), run.err


LINKS = """
import os
for place, name in (("", "result.json"), ("transcript", "9.json"), ("calls/shell", "8-1.json"), ("blobs", "0" * 64)):
    os.symlink(TARGET, os.path.join("/ipc/agent", place, name))
raise SystemExit(0)
"""


def test_links_to_files_of_this_machine_are_not_followed_by_who_reads_them_there(play: Play) -> None:
    """The gate and the launcher read what the agent left; on this machine a link means another file."""
    secret = play.path / "secret"
    secret.write_text('{"kind": "RunResult", "output": "canary-of-this-machine"}')
    run = with_agent(play, LINKS.replace("TARGET", repr(str(secret))))
    assert run.code == Reason.ResultUnreadable, run.err
    assert "canary" not in run.out + run.err
    volumes = play.directory / "volumes"
    copied = [file for file in volumes.rglob("*") if file.is_file() and not file.is_symlink()]
    assert [file for file in copied if b"canary-of-this-machine" in file.read_bytes()] == []


SAY = """
with open("/proc/1/fd/2", "wb", buffering=0) as file:
    for _ in range(24 << 4):
        file.write(b"x" * (1 << 16))
found = "said"
"""


def test_a_program_that_says_too_much_fills_no_disk_and_blocks_nobody(play: Play, containers: Containers) -> None:
    objects = documents(play.path, scripted({"call": [run_command(WAIT)]}, {"say": "said ${r}"}))
    launcher = play.start(words(play, objects))
    soon((play.workspace / "began").exists, "the command starts")
    assert containers.python("agent", SAY) == "said"
    (play.workspace / "go").touch()
    run = ended(play, launcher)
    assert (run.code, run.result["output"]) == (0, "said went")
    assert (play.directory / "logs/agent.log").stat().st_size == MAX_LOG
