"""Fixtures with a bus of a cluster, for a conftest.py to import. Their tests are one xdist group: ``bus_cluster``."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from sympozium_protocol.kube.client import Client
from sympozium_protocol.kube.login import login
from tests.support.bus_auth import GuardedBus
from tests.support.bus_cluster import Tenant, cluster_bus
from tests.support.cluster import Cluster
from tests.support.proxy import Between

__all__ = ["api_proxy", "bus_system", "clustered_bus", "tenant"]


@pytest.fixture(scope="session")
def bus_system(cluster: Cluster) -> Iterator[str]:
    """The system namespace of this bus."""
    with cluster.namespace() as name:
        yield name


@pytest.fixture(scope="session")
def api_proxy(cluster: Cluster) -> Iterator[Between]:
    """Between the keeper and the API server."""
    server = cluster.kubectl("config", "view", "--minify", "-o", "jsonpath={.clusters[0].cluster.server}")
    with Between(int(server.rpartition(":")[2]), "https") as found:
        yield found


@pytest.fixture(scope="session")
def clustered_bus(
    nats_binary: str,
    cluster: Cluster,
    bus_system: str,
    api_proxy: Between,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[GuardedBus]:
    with cluster_bus(tmp_path_factory.mktemp("bus"), cluster, bus_system, api_proxy.url) as found:
        yield found


@pytest.fixture
async def tenant(cluster: Cluster, namespace: str) -> AsyncIterator[Tenant]:
    """A namespace of this test alone, and the administrator in it."""
    async with Client(await login(str(cluster.kubeconfig))) as client:
        yield Tenant(client, namespace)
