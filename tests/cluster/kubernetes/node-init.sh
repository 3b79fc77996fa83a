#!/bin/bash
# The node's process 1, in fresh network, mount, pid and ipc namespaces: up.sh
# starts it under unshare(1). When it is killed the kernel ends every process
# of the node, and the node's mounts and network interfaces go with them.
set -eu
mount --make-rslave /     # nothing mounted here is seen by the host
# A sysfs of this network namespace, with the host's control groups kept.
mkdir -p "$1"
mount --rbind /sys/fs/cgroup "$1"
mount -t sysfs sysfs /sys
mount --rbind "$1" /sys/fs/cgroup
umount -R -l "$1"         # before mounts are shared: it would take its twin along
mount --make-rshared /    # the containers of this node share its mounts
mount -t tmpfs -o mode=755 tmpfs /run   # CNI's and runc's state are the node's own
mkdir -p /run/lock /run/netns
ip link set lo up
sysctl -qw net.ipv4.ip_forward=1
# The node has no way out: its own programs look up no names.
mkdir -p /run/etc && echo 'nameserver 127.0.0.1' >/run/etc/resolv.conf
touch /run/ready
# bash reaps the orphans that fall to process 1.
while :; do sleep 3600 & wait $! || true; done
