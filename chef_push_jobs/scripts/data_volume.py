"""The data volume of backends that fail over: how it is named, made ready and mounted."""

from __future__ import annotations

from shlex import quote

# Where chef-ha looks for the data; volume group and logical volume must have these names.
GROUP, LOGICAL, DATA = "chef", "data", "/var/opt/opscode/drbd/data"


def require_lvm() -> str:
    """Cloud images have it mostly."""
    return """\
set -eu
if ! command -v vgcreate > /dev/null; then
  if command -v apt-get > /dev/null; then
    apt-get -o DPkg::Lock::Timeout=600 install -y lvm2
  else
    yum install -y lvm2
  fi
fi
"""


def name_device(volume: str, device: str) -> str:
    """Has the kernel call the volume `device` on Nitro machines too, where volumes are found in any order.

    So it can be the name that EC2 attaches it by, and the one that Chef server looks for, on every type of machine.
    """
    serial, link = volume.replace("-", ""), device.removeprefix("/dev/")
    rule = f'KERNEL=="nvme*", ENV{{DEVTYPE}}=="disk", ATTRS{{serial}}=="{serial}", SYMLINK+="{link}"'
    return f"""\
set -eu
printf '%s\\n' {quote(rule)} > /etc/udev/rules.d/70-chef-data.rules
udevadm control --reload
udevadm trigger --subsystem-match=block --settle
"""


def prepare_volume(device: str, vip: str) -> str:
    """Makes LVM and a filesystem on the empty volume, and mounts it: what Chef's documentation has by hand.

    Where the other backend holds the address already, it is master and has the volume: nothing is done. What is on the
    volume is never touched: pvcreate and mkfs refuse it, since nobody answers their question.
    """
    return f"""\
set -eu
device={quote(device)} vip={quote(vip)} data={DATA} tries=0
if ! ip -4 address show | grep -qF "inet $vip/" && ping -c 1 -W 2 "$vip" > /dev/null 2>&1; then
  echo "the other backend is master, and has the volume"
  exit 0
fi
until [ -b "$device" ]; do
  tries=$((tries + 1))
  if [ "$tries" = 60 ]; then
    echo "the volume is not here: the kernel has no $device" >&2
    echo "see lsblk and aws ec2 describe-volumes, and set highAvailability.device to what the kernel calls it" >&2
    exit 1
  fi
  sleep 2
done
if ! vgs {GROUP} > /dev/null 2>&1; then
  pvcreate "$device" < /dev/null
  vgcreate {GROUP} "$device"
fi
vgchange -a y {GROUP}
if ! lvs {GROUP}/{LOGICAL} > /dev/null 2>&1; then
  lvcreate -l 85%VG -n {LOGICAL} {GROUP} < /dev/null
fi
if ! blkid /dev/{GROUP}/{LOGICAL} > /dev/null; then
  mkfs.ext4 /dev/{GROUP}/{LOGICAL} < /dev/null
fi
mkdir -p "$data"
if ! mountpoint -q "$data"; then mount /dev/{GROUP}/{LOGICAL} "$data"; fi
"""
