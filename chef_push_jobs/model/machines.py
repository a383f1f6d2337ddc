"""What stops a machine that is changed in place, and which machine stops after which. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from chef_push_jobs.model.topology import Topology

# Of aws:ec2/instance:Instance. Source: terraform-provider-aws, internal/service/ec2/ec2_instance.go
# (modifyInstanceAttributeWithStopStart). All are computed too: where the program says nothing, what there is stays.
STOPPING = ("instanceType", "userData", "userDataBase64")


def stops(before: Mapping[str, object], after: Mapping[str, object]) -> bool:
    """Whether an update from the one to the other inputs stops the machine and starts it again."""
    return any(after.get(name) not in (None, before.get(name)) for name in STOPPING)


def rank(name: str, topology: Topology) -> int:
    """Machines of a lower rank stop first: the bastion, then the frontends as they are listed, then the backends.

    Backends have the same rank: which of them is the standby shows only then.
    """
    first_to_last = [server.name for server in topology.frontends]
    if name in first_to_last:
        return 1 + first_to_last.index(name)
    return 1 + len(first_to_last) if name in {server.name for server in topology.backends} else 0
