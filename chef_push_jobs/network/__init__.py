"""What can be decided about the network without asking AWS.

    security_groups.py   the groups and all of their rules, made from the table of flows
    existing_network.py  requirements for an existing VPC, subnets and zones
    failover_policy.py   what a backend may do in AWS when it becomes master

`components/existing_network.py` asks AWS, `components/network.py` creates the resources.
"""
