#!/bin/sh
# Run the packages' own test of push jobs where the service runs: a standby, where it is down, says so and does nothing.
set -eu
. library/cluster.sh
is=$(cluster_status)
if [ "$is" != master ]; then
  echo "this backend is $is, not master: nothing was tested here"
  exit 0
fi
opscode-push-jobs-server-ctl test
