"""The command where no cluster can be used: which one, what happened, and what to do, in words."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from sympozium_protocol.exits import Reason
from tests.support.cluster import Cluster
from tests.support.cluster_command import refused, sympozium
from tests.support.cluster_start import start_cluster

INSTANCE = """
apiVersion: sympozium.ai/v1alpha1
kind: SympoziumInstance
metadata: {name: sre}
spec: {provider: {name: scripted}}
"""
LIST = ("instances", "list")
Change = Callable[[dict[str, Any]], None]


@pytest.fixture(scope="module")
def bare() -> Iterator[Cluster]:
    """A cluster in which nothing is installed."""
    with start_cluster() as found:
        yield found


@pytest.fixture
def changed(bare: Cluster, tmp_path: Path) -> Callable[[Change], Path]:
    """The kubeconfig, changed."""

    def write(change: Change) -> Path:
        value = yaml.safe_load(bare.kubeconfig.read_text())
        change(value)
        path = tmp_path / "changed.kubeconfig"
        path.write_text(yaml.safe_dump(value))
        return path

    return write


def server(value: dict[str, Any], address: str) -> None:
    value["clusters"][0]["cluster"]["server"] = address


def test_a_context_that_is_not_there_is_told_with_those_that_are(changed: Callable[[Change], Path]) -> None:
    kubeconfig = changed(lambda value: value["contexts"].append({**value["contexts"][0], "name": "another"}))

    code, said = refused(kubeconfig, *LIST, "--context", "other")

    assert code == Reason.Usage
    assert f"--context: {kubeconfig} has no context other; it has another, test" in said


def test_a_kubeconfig_without_a_current_context_tells_those_that_it_has(changed: Callable[[Change], Path]) -> None:
    _, said = refused(changed(lambda value: value.pop("current-context")), *LIST)

    assert "it names no current context; say which with --context: it has test" in said


def test_a_kubeconfig_that_is_empty_says_so(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.write_text("")

    for words in ((), ("--context", "any")):
        code, said = refused(empty, *LIST, *words)
        assert code == Reason.Usage
        assert f"{empty}: has no context, and so leads to no cluster; name another: --kubeconfig" in said


@pytest.mark.parametrize("text", ["hello", "[a, b]", "7"])
def test_a_file_that_is_no_kubeconfig_is_named(tmp_path: Path, text: str) -> None:
    odd = tmp_path / "odd"
    odd.write_text(text)

    code, said = refused(odd, *LIST)

    assert code == Reason.Usage
    assert said.startswith(f"error: {odd}: is no kubeconfig: ")


@pytest.mark.parametrize("words", [LIST, ("run", "--on", "cluster", "--instance", "sre", "look"), ("install",)])
def test_a_server_that_does_not_run_is_named_with_its_context(
    changed: Callable[[Change], Path], words: tuple[str, ...]
) -> None:
    with socket.socket() as taken:  # bound and not listening: nobody else gets it
        taken.bind(("127.0.0.1", 0))
        address = f"https://127.0.0.1:{taken.getsockname()[1]}"
        code, said = refused(changed(lambda value: server(value, address)), *words)

    assert code == Reason.EngineLost
    assert f"the API server {address} (context test) cannot be reached: nothing listens there" in said
    assert "is the cluster running" in said
    assert "Cannot connect" not in said


def test_a_server_whose_name_nobody_knows_is_told(changed: Callable[[Change], Path]) -> None:
    _, said = refused(changed(lambda value: server(value, "https://no.such.host.invalid:6443")), *LIST)

    assert "https://no.such.host.invalid:6443 (context test) cannot be reached: there is no host of this name" in said


def test_a_certificate_that_is_not_trusted_is_told_with_what_to_look_at(changed: Callable[[Change], Path]) -> None:
    def forget(value: dict[str, Any]) -> None:
        del value["clusters"][0]["cluster"]["certificate-authority-data"]

    code, said = refused(changed(forget), *LIST)

    assert code == Reason.EngineLost
    assert "its certificate is not trusted (unable to get local issuer certificate)" in said
    assert "certificate-authority in the kubeconfig" in said


def test_an_address_without_tls_is_told(bare: Cluster, changed: Callable[[Change], Path]) -> None:
    def plain(value: dict[str, Any]) -> None:
        server(value, value["clusters"][0]["cluster"]["server"].replace("https", "http"))

    _, said = refused(changed(plain), *LIST)

    assert "it speaks https, and its address in the kubeconfig begins with http" in said


@pytest.mark.parametrize("user", [{"token": "of-somebody-else"}, {}])
def test_whom_the_server_does_not_know_is_told_to_log_in(
    changed: Callable[[Change], Path], user: dict[str, str]
) -> None:
    kubeconfig = changed(lambda value: value["users"][0].update(user=user))

    code, said = refused(kubeconfig, *LIST)

    assert code == Reason.Usage
    assert "(context test) does not know who you are" in said
    assert "log in again" in said


# -- a cluster without Sympozium ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        LIST,
        ("instances", "get", "sre"),
        ("policies", "list"),
        ("runs", "list", "--on", "cluster"),
        ("run", "--on", "cluster", "--instance", "sre", "look"),
        ("run", "--on", "cluster", "-f", "FILE", "look"),
        ("instances", "apply", "-f", "FILE"),
        ("logs", "one", "--on", "cluster"),
        ("logs", "-f", "one", "--on", "cluster"),
        ("approve", "one", "1-1", "--on", "cluster"),
        ("cancel", "one", "--on", "cluster"),
    ],
    ids=" ".join,
)
def test_where_nothing_is_installed_it_is_told_what_installs_it(
    bare: Cluster, tmp_path: Path, words: tuple[str, ...]
) -> None:
    file = tmp_path / "agent.yaml"
    file.write_text(INSTANCE)

    code, said = refused(bare.kubeconfig, *(str(file) if word == "FILE" else word for word in words))

    assert code == Reason.MissingReference
    assert said.startswith("error: Sympozium is not installed in this cluster (it has no ")
    assert said.endswith("; install it with: sympozium install\n")


def test_a_dry_run_of_an_installation_says_why_it_asked_no_cluster(changed: Callable[[Change], Path]) -> None:
    kubeconfig = changed(lambda value: server(value, "https://no.such.host.invalid:6443"))

    code, _, said = sympozium(kubeconfig, "install", "--dry-run")

    assert code == 0, said
    assert "no cluster was asked (the API server https://no.such.host.invalid:6443 (context test)" in said
