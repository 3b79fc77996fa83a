# What up.sh and down.sh share: processes known by pid files, and waiting for them. Sourced.
# A pid file holds "PID STARTTIME" (field 22 of /proc/PID/stat): a pid that was given to another process since is not
# taken for ours.
# shellcheck shell=bash

log() { printf '[cluster %s] %s\n' "$(date +%H:%M:%S)" "$*" >&2; }

start_time() { # PID -> its start time in clock ticks; fails for none, and for a zombie
  local stat
  stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
  read -ra stat <<<"${stat##*) }"
  [ "${stat[0]}" != Z ] && echo "${stat[19]}"
}

pid_of() { # NAME -> its pid, if the process of that pid file still runs
  local pid started
  read -r pid started 2>/dev/null <"$STATE/run/$1.pid" || return 1
  [ "$(start_time "$pid")" = "$started" ] && echo "$pid"
}

alive() { # NAME...: do they all run?
  local name
  for name in "$@"; do pid_of "$name" >/dev/null || return 1; done
}

record() { echo "$2 $(start_time "$2")" >"$STATE/run/$1.pid"; } # NAME PID

fail() { # NAME MESSAGE: the end of its log, then exit: the caller's trap cleans up
  log "FAILED: $2"
  if [ -s "$STATE/log/$1.log" ]; then
    log "the end of $STATE/log/$1.log:"
    tail -n 25 "$STATE/log/$1.log" >&2
  fi
  exit 1
}

spawn() { # NAME COMMAND...: in a session of its own, with a log of its own and without the lock
  local name=$1
  shift
  setsid "$@" >>"$STATE/log/$name.log" 2>&1 </dev/null 9>&- &
  record "$name" $!
}

await() { # NAME SECONDS WHAT COMMAND...: until COMMAND succeeds; at once if NAME ends
  local name=$1 what=$3 end=$(($(date +%s) + $2))
  shift 3
  until "$@" >/dev/null 2>&1; do
    alive "$name" || fail "$name" "$name ended while waiting for $what"
    [ "$(date +%s)" -lt "$end" ] || fail "$name" "not in time: $what"
    sleep 0.1
  done
}

stop() { # NAME [SECONDS]: TERM, after that time KILL
  local pid tries=$((${2:-10} * 20))
  if pid=$(pid_of "$1"); then
    kill -TERM "$pid" 2>/dev/null
    while alive "$1" && [ $tries -gt 0 ]; do
      sleep 0.05
      tries=$((tries - 1))
    done
    if alive "$1"; then kill -KILL "$pid" 2>/dev/null; fi
  fi
  rm -f "$STATE/run/$1.pid"
}

veth_name() { # NET -> the host's end of the veth: of this state folder alone, whoever had that subnet before
  echo "sz${1#10.}-$(printf %s "$STATE" | cksum | cut -d' ' -f1 | tail -c 7)"
}
