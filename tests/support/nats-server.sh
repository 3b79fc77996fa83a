#!/bin/bash
# Prints the path of a nats-server that tests can use, at least $LEAST: SYMPOZIUM_NATS_SERVER, else the one on PATH,
# else Debian's of $NATS_SUITE, which is unpacked once and kept. Needs no root. On a machine that is not Debian's, put
# one on PATH.
set -euo pipefail
LEAST=2.12
NATS_SUITE=${SYMPOZIUM_NATS_SUITE:-forky} # trixie has 2.10

new() { # is this program there, and new enough?
  local version
  version=$("$1" --version 2>/dev/null | grep -oE '[0-9]+\.[0-9]+\.[0-9]+' | head -n 1) || return 1
  printf '%s\n' "$LEAST" "$version" | sort -CV
}

if [ -n "${SYMPOZIUM_NATS_SERVER:-}" ]; then
  new "$SYMPOZIUM_NATS_SERVER" && echo "$SYMPOZIUM_NATS_SERVER" && exit
  echo "nats-server.sh: SYMPOZIUM_NATS_SERVER is no nats-server of at least $LEAST: $SYMPOZIUM_NATS_SERVER" >&2
  exit 1
fi
found=$(command -v nats-server || true)
if [ -n "$found" ] && new "$found"; then
  echo "$found"
  exit
fi
folder=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/sympozium/nats/$NATS_SUITE
if ! new "$folder/bin/nats-server"; then
  # shellcheck source=tests/compose/engine/debian.sh
  . "$(dirname "$0")/../compose/engine/debian.sh"
  # shellcheck source=tests/compose/engine/unpack.sh
  . "$HERE/unpack.sh"
  mkdir -p "$folder"
  exec 9>"$folder/lock" # two at once would unpack the same
  flock 9
  new "$folder/bin/nats-server" || rm -f "$folder/bin/nats-server"
  unpack "$NATS_SUITE" "$folder" nats-server:nats-server >&2
  new "$folder/bin/nats-server" || fail "the nats-server of Debian $NATS_SUITE is older than $LEAST, or does not run here"
fi
echo "$folder/bin/nats-server"
