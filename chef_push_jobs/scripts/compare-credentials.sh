#!/bin/sh
# On a server that is taken over, before anything is changed anywhere: refuse if the copy would replace credentials that
# push jobs uses here with different ones.
#
#   name     this server's name in the stack
#   primary  the name of the server whose credentials are copied to all others
#   theirs   the digest of those, as that server reported it; "none", or empty if an older version connected it
: "${name?}" "${primary?}" "${theirs?}"
set -eu
. library/cluster.sh
. library/service.sh
. library/credentials.sh
umask 077
here=$(credentials_digest "$etc" "$stored")
if [ "$here" = none ] || [ -z "$theirs" ]; then
  echo "there are no push jobs credentials to replace here"
elif [ "$here" = "$theirs" ]; then
  note_credentials
  echo "credentials $here: the same as on $primary"
elif [ "$here" = "$(cat "$given" 2> /dev/null)" ]; then
  echo "credentials $here were written by this rollout; those of $primary replace them"
elif [ "$theirs" != none ] && [ -z "$(running)" ]; then
  echo "credentials $here, which no running push jobs uses; those of $primary, $theirs, replace them"
else
  at_work="push jobs does not run here now"
  if [ -n "$(running)" ]; then at_work="push jobs runs here, and this server is $(cluster_status)"; fi
  has="set $theirs"
  if [ "$theirs" = none ]; then has=none; fi
  echo "$name has push jobs credentials that would be lost: set $here; $at_work"
  echo "$primary, the first of the stack's servers, has $has"
  echo "Rule: the first server's credentials are copied to all others; clients only trust those that push jobs runs with."
  echo "Do:   list the server with the right set first in \`servers\` of the stack file (the master);"
  echo "      or, if those of $primary are right, let them replace this set (a copy stays in $given-before):"
  echo "      echo $here | sudo tee $given   # on $name"
  exit 1
fi
