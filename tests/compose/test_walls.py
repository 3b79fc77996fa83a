"""The walls hold: whoever has taken over the agent's or a skill's container stays in it, and gets nothing there.

The attacker is a Python that the engine starts in the real container of a real run, as its user and with its bounds.
What it tries is tried in the place where it must succeed, too, so that a wall and a typing error look different.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from sympozium_protocol import layout
from tests.pod.play import Play
from tests.support.containers import Containers, containers_of
from tests.support.engine import POD, need_images
from tests.support.provider_server import ProviderServer, provider_server
from tests.support.scratch import soon
from tests.support.walled import KEY, PROGRAMS, TOKEN, WAIT, documents, words


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
