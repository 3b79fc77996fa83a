"""Fixtures with a Kubernetes, for a conftest.py to import."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.cluster import Cluster
from tests.support.cluster_node import NodeCluster
from tests.support.cluster_start import shared_cluster
from tests.support.installed import Installed, installation

__all__ = ["cluster", "installed", "namespace", "node_cluster"]


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A control plane of all tests of a session. It has no node: pods stay Pending, and a test may play the kubelet
    (but in a cluster of TEST_KUBECONFIG, which probably has nodes)."""
    with shared_cluster() as found:
        yield found


@pytest.fixture(scope="session")
def node_cluster() -> Iterator[NodeCluster]:
    """Another control plane, with a node. For tests of the xdist group ``node``: two cores carry no more at once."""
    with shared_cluster(node=True) as found:
        yield found


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    """A new namespace of ``cluster``."""
    with cluster.namespace() as name:
        yield name


@pytest.fixture(scope="session")
def installed() -> Iterator[Installed]:
    """A cluster with a node and Sympozium in it. For tests of the xdist group ``node``."""
    with installation() as found:
        yield found
