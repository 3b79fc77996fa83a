#!/bin/bash
# ctr.sh STATE_DIR WORD...: containerd's client on the node of a test cluster, for `images import FILE.tar`, `images ls`.
set -euo pipefail
STATE=$(cd "$1" && pwd)
shift
# shellcheck source=tests/cluster/kubernetes/versions.sh
. "$(dirname "${BASH_SOURCE[0]}")/versions.sh"
exec "$BIN/node/usr/bin/ctr" -a "$STATE/node/containerd.sock" -n k8s.io "$@"
