"""Which changes stop a machine, and the order in which machines stop. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from chef_push_jobs.model.topology import Topology

# Of aws:ec2/instance:Instance. Source: terraform-provider-aws, internal/service/ec2/ec2_instance.go
# (resourceInstanceUpdate).
STOPPING = ("instanceType", "userData", "userDataBase64")
STOPPING_IF_GIVEN = ("capacityReservationSpecification",)  # removing it changes nothing


def stops(before: Mapping[str, object], after: Mapping[str, object]) -> bool:
    """Whether an update from one set of inputs to the other stops and restarts the machine."""
    changed = {name for name in (*STOPPING, *STOPPING_IF_GIVEN) if before.get(name) != after.get(name)}
    return any(name in STOPPING or after.get(name) for name in changed)


def rank(name: str, topology: Topology) -> int:
    """Machines of a lower rank stop first: the bastion, then the frontends in the order of the list, then the backends.

    Backends have the same rank, because the standby is only known at that moment.
    """
    first_to_last = [server.name for server in topology.frontends]
    if name in first_to_last:
        return 1 + first_to_last.index(name)
    return 1 + len(first_to_last) if name in {server.name for server in topology.backends} else 0
