"""A real API server for the tests of the port."""

from tests.support.cluster_fixtures import cluster as cluster, namespace as namespace
