"""The network as far as it can be decided without AWS.

    security_groups.py   the groups and every rule in and out, made from the table of flows
    existing_network.py  what must hold of a VPC, subnets and zones that exist already
    failover_policy.py   what a backend may do in AWS when it becomes master, and nothing else

`components/existing_network.py` asks AWS, `components/network.py` makes the resources.
"""
