"""The keeper's parts: the table of permissions, keys, NATS's JWTs, the configuration, the command line."""

from __future__ import annotations

import base64
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from sympozium_bus_auth import jwts, nkeys
from sympozium_bus_auth.configuration import PublicKeys, configuration
from sympozium_bus_auth.jwts import BadJwt
from sympozium_bus_auth.keys import Keys, make
from sympozium_bus_auth.nkeys import BadKey, KeyPair
from sympozium_bus_auth.permissions import BadName, Permissions, permissions
from sympozium_protocol.bus import subjects
from sympozium_protocol.bus.subjects import RunKey, reader_name
from sympozium_protocol.bus.tokens import (
    BadClaims,
    ControllerIdentity,
    Identity,
    LauncherIdentity,
    PersonIdentity,
    RunIdentity,
    ServiceIdentity,
    claims,
    identity_of,
)
from sympozium_protocol.exits import Ended, Reason

NONCE = "0123456789abcdef"
PROGRAM = Path(sys.executable).with_name("sympozium-bus-auth")
RUN = RunIdentity(namespace="default", run="a")
ADA = PersonIdentity(name="Ada", namespaces=("default",), runs=("a",), verbs=("answer", "get"))
MEMORY = ServiceIdentity(service="memory", participant="notes", namespaces=("default",))
LAUNCHER = LauncherIdentity(name="laptop", namespaces=("default",))
ids = st.from_regex(r"[a-z0-9][a-z0-9-]{0,8}", fullmatch=True)


def test_a_controller_reads_all_runs_and_says_nothing_but_cancel() -> None:
    found = ControllerIdentity(name="sympozium-controller", namespaces=("*",))
    reader = reader_name("controller:sympozium-controller", NONCE)
    assert permissions(found, NONCE) == Permissions(
        "RUNS",
        publish=(
            "sympozium.run.*.*.said.cancel.*",
            f"sympozium.reader.*.*.{reader}",
            f"$JS.API.CONSUMER.MSG.NEXT.SYMPOZIUM.{reader}",
        ),
        subscribe=(f"{subjects.inbox(reader)}.>", "sympozium.live.*.*.>"),
    )


def test_a_run_has_its_own_subjects_and_no_others() -> None:
    reader = reader_name("run:default.a", NONCE)
    assert permissions(RUN, NONCE) == Permissions(
        "RUNS",
        publish=(
            "sympozium.run.default.a.records",
            "sympozium.call.*.default.a.*",
            "sympozium.withdrawn.*.default.a.*.*",
            "sympozium.live.default.a.progress.*.*",
            "sympozium.live.default.a.status",
            "sympozium.present.default.a",
            "_INBOX.*.*.p.*",
            "sympozium.manifest.*",
            f"sympozium.reader.default.a.{reader}",
            f"$JS.API.CONSUMER.MSG.NEXT.SYMPOZIUM.{reader}",
        ),
        subscribe=(
            f"_INBOX.{reader.replace('-', '.')}.>",
            "sympozium.live.default.a.>",
            "sympozium.present.default.a",
        ),
    )


def test_a_person_has_the_verbs_of_the_token_in_the_own_name() -> None:
    reader = reader_name("person:Ada", NONCE)
    assert permissions(ADA, NONCE) == Permissions(
        "RUNS",
        publish=(
            "sympozium.run.default.a.said.answer.QWRh",
            f"sympozium.reader.default.a.{reader}",
            f"$JS.API.CONSUMER.MSG.NEXT.SYMPOZIUM.{reader}",
        ),
        subscribe=(f"_INBOX.{reader.replace('-', '.')}.>", "sympozium.live.default.a.>"),
    )


def test_a_service_speaks_for_its_participant_and_alone_may_answer_requests() -> None:
    found = permissions(MEMORY, NONCE)
    assert found.account == "SERVICES"
    assert found.publish[:3] == (
        "sympozium.run.default.*.elsewhere.notes.*",
        "sympozium.live.default.*.working.notes.*",
        "sympozium.live.default.*.progress.notes.*",
    )
    assert found.subscribe[1:] == (
        "sympozium.call.memory.*.*.*",
        "sympozium.withdrawn.memory.>",
        "sympozium.manifest.memory",
    )
    assert found.answers
    assert not any(permissions(identity, NONCE).answers for identity in (RUN, ADA, LAUNCHER))


