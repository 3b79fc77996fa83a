"""The command on a bus that lets nobody in without a token: the run has its own, and people have theirs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sympozium_bus_auth.keys import TOKEN_KEY
from sympozium_protocol.bus.tokens import Identity, LauncherIdentity, PersonIdentity
from sympozium_protocol.exits import Reason
from tests.support.bus_auth import GuardedBus, guarded_bus
from tests.support.bus_command import Machine

ANSWER = "answer with: sympozium approve"


@pytest.fixture(scope="module")
def guarded(nats_binary: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GuardedBus]:
    with guarded_bus(tmp_path_factory.mktemp("bus")) as bus:
        yield bus


@pytest.fixture
def key(guarded: GuardedBus) -> tuple[str, str]:
    return ("--bus-key", str(guarded.folder / "keys" / TOKEN_KEY))


@pytest.fixture
def here(tmp_path: Path, guarded: GuardedBus) -> Iterator[Machine]:
    machine = Machine(tmp_path, ("--bus", guarded.server.url))
    yield machine
    machine.end()


@pytest.fixture
def token(guarded: GuardedBus, tmp_path: Path) -> Callable[[Identity], tuple[str, str]]:
    """The option with somebody's token."""

    def make(identity: Identity) -> tuple[str, str]:
        path = tmp_path / f"{identity.role}-token"
        path.write_text(guarded.token(identity))
        return ("--bus-token", str(path))

    return make


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    return f"r-{abs(hash(request.node.nodeid)) % 10**12}"


def alice(*verbs: str) -> PersonIdentity:
    return PersonIdentity(name="alice@example.com", namespaces=("default",), verbs=verbs)  # type: ignore[arg-type]


def test_a_run_gets_a_token_of_its_own_and_a_person_answers_under_the_name_of_hers(
    here: Machine, key: tuple[str, str], token: Callable[[Identity], tuple[str, str]], name: str
) -> None:
    run = here.run(name, *key)
    run.says(f"{ANSWER} {name} 4-1 --bus {here.bus[1]} --bus-token TOKEN")
    own = here.directory(name) / "bus-token"
    assert own.stat().st_mode & 0o777 == 0o600
    hers = token(alice("answer", "get"))
    follower = here.start("logs", "-f", name, *here.bus, *hers)
    follower.says(f"sympozium approve {name} 4-1 --bus {here.bus[1]} --bus-token {hers[1]}")
    assert here.on_bus("approve", name, "4-1", *hers).returncode == 0
    assert run.ends() == 0
    assert "4-1 allowed by alice@example.com" in run.text
    assert follower.ends() == 0
    assert "Succeeded Completed" in follower.text


def test_who_may_only_read_cannot_answer(
    here: Machine, key: tuple[str, str], token: Callable[[Identity], tuple[str, str]], name: str
) -> None:
    run = here.run(name, *key)
    run.says(ANSWER)
    done = here.on_bus("approve", name, "4-1", *token(alice("get")))
    assert done.returncode == Reason.BusRefused
    assert done.stderr == "error: the token does not allow this for this run\n"
    assert here.on_bus("cancel", name, *token(alice("cancel", "get"))).returncode == 0
    assert run.ends() == Reason.Cancelled


def test_a_person_reads_no_run_that_the_token_does_not_name(
    here: Machine, key: tuple[str, str], token: Callable[[Identity], tuple[str, str]], name: str
) -> None:
    run = here.run(name, *key)
    run.says(ANSWER)
    others = PersonIdentity(name="bob", namespaces=("elsewhere",), verbs=("get", "answer"))
    done = here.on_bus("runs", "show", name, *token(others))
    assert done.returncode == Reason.BusRefused
    assert done.stderr.startswith("error: ")
    assert len(done.stderr.splitlines()) == 1


def test_a_run_is_resumed_with_the_key_alone(here: Machine, key: tuple[str, str], name: str) -> None:
    run = here.run(name, *key)
    run.says(ANSWER)
    run.kill()
    (here.directory(name) / "bus-token").unlink()
    again = here.start("resume", name)
    again.says(ANSWER)
    assert here("deny", name, "4-1").returncode == 0
    assert again.ends() == 0


def test_what_the_bus_does_not_let_in_is_refused_before_anything_started(
    here: Machine, token: Callable[[Identity], tuple[str, str]], name: str
) -> None:
    nobody = here.run(name)
    assert nobody.ends() == Reason.BusRefused
    launcher = here.run(name, *token(LauncherIdentity(name="ci", namespaces=("default",))))
    assert launcher.ends() == Reason.BusRefused
    assert "is the token of a launcher; give --bus-key FILE too" in launcher.text
    assert not here.directory(name).exists()
