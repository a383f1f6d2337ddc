#!/bin/sh
# Create LVM and a filesystem on the empty data volume, and mount it, as Chef's documentation describes.
#
# chef-ha looks for the data in this volume group, logical volume and directory. If the other backend has the address
# that moves, it is the master and has the volume, so this does nothing. Existing data is never touched: pvcreate and mkfs
# refuse such a volume, because nobody answers their question.
#
#   device  the kernel's name for the volume
#   vip     the address that moves
: "${device?}" "${vip?}"
set -eu
data=/var/opt/opscode/drbd/data tries=0
if ! ip -4 address show | grep -qF "inet $vip/" && ping -c 1 -W 2 "$vip" > /dev/null 2>&1; then
  echo "the other backend is master and has the volume"
  exit 0
fi
until [ -b "$device" ]; do
  tries=$((tries + 1))
  if [ "$tries" = 60 ]; then
    echo "the volume is not attached here: the kernel has no device $device" >&2
    echo "look at lsblk and aws ec2 describe-volumes, and set highAvailability.device to the kernel's name for it" >&2
    exit 1
  fi
  sleep 2
done
if ! vgs chef > /dev/null 2>&1; then
  pvcreate "$device" < /dev/null
  vgcreate chef "$device"
fi
vgchange -a y chef
if ! lvs chef/data > /dev/null 2>&1; then
  lvcreate -l 85%VG -n data chef < /dev/null
fi
if ! blkid /dev/chef/data > /dev/null; then
  mkfs.ext4 /dev/chef/data < /dev/null
fi
mkdir -p "$data"
if ! mountpoint -q "$data"; then mount /dev/chef/data "$data"; fi
