#!/bin/sh
# Makes a host's root and starts its pid 1 there, without the rights that would reach beyond the host.
# Runs in the host's new mount, pid, uts and ipc namespaces, with the variables that sandbox/hosts/host.py gives it.
set -eu

read -r pid rest </proc/self/stat
echo "$pid" >"$HOST_DIR/init.pid"
ip -batch "$HOST_DIR/network"

mount -t overlay -o "lowerdir=$LOWER,upperdir=$HOST_DIR/root,workdir=$HOST_DIR/root.work,redirect_dir=on" \
    overlay "$HOST_DIR/mnt"
mount -t proc -o nosuid,nodev,noexec proc "$HOST_DIR/mnt/proc"
# What a volume holds: all hosts have it, and none looks at it unless the volume is attached to it.
mkdir -p "$HOST_DIR/../../volumes"
mount --bind "$HOST_DIR/../../volumes" "$HOST_DIR/mnt/usr/lib/chef-sandbox/volumes"

cd "$HOST_DIR/mnt"
pivot_root . mnt
cd /
umount -l /mnt
for interface in all default; do
    [ ! -e /proc/sys/net/ipv6 ] || echo 1 >"/proc/sys/net/ipv6/conf/$interface/disable_ipv6"
done
read -r name </etc/hostname
echo "$name" >/proc/sys/kernel/hostname
while read -r source target rest; do
    [ ! -e "$target" ] || echo "$source $target $rest" # not every kernel has each file in /proc
done </usr/lib/chef-sandbox/fstab >/etc/fstab
mount -a

exec env -i --default-signal "PATH=$HOST_PATH" HOME=/root LANG=C.UTF-8 \
    setpriv "--bounding-set=$CAPABILITIES" --inh-caps=-all "$@"
