#!/bin/bash
# sympozium-tools:$SUITE, where the packs' binaries come from if no registry is reached: what the stage `tools` of
# images/Dockerfile is otherwise. Debian's packages, helm from its Go module, llmfit from its wheel, nats-server from a
# newer suite of Debian's. Some minutes of compiling the first time, then kept. Needs an engine (engine.sh) and, the
# first time, root.
set -euo pipefail
# shellcheck source=tests/compose/engine/debian.sh
. "$(dirname "$0")/debian.sh"
default() { sed -nE "s/^variable \"$1\" \{ default = \"([^\"]*)\".*/\1/p" "$ROOT/docker-bake.hcl"; }
HELM=${HELM:-$(default HELM)}
LLMFIT=${LLMFIT:-$(default LLMFIT)}
NATS=$(SYMPOZIUM_NATS_SERVER='' bash "$ROOT/tests/support/nats-server.sh") || exit
OWN=$KEPT/own/helm-$HELM-llmfit-$LLMFIT
RECIPE=$({ echo "$HELM $LLMFIT $(sha256sum <"$NATS")"; cat "$HERE/tools.sh" "$HERE/debian.sh" "$ROOT/images/tools.txt"; } | sha256sum | cut -c-12)
have_image "sympozium-tools:$SUITE" "$RECIPE" && exit
mkdir -p "$OWN"

if [ ! -x "$OWN/helm" ]; then
  command -v go >/dev/null || fail "there is no go, which compiles helm"
  say "compiling helm $HELM"
  GOBIN=$OWN.part CGO_ENABLED=0 go install -trimpath -ldflags='-s -w' "helm.sh/helm/v3/cmd/helm@v$HELM" \
    2>"$KEPT/helm.log" || fail "$(tail -n 3 "$KEPT/helm.log")"
  mv "$OWN.part/helm" "$OWN/helm"
fi
if [ ! -x "$OWN/llmfit" ]; then
  wheel=$(mktemp -d)
  "${PYTHON:-python3}" -m pip download --quiet --no-deps --dest "$wheel" "llmfit==$LLMFIT"
  "${PYTHON:-python3}" -m zipfile -e "$wheel"/*.whl "$wheel/files"
  find "$wheel/files" -type f -name llmfit -exec cp {} "$OWN/llmfit" \;
  chmod 755 "$OWN/llmfit"
  rm -rf "$wheel"
fi
make_image "sympozium-tools:$SUITE" "$RECIPE" --include="$(paste -sd, "$ROOT/images/tools.txt")" \
  --customize-hook="copy-in $OWN/helm $OWN/llmfit $NATS /usr/local/bin"
