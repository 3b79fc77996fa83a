#!/usr/bin/env bash
# A participant in bash and jq with one tool, word_count. Files are its whole interface: see protocol/README.md.
set -u
name=$SYMPOZIUM_PARTICIPANT own=$SYMPOZIUM_IPC/$SYMPOZIUM_PARTICIPANT
call=$(mktemp) && trap 'rm -f "$call"' EXIT && trap exit TERM INT
declare -A seen

publish() { # $1 = path: what stands on standard input appears there whole, and replaces nothing
  cat >"${1%/*}/.${1##*/}" && mv -n "${1%/*}/.${1##*/}" "$1"
}

reply() { # $1 = id, $2 = digest, $3 = outcome; the words for the model on standard input
  jq -Rsc --arg id "$1" --arg digest "$2" --arg outcome "$3" \
    '{kind: "Reply", $id, $digest, $outcome, content: [{type: "text", text: .}]}' | publish "$own/replies/$1.json"
}

act() { # $1 = id, $2 = digest: $call was allowed, and its bytes are those that were judged
  jq -nc --arg id "$1" --arg digest "$2" '{kind: "Started", $id, $digest}' | publish "$own/started/$1"
  [ -e "$SYMPOZIUM_IPC/agent/withdrawn/$name/$1" ] && { echo "withdrawn" | reply "$1" "$2" cancelled; return; }
  case $(jq -r '.tool?' "$call") in
    word_count) jq -r '.arguments.text // ""' "$call" | wc -w | reply "$1" "$2" ok ;;
    *) echo "There is no such tool; there is word_count." | reply "$1" "$2" error ;;
  esac
}

life=$(find "$own/tools" -name '[1-9]*.json' | wc -l)
jq -nc --arg participant "$name" '{kind: "Manifest", protocol: "v1", $participant, tools: [{name: "word_count",
  description: "Count the words of a text.", parameters: {type: "object", required: ["text"],
  properties: {text: {type: "string"}}}}]}' | publish "$own/tools/$((life + 1)).json"

while touch "$own/alive" && sleep 0.05; do
  for verdict in "$SYMPOZIUM_IPC/bridge/verdicts/$name"/*.json; do
    id=${verdict##*/} id=${id%.json}
    [[ -f $verdict && $id =~ ^[a-z0-9][a-z0-9-]{0,62}$ && ! -v seen[$id] && ! -e $own/replies/$id.json ]] || continue
    seen[$id]=1
    # the call is read once, through no link and without waiting; what is acted on is the copy that was compared
    dd if="$SYMPOZIUM_IPC/agent/calls/$name/$id.json" of="$call" iflag=nonblock,nofollow bs=1M count=1 status=none
    digest=$(sha256sum <"$call") && digest=${digest%% *}
    jq -es --arg digest "$digest" '.[0] | .kind == "Verdict" and .decision == "allow" and .digest == $digest' "$verdict" &&
      [ ! -e "$SYMPOZIUM_IPC/agent/withdrawn/$name/$id" ] && act "$id" "$digest"
  done >/dev/null 2>&1
done
