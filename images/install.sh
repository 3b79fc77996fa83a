#!/bin/sh
# Installs packages where the interpreter of the image finds them, below /out: compiled, and with fixed times.
set -eu
site=$(python3 -c 'import site; print(site.getsitepackages()[0])')
mkdir -p "/out$site" /out/usr/local/bin
python3 -m pip install --quiet --root-user-action ignore --no-index --no-compile --target "/out$site" "$@"
if [ -d "/out$site/bin" ]; then
  mv "/out$site/bin"/* /out/usr/local/bin/
  rmdir "/out$site/bin"
fi
sh "$(dirname "$0")/pick.sh" /out "/out$site"
python3 -m compileall -q -j 0 -s /out --invalidation-mode unchecked-hash "/out$site" >/dev/null
find /out -exec touch -h -d "@${SOURCE_DATE_EPOCH:-0}" {} +
