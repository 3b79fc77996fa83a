# What the scripts beside it share: where things are kept, Debian's mirror, and images made from its packages. Sourced.
# shellcheck shell=bash disable=SC2034
SUITE=${SYMPOZIUM_SUITE:-trixie} # of the images, and of the engine's packages
KEPT=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/sympozium/engine
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
ROOT=$(cd "$HERE/../../.." && pwd)
export LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive
mkdir -p "$KEPT"

say() { echo "$(basename "$0"): $*" >&2; }
fail() {
  say "$*"
  exit 1
}

again() { # mirrors and proxies fail now and then: a command, up to three times
  local try
  for try in 1 2 3; do
    "$@" && return
    say "try $try failed: $1 ${2:-}"
    sleep 2
  done
  return 1
}

mirror() { # the one that this machine's apt uses, in either of apt's two formats
  local found
  found=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null | grep -v '^#' |
    grep -oE '[a-z+]+:/[^] ]*/debian/?([[:space:]]|$)' | head -n 1 | tr -d '[:space:]') || true
  [ -n "$found" ] || fail "/etc/apt names no mirror of Debian: this works on Debian alone"
  echo "${found%/}"
}

install() { # packages of this machine's own suite, by their commands: COMMAND:PACKAGE...
  local pair missing=()
  for pair in "$@"; do command -v "${pair%%:*}" >/dev/null || missing+=("${pair#*:}"); done
  [ ${#missing[@]} -gt 0 ] || return 0
  [ "$(id -u)" = 0 ] || fail "this machine has no ${missing[*]}: install them, or run this as root"
  # an archive folder of its own: apt in container images is often set up to empty the usual one after any update
  local own=(apt-get -qq -o DPkg::Lock::Timeout=300 -o Dir::Cache::archives="$KEPT/archives")
  mkdir -p "$KEPT/archives/partial"
  local wanted=(install --yes --no-install-recommends --no-remove --no-upgrade "${missing[@]}")
  "${own[@]}" "${wanted[@]}" >"$KEPT/install.log" 2>&1 || {
    again "${own[@]}" update
    again "${own[@]}" "${wanted[@]}" >"$KEPT/install.log" 2>&1 || fail "$(tail -n 3 "$KEPT/install.log")"
  }
  rm -rf "$KEPT/archives"
}

have_image() { # NAME RECIPE: is it there, and made by this recipe?
  [ "$(docker image inspect -f '{{index .Config.Labels "recipe"}}' "$1" 2>/dev/null)" = "$2" ]
}

make_image() { # NAME RECIPE MMDEBSTRAP-ARGUMENT...: an image of Debian's packages; its tar is kept for the next engine
  local name=$1 recipe=$2 tar url
  shift 2
  tar=$KEPT/${name//[:\/]/-}-$recipe.tar
  if [ ! -s "$tar" ]; then
    install mmdebstrap:mmdebstrap
    url=$(mirror)
    # a file, and no pipe into the import: a build that failed would be imported as an empty image
    # shellcheck disable=SC2016 # the hook's own variable
    TMPDIR=/dev/shm mmdebstrap --variant=minbase --format=tar --quiet \
      --keyring=/usr/share/keyrings/debian-archive-keyring.gpg \
      --aptopt='Acquire::Languages "none"' --aptopt='Acquire::Check-Valid-Until "false"' \
      --customize-hook='rm -rf "$1"/usr/share/man/* "$1"/usr/share/locale/*; find "$1"/usr/share/doc -type f ! -name copyright -delete' \
      "$@" "$SUITE" "$tar.part" "deb $url $SUITE main"
    mv "$tar.part" "$tar"
  fi
  docker import -c "LABEL recipe=$recipe" -c 'ENV PATH=/usr/local/bin:/usr/bin:/bin' -c 'ENV LANG=C.UTF-8' "$tar" "$name" >/dev/null
  say "made $name"
}
