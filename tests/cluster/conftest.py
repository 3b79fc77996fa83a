"""The clusters of these tests."""

from tests.support.cluster_definitions import kinds
from tests.support.cluster_fixtures import cluster, namespace, node_cluster

__all__ = ["cluster", "kinds", "namespace", "node_cluster"]
