"""The nats-server of these tests, and a cluster whose bus it is."""

from tests.support.bus_cluster_fixtures import api_proxy, bus_system, clustered_bus, tenant
from tests.support.cluster_fixtures import cluster, namespace
from tests.support.nats_fixtures import nats_binary, nats_server, shared_nats

__all__ = [
    "api_proxy",
    "bus_system",
    "cluster",
    "clustered_bus",
    "namespace",
    "nats_binary",
    "nats_server",
    "shared_nats",
    "tenant",
]
