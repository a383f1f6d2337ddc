#!/bin/sh
# Wait for cloud-init, which gives a new server its name. Its exit status 2 means: done, with warnings.
set -eu
if command -v cloud-init > /dev/null; then
  booted=0
  cloud-init status --wait > /dev/null || booted=$?
  if [ "$booted" != 0 ] && [ "$booted" != 2 ]; then
    tail -n 10 /var/log/cloud-init-output.log
    echo "the first boot failed (cloud-init; its log is above):"
    cloud-init status --long
    exit "$booted"
  fi
fi
