#!/bin/sh
# Copies programs, and the shared libraries that they load, into a directory that becomes a layer of an image.
# pick.sh OUT NAME|PATH...   A name is looked for on PATH; a directory is copied whole, with the libraries of all in it.
# One below OUT is there already: only its libraries are copied. HAVE names the layers below, whose files are not copied
# again: an engine may leave out of a layer what is there unchanged, or not, and the layer's digest would be chance.
set -eu
out=$1
shift

there() {
  for root in "$out" ${HAVE:-}; do
    if [ -e "$root$1" ] || [ -L "$root$1" ]; then return 0; fi
  done
  return 1
}

usr() { # Debian's merged directories: /bin/sh is /usr/bin/sh
  if [ -L "/$(echo "$1" | cut -d/ -f2)" ]; then echo "/usr$1"; else echo "$1"; fi
}

copy() { # one path, with the links on the way to it; never twice
  set -- "$(usr "$(realpath -s "$1")")"
  if there "$1"; then return 0; fi
  mkdir -p "$out$(dirname "$1")"
  cp -a "$1" "$out$1"
  [ -L "$1" ] || return 0
  target=$(readlink "$1")
  case $target in /*) ;; *) target=$(dirname "$1")/$target ;; esac
  copy "$target"
}

for link in bin lib lib64 sbin; do # the loader's own path leads through one of them
  if [ -L "/$link" ] && ! there "/$link"; then
    mkdir -p "$out/usr/$link"
    cp -a "/$link" "$out/$link"
  fi
done

for name in "$@"; do
  case $name in # the file, and not what a shell has of the same name
    /*) path=$name ;;
    *) path=$(which "$name") || { echo "pick.sh: there is no $name" >&2; exit 1; } ;;
  esac
  if [ -d "$path" ]; then
    case $path in "$out" | "$out"/*) ;; *) mkdir -p "$out$path" && cp -a "$path/." "$out$path" ;; esac
    found=$(find "$path" -type f \( -name '*.so*' -o -perm -100 \))
  else
    copy "$path"
    found=$(realpath "$path")
  fi
  for library in $(echo "$found" | xargs -r -n 200 sh -c 'ldd "$@" 2>/dev/null || true' sh |
    sed -nE 's/.*=> (\/[^ ]+).*/\1/p; s/^[[:space:]]+(\/[^ ]+) \(.*/\1/p' | sort -u); do
    copy "$library"
  done
done
