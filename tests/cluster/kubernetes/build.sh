#!/bin/bash
# Builds the programs of the test cluster into ~/.cache/sympozium/cluster/VERSION. What is there already is left alone.
#
#   build.sh          the control plane and kubectl; needs go
#   build.sh --node   also what a node needs: CoreDNS, and of Debian's packages containerd, runc, CNI plugins and nft,
#                     unpacked into that folder and not installed: Docker's own containerd may be on the machine
#   build.sh --where  builds nothing: prints the folder, or says on standard error that it is not built
#
# Cold, on two cores: some 7 minutes, 0.7 GiB of modules and 3.2 GiB of Go's build cache. With these kept: 10 to 20 s.
set -euo pipefail
KUBERNETES=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/cluster/kubernetes/versions.sh
. "$KUBERNETES/versions.sh"
# No inlining: a quarter less to compile, and each start takes a second more.
GCFLAGS=${SYMPOZIUM_CLUSTER_GCFLAGS-all=-l}
PACKAGES=(containerd runc containernetworking-plugins
  nftables libnftables1 libnftnl11 libmnl0 libjansson4 libxtables12 libedit2)
PROGRAMS=(etcd kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy kubectl relay netpol)

say() { echo "build.sh: $*" >&2; }
fail() {
  say "$*"
  exit 1
}

download() { # Debian's packages of the machine's own suite into this folder
  apt-get -qq -o APT::Sandbox::User=root download "${PACKAGES[@]}" >&2
}

debian_programs() {
  local libraries
  [ ! -e "$BIN/node/.done" ] || return 0
  command -v apt-get >/dev/null || fail 'a node is made of Debian packages: there is no apt-get'
  rm -rf "$BIN/node" "$BIN/debs"
  mkdir -p "$BIN/node" "$BIN/debs"
  (
    cd "$BIN/debs"
    download || { apt-get -o DPkg::Lock::Timeout=300 -qq update >&2 && download; }
    for deb in *.deb; do dpkg -x "$deb" "$BIN/node"; done
  )
  libraries=$BIN/node/usr/lib/$(uname -m)-linux-gnu
  mv "$BIN/node/usr/sbin/nft" "$BIN/node/usr/sbin/nft.real"
  # shellcheck disable=SC2016 # the wrapper's own arguments
  printf '#!/bin/sh\nLD_LIBRARY_PATH=%s exec %s "$@"\n' "$libraries" "$BIN/node/usr/sbin/nft.real" >"$BIN/node/usr/sbin/nft"
  chmod +x "$BIN/node/usr/sbin/nft"
  say "$("$BIN/node/usr/sbin/nft" --version), $("$BIN/node/usr/sbin/runc" --version | head -n 1)," \
    "$("$BIN/node/usr/bin/containerd" --version)"
  rm -rf "$BIN/debs"
  touch "$BIN/node/.done"
}

version_flags() { # what kubectl version and the API server call themselves
  local minor=${K8S_VERSION#v*.} package flags=(-s -w)
  for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
    flags+=(-X "$package.gitVersion=$K8S_VERSION" -X "$package.gitMajor=1"
      -X "$package.gitMinor=${minor%%.*}" -X "$package.gitTreeState=clean")
  done
  echo "${flags[*]}"
}

stamp() { # FOLDER: of all that its programs are made from: another one is another build
  (cd "$KUBERNETES" && cat "$1"/go.* "$1"/*.go src/pause/*.go image.py && echo "$GCFLAGS") | sha256sum | cut -d' ' -f1
}

built() { [ "$(cat "$BIN/.$1" 2>/dev/null)" = "$(stamp "$1")" ]; } # FOLDER

compile() { # FOLDER PROGRAM [LINKER-FLAGS]
  command -v go >/dev/null || fail "there is no go ($1/go.mod names the version)"
  say "building $2 into $BIN"
  (
    cd "$KUBERNETES/$1"
    export CGO_ENABLED=0 GOFLAGS='-mod=readonly -buildvcs=false -trimpath'
    nice -n 10 go build -gcflags="$GCFLAGS" -ldflags "${3:--s -w}" -o "$BIN/$2.new" "${4:-.}"
  )
  mv -f "$BIN/$2.new" "$BIN/$2"
}

kubernetes_programs() {
  local name
  ! built src || return 0
  grep -q "k8s.io/kubernetes $K8S_VERSION\$" "$KUBERNETES/src/go.mod" || fail "src/go.mod does not name $K8S_VERSION"
  compile src kubernetes "$(version_flags)"
  for name in "${PROGRAMS[@]}"; do ln -sfn kubernetes "$BIN/$name"; done
  mkdir -p "$BIN/bin" # what a developer's PATH gets
  ln -sfn ../kubernetes "$BIN/bin/kubectl"
  compile src pause '-s -w' ./pause
  python3 "$KUBERNETES/image.py" "$PAUSE_IMAGE" "$BIN/pause.tar" --entrypoint /pause "$BIN/pause=/pause"
  stamp src >"$BIN/.src"
}

dns_program() {
  ! built dns || return 0
  compile dns coredns
  python3 "$KUBERNETES/image.py" "$DNS_IMAGE" "$BIN/coredns.tar" --entrypoint /coredns "$BIN/coredns=/coredns"
  stamp dns >"$BIN/.dns"
}

if [ "${1:-}" = --where ]; then
  built src || fail 'the programs of the test cluster are not built (make cluster)'
  echo "$BIN"
  exit
fi
mkdir -p "$BIN"
exec 8>"$BIN/.lock" # two at once would build the same
flock 8
case ${1:-} in
'') kubernetes_programs ;;
--node)
  debian_programs
  kubernetes_programs
  dns_program
  ;;
*) fail "unknown word $1: --node, --where or nothing" ;;
esac
