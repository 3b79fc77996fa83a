"""What the bus keeps its records in: install looks for it, keeps it as it is, and changes it only when told to."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator

import pytest

from sympozium_cli.cluster.waiting import Waiting
from sympozium_protocol.exits import Ended, Reason
from sympozium_protocol.kube.client import Client
from sympozium_protocol.kube.login import login
from sympozium_protocol.kube.resources import STATEFUL_SETS
from tests.support.cluster import Cluster
from tests.support.installing import bare_cluster, install, names, storage_class, sympozium, uninstall


@pytest.fixture(scope="module")
def bare() -> Iterator[Cluster]:
    with bare_cluster() as found:
        yield found


@pytest.fixture
def emptied(bare: Cluster) -> Iterator[Cluster]:
    """Nothing is installed, before and after."""
    uninstall(bare)
    yield bare
    bare.apply(storage_class("usual", default=True))
    uninstall(bare)


def refused(cluster: Cluster, *words: str) -> str:
    code, _, said = sympozium(cluster, "install", *words)
    assert code == Reason.Usage, said
    return said


def test_without_a_class_that_makes_volumes_nothing_is_applied_and_the_way_out_is_told(emptied: Cluster) -> None:
    emptied.kubectl("delete", "storageclass", "usual")
    before = names(emptied)

    assert "no default StorageClass to make the bus's volume (it has none at all)" in (said := refused(emptied))
    assert "--bus-storage none" in said
    emptied.apply(storage_class("other"))
    assert "fast: the cluster has no StorageClass of this name; it has other" in refused(
        emptied, "--bus-storage-class", "fast"
    )
    assert names(emptied) == before
    install(emptied, "--bus-storage-class", "other")


def test_a_volume_that_somebody_made_beforehand_needs_no_class(emptied: Cluster) -> None:
    emptied.kubectl("delete", "storageclass", "usual")
    spec = {"capacity": {"storage": "10Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/nowhere"}}
    volume = {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "made"}, "spec": spec}
    emptied.apply(volume)
    try:
        wait_for(emptied, "Available", "pv", "made")
        install(emptied)
    finally:
        uninstall(emptied)
        emptied.kubectl("delete", "pv", "made")


def wait_for(cluster: Cluster, phase: str, *words: str) -> None:
    cluster.kubectl("wait", f"--for=jsonpath={{.status.phase}}={phase}", "--timeout=60s", *words)


def test_what_was_said_once_of_the_bus_s_storage_holds_until_something_else_is_said(emptied: Cluster) -> None:
    install(emptied, "--bus-storage", "none")

    assert "configured" not in install(emptied)
    assert emptied.get("pvc", "-n", "sympozium-system")["items"] == []
    volumes = emptied.get("statefulset", "sympozium-bus", "-n", "sympozium-system")["spec"]["template"]["spec"][
        "volumes"
    ]
    assert any("emptyDir" in one for one in volumes)


def test_the_records_of_runs_are_not_lost_by_an_option_unless_somebody_says_yes(emptied: Cluster) -> None:
    install(emptied, "--bus-storage", "none")
    pod_has_run(emptied)

    said = refused(emptied, "--no-wait", "--bus-storage", "10Gi")

    assert "--bus-storage: the bus has no volume (--bus-storage none), and what it has goes with its pod" in said
    assert "leave --bus-storage out to keep it as it is, or lose them with --yes" in said
    assert "emptyDir" in json.dumps(emptied.get("statefulset", "sympozium-bus", "-n", "sympozium-system"))
    assert " configured" in install(emptied, "--bus-storage", "10Gi", "--yes")
    pod_goes(emptied)


def pod_has_run(cluster: Cluster) -> None:
    """As its node would say."""
    cluster.kubectl("wait", "--for=create", "--timeout=60s", "pod/sympozium-bus-0", "-n", "sympozium-system")
    status = json.dumps({"status": {"phase": "Running"}})
    words = ("--subresource=status", "--type=merge", "-p", status)
    cluster.kubectl("patch", "pod", "sympozium-bus-0", "-n", "sympozium-system", *words)


def pod_goes(cluster: Cluster) -> None:
    """There is no node that would end it."""
    cluster.kubectl("delete", "pod", "sympozium-bus-0", "-n", "sympozium-system", "--force", "--grace-period=0")


def test_a_pod_that_waits_for_a_volume_which_nobody_makes_gives_way_to_one_without(emptied: Cluster) -> None:
    """Kubernetes would leave it for ever: it never became ready."""
    install(emptied)
    wait_for(emptied, "Pending", "pod/sympozium-bus-0", "-n", "sympozium-system")
    before = emptied.get("pod", "sympozium-bus-0", "-n", "sympozium-system")["metadata"]["uid"]

    install(emptied, "--bus-storage", "none")
    told = waited(emptied)

    assert "pod sympozium-bus-0 of the former settings never became ready: replaced" in told
    pod = emptied.get("pod", "sympozium-bus-0", "-n", "sympozium-system")
    assert pod["metadata"]["uid"] != before
    assert all("persistentVolumeClaim" not in one for one in pod["spec"]["volumes"])
    assert emptied.get("pvc", "-n", "sympozium-system")["items"] == []


def waited(cluster: Cluster) -> list[str]:
    """What is told while the bus is waited for, which stays Pending here: there is no node."""
    told: list[str] = []

    async def wait() -> None:
        async with Client(await login(str(cluster.kubeconfig))) as api:
            found = await api.get(STATEFUL_SETS, "sympozium-bus", "sympozium-system")
            await Waiting(api, [found], told.append).until_done(10)

    with pytest.raises(Ended, match="given up after"):
        asyncio.run(wait())
    return told
