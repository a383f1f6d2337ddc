#!/bin/sh
# Install LVM if the image does not have it.
set -eu
if ! command -v vgcreate > /dev/null; then
  if command -v apt-get > /dev/null; then
    apt-get -o DPkg::Lock::Timeout=600 install -y lvm2
  else
    yum install -y lvm2
  fi
fi
