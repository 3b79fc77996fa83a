#!/bin/bash
# Renews images/constraints.txt: the newest versions of what our packages and the build itself need, and of what these
# need. As wheels for Python 3.13; where an image's interpreter needs another package, its build says so.
set -euo pipefail
cd "$(dirname "$0")/.."
PYTHON=${PYTHON:-python3}
mapfile -t wanted < <("$PYTHON" images/requirements.py .)
"$PYTHON" -m pip install --quiet --disable-pip-version-check --dry-run --ignore-installed --report - --target /nowhere \
  --only-binary=:all: --python-version 3.13 --platform "manylinux2014_$(uname -m)" --platform "manylinux_2_28_$(uname -m)" \
  hatchling installer "${wanted[@]}" |
  "$PYTHON" -c 'import json, sys
found = (one["metadata"] for one in json.load(sys.stdin)["install"])
print(*sorted(one["name"].lower().replace("_", "-") + "==" + one["version"] for one in found), sep="\n")' >images/constraints.txt.new
mv images/constraints.txt.new images/constraints.txt
