"""The clusters of these tests."""

from tests.support.cluster_definitions import kinds
from tests.support.cluster_fixtures import cluster, installed, namespace, node_cluster

__all__ = ["cluster", "installed", "kinds", "namespace", "node_cluster"]
