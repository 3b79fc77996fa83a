#!/bin/bash
# Make an image that holds the binaries of the packs, for builds where no image registry is reached: what the stage
# `tools` of images/Dockerfile is otherwise. From Debian's packages, helm's Go module and llmfit's wheel, which are
# fetched once and kept. Run engine.sh first, as root. TOOLS_IMAGE names the image.
set -euo pipefail
DK_HOME=${DK_HOME:-$HOME/.cache/sympozium-test-docker}
SUITE=${BASE_SUITE:-trixie}
IMAGE=${TOOLS_IMAGE:-sympozium-tools:$SUITE}
HELM=${HELM:-v3.19.0}
LLMFIT=${LLMFIT:-}
TAR=$DK_HOME/tools-$SUITE.tar
OWN=$DK_HOME/tools-own
export LC_ALL=C.UTF-8
if docker image inspect "$IMAGE" >/dev/null 2>&1 && [ "${1:-}" != --again ]; then exit; fi
mkdir -p "$OWN/usr/local/bin"

if [ ! -x "$OWN/usr/local/bin/helm" ]; then # some minutes of compiling, once
  GOBIN=$OWN/bin CGO_ENABLED=0 GOFLAGS=-trimpath go install -ldflags='-s -w' "helm.sh/helm/v3/cmd/helm@$HELM"
  mv "$OWN/bin/helm" "$OWN/usr/local/bin/helm"
fi
if [ ! -x "$OWN/usr/local/bin/llmfit" ]; then # its wheel carries the program
  wheel=$(mktemp -d)
  python3 -m pip download --quiet --no-deps --dest "$wheel" "llmfit${LLMFIT:+==$LLMFIT}"
  python3 -m zipfile -e "$wheel"/*.whl "$wheel/x"
  install -m 755 "$(find "$wheel/x" -type f -name llmfit | head -1)" "$OWN/usr/local/bin/llmfit"
  rm -rf "$wheel"
fi

if [ ! -s "$TAR" ] || [ "${1:-}" = --again ]; then
  mirror=$(sed -nE 's/^URIs:[[:space:]]*([^[:space:]]+\/debian)\/?[[:space:]]*$/\1/p; s/^deb([[:space:]]+\[[^]]*\])?[[:space:]]+([^[:space:]]+\/debian)\/?[[:space:]].*/\2/p' \
    /etc/apt/sources.list /etc/apt/sources.list.d/*.sources /etc/apt/sources.list.d/*.list 2>/dev/null | head -1) || true
  export TMPDIR=/dev/shm # memory: dpkg's many small files
  mmdebstrap --variant=minbase --format=tar --quiet --keyring=/usr/share/keyrings/debian-archive-keyring.gpg \
    --aptopt='Acquire::Languages "none"' --aptopt='Acquire::Check-Valid-Until "false"' \
    --include=bash,ca-certificates,curl,findutils,gawk,git,jq,kubernetes-client,procps,prometheus,tini \
    --customize-hook="copy-in $OWN/usr/local/bin /usr/local" \
    --customize-hook='rm -rf "$1"/usr/share/man/* "$1"/usr/share/locale/* "$1"/usr/share/doc/*' \
    "$SUITE" "$TAR.part" "deb $mirror $SUITE main"
  mv "$TAR.part" "$TAR"
fi
docker import -c 'ENV PATH=/usr/local/bin:/usr/bin:/bin' "$TAR" "$IMAGE" >/dev/null
docker image inspect -f "tools.sh: $IMAGE {{.Size}} bytes" "$IMAGE" >&2
