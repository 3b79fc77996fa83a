"""Prints the table. Arguments name the parts; those in containers only if they are asked for."""

from __future__ import annotations

import importlib
import sys

from bench.report import HEAD

PARTS = ("calls", "size", "whole", "steps", "memory", "mcp", "bus")
ASKED_FOR = ("compose", "cluster", "cluster_plane", "cluster_node")
"""They need a container engine and images, or a Kubernetes."""


def main() -> int:
    chosen = sys.argv[1:] or PARTS
    if unknown := [name for name in chosen if name not in (*PARTS, *ASKED_FOR)]:
        print(f"unknown part {unknown[0]}; there are: {', '.join((*PARTS, *ASKED_FOR))}", file=sys.stderr)
        return 10
    print(HEAD)
    for name in chosen:
        for row in importlib.import_module(f"bench.{name}").rows():
            print(row.text(), flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
