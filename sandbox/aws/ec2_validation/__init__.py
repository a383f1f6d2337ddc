"""Checks before a change: what EC2 and ELB refuse, and moto does not.

A check is a function of moto's backend and the request's arguments by name. It returns nothing, or it raises AWS's own
error through `refuse`. `sandbox/aws/moto_patches.py` says which method has which check.

    networks.py      VPCs, subnets, route tables, internet gateways
    edge.py          load balancers, NAT gateways, elastic addresses
    compute.py       security groups, instances, key pairs
    attachments.py   volumes and secondary addresses of instances
    refusals.py      `refuse`

`edge.py` and `attachments.py` also hold the fixes of the same resources. Left out: quotas other than five security
groups an interface (they are injected as faults), and everything that moto refuses by itself.
"""
