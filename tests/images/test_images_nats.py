"""The image of the bus's server: what is in it, and that it serves behind the walls as its configuration says."""

from __future__ import annotations

import asyncio
import io
import subprocess
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import nats
import pytest
from nats.errors import Error, MaxPayloadError
from nats.js.api import StreamConfig
from nats.js.errors import ServerError

from tests.images.engine import SERVER, docker, inspected, tag
from tests.support.ports import connects, lasting_port

pytestmark = pytest.mark.xdist_group("images")
WALLS = ("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")
ACCESS = """
authorization: { users: [ { user: "bridge", password: "secret", permissions: { publish: [">"], subscribe: [">"] } } ] }
"""


@pytest.fixture
def access(tmp_path: Path) -> Path:
    """A directory that says who may connect, readable by the server's user."""
    tmp_path.chmod(0o755)
    (tmp_path / "access.conf").write_text(ACCESS)
    return tmp_path


@pytest.fixture
def volume() -> Iterator[str]:
    name = docker("volume", "create").stdout.strip()
    yield name
    docker("volume", "rm", "--force", name)


@pytest.fixture
def port(access: Path, volume: str) -> Iterator[int]:
    """Of a server in a container, which may use no more than 4 MB of its volume."""
    port = lasting_port()
    container = docker(
        *("run", "--detach", "--publish", f"127.0.0.1:{port}:4222", *WALLS, "--env", "NATS_STORE=4MB"),
        *("--volume", f"{access}:/etc/nats/access:ro", "--volume", f"{volume}:/data", tag(SERVER)),
    ).stdout.strip()
    try:
        until_ready(container, port)
        yield port
        docker("stop", "--time", "20", container)
        assert docker("inspect", "--format", "{{.State.ExitCode}}", container).stdout.strip() == "0"
    finally:
        docker("rm", "--force", container)


def until_ready(container: str, port: int) -> None:
    ends = time.monotonic() + 60
    while "Server is ready" not in (said := docker("logs", container).stderr) or not connects(port):
        assert time.monotonic() < ends, said


def files() -> list[tarfile.TarInfo]:
    """All that a container of the image has, but what the engine puts there."""
    container = docker("create", tag(SERVER)).stdout.strip()
    try:
        done = subprocess.run(["docker", "export", container], capture_output=True, timeout=600, check=True)
    finally:
        docker("rm", container)
    engine = ("dev", "proc", "sys", ".dockerenv", "etc/hosts", "etc/hostname", "etc/resolv.conf", "etc/mtab")
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        return [one for one in archive if not one.name.startswith(engine)]


def test_the_server_and_the_first_process_are_the_only_programs_and_only_its_store_is_its_own() -> None:
    found = files()
    programs = {one.name for one in found if one.isreg() and one.mode & 0o111 and ".so" not in one.name}

    assert {name.rpartition("/")[2] for name in programs} == {"tini", "nats-server"}
    assert [one.name for one in found if one.uid == 1000] == ["data"]
    assert [one.name for one in found if one.uid not in {0, 1000} or one.gid not in {0, 1000}] == []
    assert [one.name for one in found if one.mode & 0o6002 and not one.issym()] == []
    assert len({one.mtime for one in found if one.isreg()}) == 1


def test_the_servers_image_says_what_it_is_and_runs_as_user_1000() -> None:
    config = inspected(SERVER)["Config"]

    assert config["Labels"]["org.opencontainers.image.title"] == SERVER
    assert config["User"] == "1000:1000"
    assert config["Entrypoint"] == ["tini", "--"]
    assert {line.split("=")[0] for line in config["Env"]} == {"PATH", "NATS_MEMORY", "NATS_STORE", "NATS_CONNECTIONS"}


def test_a_server_that_was_not_told_who_may_connect_does_not_start() -> None:
    done = docker("run", "--rm", "--network", "none", *WALLS, "--tmpfs", "/data:uid=1000", tag(SERVER), check=False)

    assert done.returncode == 1
    assert "access/access.conf: no such file" in done.stderr


def test_a_server_in_a_container_stores_up_to_its_limit_and_lets_in_whom_it_was_told_of(port: int) -> None:
    async def use() -> int:
        with pytest.raises(Error, match="Authorization Violation"):
            await nats.connect(f"nats://127.0.0.1:{port}", allow_reconnect=False)
        client = await nats.connect(f"nats://bridge:secret@127.0.0.1:{port}")
        try:
            js = client.jetstream()
            with pytest.raises(ServerError, match="insufficient storage"):
                await js.add_stream(StreamConfig(name="large", subjects=["large"], max_bytes=5 << 20))
            await js.add_stream(StreamConfig(name="runs", subjects=["runs.>"], max_bytes=3 << 20))
            with pytest.raises(MaxPayloadError):
                await js.publish("runs.a", b"x" * ((1 << 20) + 1))
            return (await js.publish("runs.a", b"x" * ((1 << 20) - 1024))).seq
        finally:
            await client.close()

    assert asyncio.run(use()) == 1
