#!/bin/bash
# Builds images: make.sh [TARGET...] of docker-bake.hcl, or `all`; then tells how large each is. An engine is started
# if none answers. Where the registry of BASE is not reached, or with OFFLINE=1, base, wheels and tools are made here,
# and build/images/offline.env has the variables with which `docker buildx bake` uses them.
set -euo pipefail
cd "$(dirname "$0")/.."
SUITE=${SYMPOZIUM_SUITE:-trixie}
KEPT=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/sympozium
ENV=build/images/offline.env
BASE=${BASE:-python:3.13-slim}

reached() { docker image inspect "$BASE" >/dev/null 2>&1 || timeout 20 docker buildx imagetools inspect "$BASE" >/dev/null 2>&1; }

wheels() { # what the lock names, kept by the lock's content
  local kept
  kept=$KEPT/wheels/$(sha256sum images/constraints.txt | cut -c-12)-$(uname -m)
  if [ ! -d "$kept" ]; then
    rm -rf "$kept.part"
    "${PYTHON:-python3}" -m pip download --quiet --disable-pip-version-check --no-deps --dest "$kept.part" \
      --only-binary=:all: --python-version 3.13 --platform "manylinux2014_$(uname -m)" \
      --platform "manylinux_2_28_$(uname -m)" --requirement images/constraints.txt
    mv "$kept.part" "$kept"
  fi
  rm -rf build/images/wheels
  cp -r "$kept" build/images/wheels # builders read below the workspace only, unless they are allowed more
}

prepare() {
  echo "No registry has $BASE: base, wheels and tools are made here (docs/images.md)." >&2
  mkdir -p build/images
  bash tests/compose/engine/base.sh
  bash tests/compose/engine/tools.sh
  wheels
  printf 'export BASE=%s TOOLS=%s WHEELS=%s\n' "sympozium-base:$SUITE" "sympozium-tools:$SUITE" build/images/wheels >"$ENV"
}

table() { # sizes, and beside them how much more that is than the base, where the engine has the base
  local name size base over
  base=$(docker image inspect -f '{{.Size}}' "$BASE" 2>/dev/null) || base=
  printf '\n%-44s %5s  %s\n' image MB "over $BASE"
  docker buildx bake --print "$@" 2>/dev/null | grep -oE '"[^"]+/[a-z0-9-]+:[^"]+"' | tr -d '"' | while read -r name; do
    size=$(docker image inspect -f '{{.Size}}' "$name" 2>/dev/null) || continue
    over=${base:+$(printf '%+d' $(((size - base) / 1000000)))}
    printf '%-44s %5d  %s\n' "$name" $((size / 1000000)) "$over"
  done
}

bash tests/compose/engine/engine.sh
if [ "${OFFLINE:-}" = 1 ] || { [ "${OFFLINE:-}" != 0 ] && ! reached; }; then
  prepare
  # shellcheck source=/dev/null
  . "$ENV"
fi
export REVISION=${REVISION:-$(git rev-parse HEAD 2>/dev/null || true)}
docker buildx bake "${@:-all}"
table "${@:-all}"