def test_a_launcher_is_a_bridge_of_all_runs_of_its_namespaces() -> None:
    found = permissions(LauncherIdentity(name="x", namespaces=("a", "*")), NONCE)
    assert {"sympozium.run.a.*.records", "sympozium.run.*.*.records"} <= set(found.publish)
    assert "sympozium.live.a.*.>" in found.subscribe


@pytest.mark.parametrize("name", ["", "x", "0" * 15, "0" * 17, f"{NONCE}\n", NONCE.upper(), "*" * 16, "0.0" * 5 + "0"])
def test_a_connection_is_called_by_sixteen_hexadecimal_digits(name: str) -> None:
    with pytest.raises(BadName):
        permissions(RUN, name)


def matches(pattern: str, subject: str) -> bool:
    """As NATS matches them."""
    wanted, found = pattern.split("."), subject.split(".")
    if wanted[-1] == ">":
        return len(found) >= len(wanted) and all(w in ("*", f) for w, f in zip(wanted[:-1], found, strict=False))
    return len(wanted) == len(found) and all(w in ("*", f) for w, f in zip(wanted, found, strict=True))


@given(namespace=ids, run=ids, other_namespace=ids, other=ids, verb=st.sampled_from(subjects.VERBS), name=st.text())
def test_no_run_reaches_another_nor_speaks_for_a_person(
    namespace: str, run: str, other_namespace: str, other: str, verb: subjects.Verb, name: str
) -> None:
    own, another = RunKey(namespace, run), RunKey(other_namespace, other)
    found = permissions(RunIdentity(namespace=namespace, run=run), NONCE)
    forbidden = [subjects.elsewhere(own, "p", "1-1"), subjects.working(own, "p", "1-1")]
    if name:
        forbidden += [subjects.said(at, verb, name) for at in (own, another)]
    if own != another:
        forbidden += [subjects.records(another), subjects.status(another), subjects.present(another)]
        forbidden += [subjects.call("s", another, "p"), subjects.withdrawn("s", another, "p", "1-1")]
        forbidden += [subjects.reader(another, reader_name(subjects.run_principal(own), NONCE))]
        assert not any(matches(p, subjects.progress(another, "p", "c")) for p in found.subscribe)
    assert not [subject for subject in forbidden if any(matches(pattern, subject) for pattern in found.publish)]


@given(name=st.text(min_size=1, max_size=180), other=st.text(min_size=1, max_size=180))
def test_no_name_of_a_person_is_another_pattern(name: str, other: str) -> None:
    person = PersonIdentity(name=name, namespaces=("*",), verbs=("answer",))
    found = permissions(person, NONCE).publish
    run = RunKey("default", "a")
    assert [matches(pattern, subjects.said(run, "answer", other)) for pattern in found] == [name == other]


@pytest.mark.parametrize("identity", [RUN, ADA, MEMORY, LAUNCHER], ids=lambda one: one.role)
def test_claims_are_read_as_they_were_written(identity: Identity) -> None:
    assert identity_of(json.loads(json.dumps(claims(identity, expires=1.5)))) == identity


def test_claims_that_name_somebody_else_than_their_subject_are_refused() -> None:
    with pytest.raises(BadClaims):
        identity_of({**claims(RUN, expires=1), "sub": "run:default.b"})


# -- keys -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "letters"), [(nkeys.ACCOUNT, "A"), (nkeys.USER, "U"), (nkeys.SERVER, "N")])
def test_an_nkey_is_read_as_it_was_written_and_signs(kind: int, letters: str) -> None:
    pair = KeyPair.new(kind)
    assert (pair.public[0], pair.text[:2]) == (letters, f"S{letters}")
    assert KeyPair.read(pair.text, kind) == pair
    assert nkeys.verify(pair.public, kind, b"data", pair.sign(b"data"))
    assert not nkeys.verify(pair.public, kind, b"other", pair.sign(b"data"))


def test_a_key_of_another_kind_or_with_an_error_is_refused() -> None:
    pair = KeyPair.new(nkeys.USER)
    swapped = pair.text[:20] + ("A" if pair.text[20] != "A" else "B") + pair.text[21:]
    for text in (pair.public, swapped, pair.text[:-2], "", "ü", pair.text.lower()):
        with pytest.raises(BadKey):
            KeyPair.read(text, nkeys.USER)
    with pytest.raises(BadKey):
        KeyPair.read(pair.text, nkeys.ACCOUNT)
    with pytest.raises(BadKey):
        nkeys.verify(pair.public, nkeys.SERVER, b"", pair.sign(b""))


