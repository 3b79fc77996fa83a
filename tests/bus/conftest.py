"""The nats-server of these tests, and a cluster."""

from tests.support.cluster_fixtures import cluster, namespace
from tests.support.nats_fixtures import nats_binary, nats_server, shared_nats

__all__ = ["cluster", "namespace", "nats_binary", "nats_server", "shared_nats"]
