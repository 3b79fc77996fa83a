# Programs of a Debian suite newer than the machine's own, unpacked into a folder and not installed: the machine's apt
# and dpkg know nothing of them. Needs no root. Sourced after debian.sh.
# shellcheck shell=bash

# unpack SUITE FOLDER PACKAGE:COMMAND...: those that FOLDER/bin lacks, by an apt with lists and settings of its own. The
# caller holds a lock of the folder.
unpack() {
  local suite=$1 folder=$2 pair missing=() apt=$2/apt work url
  shift 2
  for pair in "$@"; do [ -x "$folder/bin/${pair#*:}" ] || missing+=("${pair%%:*}"); done
  [ ${#missing[@]} -gt 0 ] || return 0
  url=$(mirror)
  rm -rf "$folder"/unpack.* # of a try that failed
  mkdir -p "$folder/bin" "$apt"/{etc/parts,state/lists/partial,cache/archives/partial}
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $url $suite main" >"$apt/etc/sources.list"
  cat >"$apt/apt.conf" <<CONF
Dir::Etc::main "/dev/null"; Dir::Etc::parts "$apt/etc/parts"; Dir::Etc::preferencesparts "$apt/etc/parts";
Dir::Etc::sourcelist "$apt/etc/sources.list"; Dir::Etc::sourceparts "/dev/null";
Dir::State "$apt/state"; Dir::State::status "/dev/null"; Dir::Cache "$apt/cache";
Acquire::Languages "none"; Acquire::Check-Valid-Until "false"; APT::Sandbox::User "root";
CONF
  work=$(mktemp -d "$folder/unpack.XXXX")
  ( # apt compares each package with the signed index
    export APT_CONFIG=$apt/apt.conf
    cd "$work" || exit
    again apt-get -qq update
    again apt-get -qq download "${missing[@]}"
  )
  for pair in "$work"/*.deb; do dpkg-deb -x "$pair" "$work/files"; done
  find "$work/files/usr" -type f -perm -1 \( -path '*/bin/*' -o -path '*/sbin/*' -o -path '*/cli-plugins/*' \) \
    -exec mv -f -t "$folder/bin" {} +
  rm -rf "$work" "$apt/cache" "$apt/state"
  for pair in "$@"; do [ -x "$folder/bin/${pair#*:}" ] || fail "there is no ${pair#*:} in the package ${pair%%:*}"; done
}
