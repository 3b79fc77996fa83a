#!/bin/sh
# Makes ./bus: keys, the server's accounts, and a token for each service. Nothing that is there is made anew.
set -eu
umask 077
cd "$(dirname "$0")"
mkdir -p bus/store bus/memory
[ -e bus/access.conf ] || sympozium-bus-auth keys bus/keys > bus/access.conf
token() { sympozium-bus-auth token --key bus/keys/token.key --lasts 30d service "$@"; }
[ -e bus/model.token ] || token model > bus/model.token
[ -e bus/memory.token ] || token memory-notes --participant memory > bus/memory.token
