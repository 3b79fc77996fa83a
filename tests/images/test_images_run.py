"""Each image as a container behind all walls: read-only, without capabilities, without a network."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
import sympozium_packs

from sympozium_bus_auth.keys import make as make_keys
from sympozium_protocol.exits import Reason
from sympozium_protocol.messages import ModelSpec, ParticipantSpec
from tests.images.engine import IMAGES, PACKS, ROOT, contents, docker, idle, program, run, tag
from tests.support.ipc import PATIENCE, make_ipc, run_spec

pytestmark = pytest.mark.xdist_group("images")
every_image = pytest.mark.parametrize("image", IMAGES)

VERSION = {"kubectl": ["version", "--client"], "helm": ["version", "--short"], "sh": ["-c", "echo sh"]}
WEB = "web-endpoint"
KEEPER = "bus-auth"
CONTROLLER = "controller"
NOWHERE = {
    "apiVersion": "v1",
    "kind": "Config",
    "current-context": "x",
    "clusters": [{"name": "x", "cluster": {"server": "https://127.0.0.1:9"}}],
    "users": [{"name": "x", "user": {"token": "none"}}],
    "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
}
"""A kubeconfig of a cluster that does not answer: its controller waits."""
SERVED = ROOT / "examples" / "10-served-in-a-container"
ZOMBIES = """
import os, pathlib
for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
    try: print(stat.read_text().rsplit(")")[-1].split()[0], end="")
    except OSError: pass
"""
MASKS = """
import pathlib
for file in pathlib.Path("/proc").glob("[0-9]*/status"):
    try: status = dict(line.split(":", 1) for line in file.read_text().splitlines())
    except OSError: continue
    print(status["Name"].strip(), status["SigCgt"].strip())
"""
ORPHANS = """
import os
for _ in range(5):
    if os.fork() == 0:
        if os.fork() == 0: os._exit(0)
        os._exit(0)
    os.wait()
"""

ANY = tuple("abcdefghijklmnopqrstuvwxyz")  # whatever it offers


@every_image
def test_its_program_starts_as_user_1000_without_a_capability(image: str) -> None:
    assert "usage: sympozium" in run(image, "program", "--help")
    assert set(contents(image)["ids"]) == {1000}
    assert contents(image)["capabilities"] == 0


@pytest.mark.parametrize("image", PACKS)
def test_what_a_pack_calls_is_there_and_answers(image: str) -> None:
    sidecar = PACKS[image]["sidecar"]
    for name in {"sh", *sidecar.get("commands", []), *(tool["argv"][0] for tool in sidecar.get("tools", []))}:
        assert run(image, name, *VERSION.get(name, ["--version"]), options=("--tmpfs", "/tmp")).strip(), name


def test_git_commits_and_speaks_http() -> None:
    script = (
        "cd /tmp && git init --quiet r && cd r"
        " && git -c user.name=n -c user.email=e commit --quiet --allow-empty -m one"
        " && git log --format=%s && git push http://127.0.0.1:9/r HEAD"
    )

    said = run("skill-github-gitops", "-c", script, entrypoint="sh", options=("--tmpfs", "/tmp"), check=False)

    assert said.startswith("one\n")
    assert "Failed to connect to 127.0.0.1 port 9" in said
    assert "warning" not in said


@pytest.fixture
def ipc(tmp_path: Path) -> Path:
    """The directory of a run that nobody drives: its programs wait."""
    model = ModelSpec(provider="scripted", model="none", script={"steps": [{"say": "done"}]})
    make_ipc(tmp_path, run_spec(participants=(ParticipantSpec(name="subject", prefixes=ANY),), model=model))
    for path in [tmp_path, *tmp_path.rglob("*")]:
        path.chmod(0o777 if path.is_dir() else 0o644)
    return tmp_path


def waiting(image: str, ipc: Path) -> tuple[str, ...]:
    """Options with which a program goes on until it is stopped: one of that run, or the server of an example."""
    if image == WEB:
        return ("--volume", f"{SERVED}:/agent:ro", "--env", "SYMPOZIUM_WEB_TOKEN=none-but-ours", "--env", "HOME=/tmp")
    if image == KEEPER:
        keys = ipc.with_name("keys")
        make_keys(keys)
        for path in (keys, *keys.iterdir()):
            path.chmod(0o755 if path.is_dir() else 0o644)
        return ("--volume", f"{keys}:/keys:ro", "--env", "SYMPOZIUM_BUS=nats://127.0.0.1:9")
    if image == CONTROLLER:
        kubeconfig = ipc.with_name("kubeconfig")
        kubeconfig.write_text(json.dumps(NOWHERE))
        kubeconfig.chmod(0o644)
        return ("--volume", f"{kubeconfig}:/kubeconfig:ro", "--env", "KUBECONFIG=/kubeconfig")
    pack = PACKS.get(image, {}).get("name", "shell")
    packs = Path(sympozium_packs.__file__).parent
    return (
        *("--volume", f"{ipc}:/ipc", "--volume", f"{packs / pack}:/packs/{pack}:ro"),
        *("--tmpfs", "/workspace:uid=1000", "--tmpfs", "/memory:uid=1000"),
        *("--env", "SYMPOZIUM_PARTICIPANT=subject", "--env", f"SYMPOZIUM_PACK=/packs/{pack}"),
    )


def command(image: str) -> tuple[str, ...]:
    """What such a container is told to run, if not just the image's program."""
    told = {WEB: ("program", "--file", "/agent/agent.yaml"), KEEPER: ("program", "serve", "--keys", "/keys")}
    return told.get(image, ())


def until_ready(container: str) -> None:
    """Wait until the program has set its handler for SIGTERM, the fourteenth bit of what it catches."""
    ends = time.monotonic() + PATIENCE
    while True:
        found = docker("exec", container, "python3", "-c", MASKS, check=False).stdout.splitlines()
        if any(name == "program" and int(mask, 16) >> 14 & 1 for name, mask in map(str.split, found)):
            return
        assert time.monotonic() < ends, docker("logs", container).stderr


@every_image
def test_a_container_that_is_stopped_ends_by_itself(image: str, ipc: Path) -> None:
    with idle(image, *command(image), options=waiting(image, ipc)) as container:
        until_ready(container)
        docker("stop", "--time", "20", container)
        code = int(docker("inspect", "--format", "{{.State.ExitCode}}", container).stdout)

    assert code == (0 if image in (WEB, CONTROLLER) else Reason.Suspended)


@every_image
def test_its_first_process_reaps_what_others_leave_behind(image: str, ipc: Path) -> None:
    with idle(image, *command(image), options=waiting(image, ipc)) as container:
        docker("exec", container, "python3", "-c", ORPHANS)
        ends = time.monotonic() + PATIENCE
        while "Z" in (states := docker("exec", container, "python3", "-c", ZOMBIES).stdout):
            assert time.monotonic() < ends, states


@every_image
def test_its_command_is_its_program(image: str) -> None:
    config = docker("image", "inspect", "--format", "{{.Config.Entrypoint}} {{.Config.Cmd}}", tag(image)).stdout.strip()

    assert config == ("[] [program]" if image == "agent" else "[tini --] [program]")
    link = run(image, "-c", "import os; print(os.readlink('/usr/local/bin/program'))", entrypoint="python3")
    assert link.strip() == program(image)["command"]