def test_a_jwt_of_nats_is_refused_when_anything_in_it_was_changed() -> None:
    server = KeyPair.new(nkeys.SERVER)
    token = jwts.sign({"sub": "x"}, server, now=1)
    assert jwts.verify(token, nkeys.SERVER)["sub"] == "x"
    header, body, signature = token.split(".")
    changed = base64.urlsafe_b64encode(b'{"iss":"%s","sub":"y"}' % server.public.encode()).decode().rstrip("=")
    none = base64.urlsafe_b64encode(b'{"alg":"none"}').decode().rstrip("=")
    another = jwts.sign({"sub": "x"}, KeyPair.new(nkeys.USER), now=1)
    for bad in (f"{header}.{changed}.{signature}", f"{none}.{body}.{signature}", f"{header}.{body}.", "x.y.z", another):
        with pytest.raises(BadJwt):
            jwts.verify(bad, nkeys.SERVER)


def test_keys_are_for_their_owner_alone_and_never_overwritten(tmp_path: Path) -> None:
    made = make(tmp_path / "keys")
    files = {file.name: file.read_bytes() for file in (tmp_path / "keys").iterdir()}
    assert len(files) == 6
    assert {stat.S_IMODE(file.stat().st_mode) for file in (tmp_path / "keys").iterdir()} == {0o600}
    assert make(tmp_path / "keys") == made
    assert {file.name: file.read_bytes() for file in (tmp_path / "keys").iterdir()} == files
    (tmp_path / "keys/token.pub").unlink()
    with pytest.raises(Ended) as ended:
        make(tmp_path / "keys")
    assert ended.value.reason is Reason.Usage


def test_the_configuration_has_public_keys_only(tmp_path: Path) -> None:
    made = make(tmp_path / "keys")
    text = configuration(made.public)
    assert made.public.issuer in text
    assert not [pair for pair in made.pairs.values() if pair.text in text]
    assert configuration(PublicKeys("A", "B", "C", "D")) == configuration(PublicKeys("A", "B", "C", "D"))


# -- the command line -------------------------------------------------------------------------------------------------


def said(*words: str | Path, **env: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SYMPOZIUM_")}
    return subprocess.run(
        [PROGRAM, *words], capture_output=True, text=True, check=False, timeout=60, env={**environment, **env}
    )


def test_a_token_minted_by_hand_names_whom_it_was_asked_for(tmp_path: Path) -> None:
    printed = said("keys", tmp_path / "keys")
    assert printed.stdout.rstrip() == configuration(Keys.read(tmp_path / "keys").public).rstrip()
    key = ("--key", tmp_path / "keys/token.key")
    for words, identity in (
        (("person", "Ada", "--runs", "a", "--verbs", "answer", "get"), ADA),
        (("service", "memory", "--participant", "notes"), MEMORY),
        (("launcher", "laptop"), LAUNCHER),
        (("run", "default", "a"), RUN),
    ):
        token = said("token", *key, *words).stdout.strip()
        body = token.split(".")[1]
        assert identity_of(json.loads(base64.urlsafe_b64decode(body + "=="))) == identity


@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        (("serve",), 10, "needs --keys DIR"),
        (("serve", "--keys", "x"), 10, "SYMPOZIUM_BUS: is not set"),
        (("serve", "--keys", "x", "--age", "1"), 10, "must be a time"),
        (("serve", "--keys", "x", "--size", "1x"), 10, "must be a size"),
        (("token", "--key", "nowhere", "run", "default", "a"), 13, "nowhere: no such file"),
        (("token", "--key", "nowhere", "run", "Default", "a"), 10, "namespace"),
        (("token", "--key", "nowhere", "person", "x", "--verbs", "all"), 10, "invalid choice"),
        ((), 10, "COMMAND"),
    ],
)
def test_what_is_wrong_is_said_in_words_with_its_code(words: tuple[str, ...], code: int, why: str) -> None:
    done = said(*words)
    assert (done.returncode, why in done.stderr) == (code, True), done.stderr


def test_keys_that_are_missing_or_none_are_named(tmp_path: Path) -> None:
    make(tmp_path / "keys")
    (tmp_path / "keys/issuer.seed").write_text("nonsense")
    done = said("serve", "--keys", tmp_path / "keys", SYMPOZIUM_BUS="nats://127.0.0.1:1")
    assert (done.returncode, "issuer.seed: is no key" in done.stderr) == (13, True), done.stderr
