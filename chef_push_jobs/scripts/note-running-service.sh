#!/bin/sh
# On a server that is taken over: note what the push jobs service that already runs there was started with.
set -eu
. library/service.sh
umask 077
[ -e "$started_with" ] || [ -z "$(running)" ] || inputs > "$started_with"
