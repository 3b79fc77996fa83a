"""Runs in a cluster: the controller against an API server alone, then whole runs on a node."""

from __future__ import annotations

from collections.abc import Iterator

from bench import cluster_node, cluster_plane
from bench.report import Row


def rows() -> Iterator[Row]:
    yield from cluster_plane.rows()
    yield from cluster_node.rows()
