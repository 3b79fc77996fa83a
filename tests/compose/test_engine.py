"""An engine that cannot be used is told in one sentence, with what to do, before anything is left anywhere."""

from __future__ import annotations

import json
import os
import socket
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from sympozium_cli.launch.engine import refused as refusal
from sympozium_protocol.exits import Reason
from tests.pod.play import SYMPOZIUM, Play, Run
from tests.support.containers import Containers

VERSION = {"Version": "27.0.0", "ApiVersion": "1.46", "MinAPIVersion": "1.24", "Os": "linux", "Arch": "amd64"}


class StandIn(BaseHTTPRequestHandler):
    """An engine that answers what it was told to, by the end of the path; all else it has never heard of."""

    answers: Mapping[str, Any] = {}
    asked: list[str]

    def do_GET(self) -> None:
        self.server.asked.append(f"{self.command} {self.path}")  # type: ignore[attr-defined]
        found = next((value for end, value in self.server.answers.items() if self.path.endswith(end)), None)  # type: ignore[attr-defined]
        body = found if isinstance(found, bytes) else json.dumps(found or {"message": "page not found"}).encode()
        self.send_response(200 if found is not None else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_DELETE = do_HEAD = do_GET

    def address_string(self) -> str:
        return "unix"

    def log_message(self, *_: object) -> None:
        """Tests read ``asked``."""


class Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True

    def __init__(self, path: Path, answers: Mapping[str, Any]) -> None:
        super().__init__(str(path), StandIn)
        self.answers = answers
        self.asked: list[str] = []


@contextmanager
def stand_in(path: Path, **answers: Any) -> Iterator[Server]:
    """``answers``: by the last part of the path."""
    with Server(path, answers) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()


@pytest.fixture
def anyones(tmp_path: Path) -> Play:
    """A run that needs no engine to be refused."""
    return Play(tmp_path, "compose")


def refused(play: Play, run: Run, reason: Reason, *said: str) -> None:
    """One sentence with these words, this exit code, and nothing on the disk."""
    assert run.code == reason, run.err
    assert 10 <= run.code < 20
    [line] = run.err.splitlines()
    assert line.startswith("error: ")
    assert [words for words in said if words not in line] == [], line
    assert "Traceback" not in run.err
    assert run.out == ""
    assert not play.directory.exists()


def played(play: Play, host: str, *options: str, **env: str) -> Run:
    script = str(play.script([{"say": "done"}]))
    return play.run("--script", script, *options, **{"DOCKER_HOST": host, **env})


def test_no_engine_at_all(anyones: Play) -> None:
    run = played(anyones, f"unix://{anyones.path}/nowhere.sock")
    refused(anyones, run, Reason.MissingReference, "nowhere.sock: no engine answers; start Docker", "DOCKER_HOST")


def test_a_socket_that_nobody_listens_on(anyones: Play) -> None:
    path = anyones.path / "dead.sock"
    with socket.socket(socket.AF_UNIX) as found:
        found.bind(str(path))
    run = played(anyones, f"unix://{path}")
    refused(anyones, run, Reason.MissingReference, "no engine answers; start Docker")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody who may not use the engine")
def test_an_engine_that_this_user_may_not_use(anyones: Play) -> None:
    """Who is not in its group: as another user, who sees the programs and the directory."""
    path = anyones.path / "closed.sock"
    code = (
        "import os, sys; os.setgroups([]); os.setgid(65534); os.setuid(65534);"
        "from sympozium_cli.launch.engine import Engine; from sympozium_protocol.exits import Ended\n"
        "try: Engine()\n"
        "except Ended as fault: print(fault.reason.name, fault.message)"
    )
    with stand_in(path, version=VERSION):
        path.chmod(0)
        for directory in (anyones.path, *anyones.path.parents[:3]):
            directory.chmod(directory.stat().st_mode | 0o011)
        env = anyones.env(DOCKER_HOST=f"unix://{path}", HOME="/")
        # imported before the user changes: a checkout may be readable for its owner alone
        code = "import docker, sympozium_cli.launch.engine;" + code
        done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("MissingReference")
    assert "you may not use this engine; join its group (docker)" in done.stdout


def test_something_that_answers_and_is_no_engine(anyones: Play) -> None:
    for number, answer in enumerate((b"<html>hello</html>", [], {"Version": 3}, {"ApiVersion": "new", "Arch": "x"})):
        path = anyones.path / f"{number}.sock"
        with stand_in(path, version=answer):
            refused(anyones, played(anyones, f"unix://{path}"), Reason.MissingReference, f"{number}.sock: ")


def test_an_engine_that_is_too_old(anyones: Play) -> None:
    path = anyones.path / "old.sock"
    with stand_in(path, version={**VERSION, "Version": "19.03.15", "ApiVersion": "1.40"}):
        run = played(anyones, f"unix://{path}")
    refused(anyones, run, Reason.MissingReference, "engine 19.03.15 is too old: Docker 20.10 or newer is needed")


@pytest.mark.parametrize("host", ["tcp://192.0.2.1:2375", "ssh://user@host.example"])
def test_an_engine_of_another_machine(host: str, anyones: Play) -> None:
    refused(anyones, played(anyones, host), Reason.Usage, host, "sympozium render compose")


def test_an_image_of_another_architecture(anyones: Play) -> None:
    path = anyones.path / "arm.sock"
    with stand_in(path, version=VERSION, json={"Architecture": "arm64"}) as server:
        run = played(anyones, f"unix://{path}")
    refused(anyones, run, Reason.MissingReference, "is of arm64", "amd64", "docker buildx bake")
    assert [line for line in server.asked if not line.startswith("GET ")] == []


def test_a_sandbox_that_the_engine_has_no_runtime_for(anyones: Play) -> None:
    path = anyones.path / "plain.sock"
    objects = anyones.path / "objects.yaml"
    sandboxed = {"template": "Permissive", "sandbox": {"enabled": True, "runtimeClass": "gvisor"}}
    found = [
        ("SympoziumPolicy", "boxed", sandboxed),
        ("SympoziumInstance", "a", {"provider": {"name": "scripted"}, "policy": "boxed"}),
    ]
    objects.write_text(
        "---\n".join(
            json.dumps({"apiVersion": "sympozium.ai/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec})
            + "\n"
            for kind, name, spec in found
        )
    )
    with stand_in(path, version=VERSION, info={"Runtimes": {"runc": {}}}, json={"Architecture": "amd64"}) as server:
        run = anyones.do(
            [*anyones.plain("x", "-f", str(objects)), "--dir", str(anyones.directory)], DOCKER_HOST=f"unix://{path}"
        )
    refused(anyones, run, Reason.PolicyUnsatisfiable, "demands a sandbox", "no runtime runsc")
    assert [line for line in server.asked if not line.startswith("GET ")] == []


def test_the_engines_library_is_not_installed(anyones: Play) -> None:
    hidden = anyones.path / "hidden"
    hidden.mkdir()
    (hidden / "docker.py").write_text("raise ImportError('No module named docker')\n")
    run = played(anyones, "unix:///nowhere", PYTHONPATH=str(hidden))
    refused(anyones, run, Reason.MissingReference, "pip install 'sympozium-cli[compose]'")


def test_images_that_are_not_built_are_all_named_with_how_to_build_them(play: Play, containers: Containers) -> None:
    run = play.run("--script", str(play.script([{"say": "done"}])), "--tag", "no-such-tag")
    names = [f"sympozium/{name}:no-such-tag" for name in ("agent", "ipc-bridge", "model", "skill-shell")]
    refused(play, run, Reason.MissingReference, *names, "are not there; `make images` (or docker buildx bake all)")
    assert containers.left() == []


def test_an_engine_that_is_lost_before_the_start_leaves_nothing_on_the_disk(anyones: Play) -> None:
    """It has all images and no containers to give."""
    path = anyones.path / "lost.sock"
    with stand_in(path, version=VERSION, json={"Architecture": "amd64"}):
        run = played(anyones, f"unix://{path}")
    assert run.code == Reason.EngineLost, run.err
    assert "Traceback" not in run.err
    assert not anyones.directory.exists()


def test_prune_without_an_engine_says_so(anyones: Play) -> None:
    done = anyones.do([str(SYMPOZIUM), "runs", "prune"], DOCKER_HOST=f"unix://{anyones.path}/nowhere.sock")
    assert done.code == Reason.MissingReference
    assert "no engine answers" in done.err


@pytest.mark.parametrize(
    ("explanation", "reason"),
    [
        ("mkdir /var/lib/docker/overlay2/x: no space left on device", Reason.DiskFull),
        ('Conflict. The container name "/sympozium-r-agent" is already in use by container "f00"', Reason.RunLocked),
        ("network with name sympozium-r-model already exists", Reason.RunLocked),
        ("could not find an available, non-overlapping IPv4 address pool among the defaults", Reason.EngineLost),
        ("OCI runtime create failed:\n  something else", Reason.EngineLost),
    ],
)
def test_what_an_engine_refuses_has_a_reason_of_its_own_in_one_line(explanation: str, reason: Reason) -> None:
    told = refusal(explanation)
    assert told.reason == reason
    assert " ".join(explanation.split()) in told.message
    assert "\n" not in told.message
