# What is built and where it is kept: another version of Kubernetes is another folder. Sourced.
# shellcheck shell=bash disable=SC2034
K8S_VERSION=v1.36.3 # src/go.mod names the same, and build.sh checks that
BIN=${SYMPOZIUM_CLUSTER_BIN:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/sympozium/cluster/$K8S_VERSION}
PAUSE_IMAGE=localhost/sympozium-test/pause:1
DNS_IMAGE=localhost/sympozium-test/coredns:1 # dns/objects.yaml names it too
# the control group of all pods of a cluster, by its state folder
CGROUP=/sympozium-test-$(printf %s "${STATE:-}" | cksum | cut -d' ' -f1)
