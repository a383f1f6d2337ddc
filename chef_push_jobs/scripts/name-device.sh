#!/bin/sh
# Give the data volume one name in the kernel, also on Nitro machines, which number volumes in the order in which they find
# them: the name with which EC2 attaches it and that Chef server looks for.
#
#   serial  the volume's id without its hyphen, as the NVMe device has it
#   link    the name, below /dev/
: "${serial?}" "${link?}"
set -eu
printf 'KERNEL=="nvme*", ENV{DEVTYPE}=="disk", ATTRS{serial}=="%s", SYMLINK+="%s"\n' "$serial" "$link" \
  > /etc/udev/rules.d/70-chef-data.rules
udevadm control --reload
udevadm trigger --subsystem-match=block --settle
