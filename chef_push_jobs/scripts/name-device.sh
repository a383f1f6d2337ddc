#!/bin/sh
# Have the kernel call the data volume by one name on Nitro machines too, where volumes are found in any order: the name
# that EC2 attaches it by, and the one that Chef server looks for.
#
#   serial  the volume's id without its hyphen, as the NVMe device has it
#   link    the name, below /dev/
: "${serial?}" "${link?}"
set -eu
printf 'KERNEL=="nvme*", ENV{DEVTYPE}=="disk", ATTRS{serial}=="%s", SYMLINK+="%s"\n' "$serial" "$link" \
  > /etc/udev/rules.d/70-chef-data.rules
udevadm control --reload
udevadm trigger --subsystem-match=block --settle
