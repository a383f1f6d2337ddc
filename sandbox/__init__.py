"""A whole cloud on one Linux machine, for the README's first command and for the tests.

A sandbox plays everything around the program: AWS, its instances, the packages that are installed on them, and the
workstation of the operator who runs Pulumi. The program does not know about it: a stack on the sandbox differs from one
on AWS by its settings alone.

    hosts/      the instances: network namespaces with a root, an init and sshd
    aws/        the AWS API: moto, as strict as EC2, and what an instance finds at 169.254.169.254
    packages/   stand-ins for the .deb packages of Chef server and push jobs
    plugins/    stand-ins for Pulumi's plugins, for machines that cannot download the official ones
    operator/   the operator's workstation, and the Pulumi engine on it
    rootfs/     the files of every host that its Debian does not have

`python -m sandbox` is the command line (`__main__.py`); `lifecycle.py` starts and stops a sandbox; `paths.py` says
where it keeps its files; `prerequisites.py`, `processes.py`, `cache.py` and `locks.py` are shared helpers.

Several sandboxes can run on one machine, each with a name. Each keeps its files below /run/chef-sandbox/NAME and its
processes in network namespaces named after it, so `stop` removes all of them, even after a crash.

Left out: more than one machine, systemd on the hosts, IPv6, and traffic through route tables and NAT gateways.
"""
