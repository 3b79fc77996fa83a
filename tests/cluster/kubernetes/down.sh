#!/bin/bash
# down.sh [--node-only] [--keep] STATE_DIR: ends what up.sh started and removes the state folder.
#
#   --node-only  the node alone; the control plane goes on
#   --keep       leave the state folder (logs, etcd's data) where it is
set -uo pipefail
KUBERNETES=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
NODE_ONLY='' KEEP='' LOCKED='' STATE=''
for word; do
  case $word in
  --node-only) NODE_ONLY=1 ;;
  --keep) KEEP=1 ;;
  --locked) LOCKED=1 ;; # by the caller, up.sh
  -*) echo "down.sh: unknown option $word" >&2; exit 2 ;;
  *) STATE=$word ;;
  esac
done
[ -n "$STATE" ] || { echo 'usage: down.sh [--node-only] [--keep] STATE_DIR' >&2; exit 2; }
[ -d "$STATE/run" ] || exit 0
STATE=$(cd "$STATE" && pwd)
# shellcheck source=tests/cluster/kubernetes/lib.sh
. "$KUBERNETES/lib.sh"
# shellcheck source=tests/cluster/kubernetes/versions.sh
. "$KUBERNETES/versions.sh"
if [ -z "$LOCKED" ]; then
  exec 9>"$STATE/lock"
  flock -w 120 9 || { log "another up.sh or down.sh holds $STATE/lock"; exit 1; }
fi

node() { # process 1 of its namespaces takes everything else with it
  local name pid net group
  for name in netpol kube-proxy kubelet; do stop $name 3; done
  if pid=$(pid_of node); then
    kill -KILL "$pid"
    while alive node; do sleep 0.05; done
  fi
  for name in containerd node-parent relay; do stop $name 2; done
  rm -f "$STATE/run/node.pid"
  if [ -s "$STATE/run/node.net" ]; then # the veth would go with the namespace, a little later
    net=$(cat "$STATE/run/node.net")
    ip link del "$(veth_name "$net")" 2>/dev/null
    rm -f "$STATE/run/node.net"
  fi
  for group in "/sys/fs/cgroup$CGROUP" /sys/fs/cgroup/*"$CGROUP"; do # version 2, and version 1's controllers
    [ -d "$group" ] && find "$group" -depth -type d -exec rmdir {} + 2>/dev/null
  done
  rm -rf "$STATE/node"
}

node
[ -z "$NODE_ONLY" ] || exit 0
for name in kube-scheduler kube-controller-manager kube-apiserver etcd; do stop $name 5; done
[ -z "$KEEP" ] || exit 0
# only what up.sh made, and then the folder if nothing else is in it
rm -rf "$STATE"/{run,log,pki,etcd,cache,lock} "$STATE"/*.kubeconfig
rmdir "$STATE" 2>/dev/null
exit 0
