"""What the command decides about a bus without one: who is told of it, and in which words."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from sympozium_cli.bus.again import again, differences
from sympozium_cli.bus.named import Bus, bus_of
from sympozium_cli.bus.pod import on_bus, values
from sympozium_cli.packs import shipped
from sympozium_cli.podfile import On, Saved, load, save
from sympozium_cli.rundir import RunDirectory
from sympozium_controller.assemble import assemble
from sympozium_controller.documents import Objects
from sympozium_controller.flags import Flags
from sympozium_controller.outfit import outfit
from sympozium_controller.pod import Pod
from sympozium_controller.render.compose import Images, OnHost, render
from sympozium_controller.resolve import resolve
from sympozium_protocol.exits import Ended, Reason
from sympozium_protocol.messages.spec import RunSpec

NOW = "2026-01-02T03:04:05.000Z"
TOLD = {"SYMPOZIUM_BUS", "SYMPOZIUM_BUS_TOKEN_FILE", "SYMPOZIUM_BUS_CA_FILE"}


def made(**said: object) -> tuple[RunSpec, Pod]:
    flags = Flags(input="x", provider="scripted", **said)  # type: ignore[arg-type]
    spec = resolve(Objects(), shipped(), flags, run_id="r", now=NOW)
    return spec, assemble(spec, outfit(Objects(), shipped(), flags))


@pytest.fixture
def pod() -> Pod:
    return made(memory=True)[1]


@pytest.fixture
def bus(tmp_path: Path) -> Bus:
    token, authorities = tmp_path / "token", tmp_path / "ca.pem"
    token.write_text("sesame")
    authorities.write_text("-----BEGIN CERTIFICATE-----")
    return Bus("tls://bus.example:4222", str(token), str(authorities))


def test_as_processes_the_gate_alone_is_told_and_finds_the_files_where_they_are(pod: Pod, bus: Bus) -> None:
    found = on_bus(pod, bus, "processes")
    told = dict(found.bridge.env)
    assert told["SYMPOZIUM_BUS"] == bus.url
    assert told["SYMPOZIUM_BUS_TOKEN_FILE"] == bus.token
    assert values(bus, "processes") == {}
    for program in (found.agent, *found.participants):
        assert not TOLD & set(dict(program.env))


def test_in_containers_the_gate_alone_has_a_network_for_it_and_the_token_as_a_file(pod: Pod, bus: Bus) -> None:
    found = on_bus(pod, bus, "compose")
    told = dict(found.bridge.env)
    assert told["SYMPOZIUM_BUS_TOKEN_FILE"] == "/run/secrets/SYMPOZIUM_BUS_TOKEN"
    contents = {secret.variable: text for secret, text in values(bus, "compose").items()}
    assert contents == {"SYMPOZIUM_BUS_TOKEN": "sesame", "SYMPOZIUM_BUS_CA": "-----BEGIN CERTIFICATE-----"}
    where = OnHost(Path("/run/r"), Path("/memory"), Path("/secrets"), "1:1")
    project = render(found, where, Images("sympozium", "dev"))
    bridge = next(service for service in project.services if service.name == "bridge")
    assert bridge.network == "bridge"
    assert "/run/secrets" in {mount.target for mount in bridge.mounts}
    assert "sesame" not in repr(project)
    assert not any(service.network for service in project.services if service is not bridge)


def test_a_server_of_this_machine_has_another_name_in_a_container(pod: Pod) -> None:
    found = on_bus(pod, Bus("nats://127.0.0.1:4222"), "compose")
    assert dict(found.bridge.env)["SYMPOZIUM_BUS"] == "nats://host.docker.internal:4222"
    with pytest.raises(Ended, match="name a host that its certificate names"):
        on_bus(pod, Bus("tls://localhost:4222"), "compose")


def test_a_pod_without_a_bus_is_as_it_was(pod: Pod) -> None:
    assert on_bus(pod, None, "compose") == pod


def test_where_the_bus_is_survives_in_pod_json_and_no_token_does(pod: Pod, bus: Bus, tmp_path: Path) -> None:
    run = RunDirectory(tmp_path / "run")
    run.path.mkdir()
    data = save(Saved(pod, "default", (), "wait", On(), bus))
    (run.path / "pod.json").write_bytes(data)
    assert load(run).bus == bus
    assert b"sesame" not in data


def test_a_pod_json_of_before_there_was_a_bus_is_read(pod: Pod, tmp_path: Path) -> None:
    run = RunDirectory(tmp_path / "run")
    run.path.mkdir()
    (run.path / "pod.json").write_bytes(save(Saved(pod, "default", (), "ask")).replace(b',\n "bus": null', b""))
    assert load(run).bus is None


def test_the_words_for_others_name_no_file_of_mine(bus: Bus) -> None:
    assert bus.words.startswith(f"--bus {bus.url} --bus-token {bus.token}")
    assert "--bus-token TOKEN" in bus.words_for_others
    assert Bus("nats://x").words_for_others == "--bus nats://x"
    assert "KEY" not in Bus("nats://x", key="/my/KEY").words_for_others


def test_files_of_a_bus_without_one_are_a_mistake_unless_the_environment_names_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = tmp_path / "token"
    token.touch()
    with pytest.raises(Ended) as refused:
        bus_of("", str(token))
    assert refused.value.reason is Reason.Usage
    monkeypatch.setenv("SYMPOZIUM_BUS_TOKEN_FILE", str(token))
    assert bus_of("", str(token)) is None


def test_what_a_runspec_says_is_not_asked_for_again() -> None:
    spec, _ = made(memory=True, timeout="90s", max_usd=1.5, approve="none", elsewhere=("memory=m", "channels"))
    flags = again(spec, Flags(provider="scripted"))
    assert resolve(Objects(), shipped(), flags, run_id="r", now=NOW) == spec


def test_differences_name_the_fields() -> None:
    one = {"a": {"b": [1, {"c": 2}]}, "d": 1}
    assert list(differences(one, {"a": {"b": [1, {"c": 3}]}, "e": 1})) == ["a.b.1.c", "d", "e"]
    assert list(differences(one, one)) == []


def test_a_command_without_a_bus_imports_nothing_of_it() -> None:
    names = "sympozium_cli.starting, sympozium_cli.talking, sympozium_cli.view.logs, sympozium_cli.resuming"
    program = f"import sys, {names}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not {"nats", "sympozium_protocol.bus", "jwt"} & set(done.stdout.split())
