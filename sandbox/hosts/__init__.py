"""The instances: Linux hosts in network namespaces, reached over SSH as on AWS.

A host has an address on the sandbox's bridge, a root of its own, a small init as pid 1, and sshd. It boots, runs its
user data once, reboots, and ends. Its root is an overlay: a Debian of the hosts' own, below a layer of base files, a
layer for its image, and a disk of its own in memory.

    host.py            boots, stops, starts, reboots, ends and lists hosts: start reading here
    registry.py        which hosts exist: one JSON file each
    launch.py          starts pid 1 in new namespaces with few capabilities; `setup.sh` mounts its root
    root_image.py      the system below all of them: Debian, made once per user
    layers.py          the base layer, from `sandbox/rootfs`
    image_builder.py   a layer with packages that dpkg has installed
    network.py         the bridge and the namespaces on it
    traits.py          what people's servers have: shells, keys, sudo; scripts that give a host such a trait
    nftables.py        the rules of security groups as an nftables script

Real: the kernel, TCP, SSH, dpkg, sudo, users and file modes, and a firewall that is closed before the first packet.
Left out: systemd, cloud-config (user data must be a script), block devices, IPv6, a clock or kernel of each host's own,
and limits on memory and CPU. Root on a host lacks the capabilities that reach beyond it, such as mounting.

Knows nothing of AWS: `sandbox.aws` turns instances into hosts, and the benchmark boots hosts without it.
"""
