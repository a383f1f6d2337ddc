set -eu
printf '%s\n' 'KERNEL=="nvme*", ENV{DEVTYPE}=="disk", ATTRS{serial}=="vol0123456789abcdef0", SYMLINK+="xvdf"' > /etc/udev/rules.d/70-chef-data.rules
udevadm control --reload
udevadm trigger --subsystem-match=block --settle
