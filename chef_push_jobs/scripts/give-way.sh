#!/bin/sh
# Let the standby take over from this backend, or let this backend take part again.
#
#   do  `stop` or `start` keepalived
: "${do?}"
set -eu
chef-server-ctl "$do" keepalived
