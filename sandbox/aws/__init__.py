"""The AWS API of a sandbox: moto, changed until it refuses what AWS refuses, with a host for each instance.

It serves the requests of EC2, ELB v2, IAM, Route 53, STS and KMS that a stack makes, in one process in the operator's
namespace. moto alone would accept a program that fails on AWS, for instance one that deletes a VPC still in use.

    api_server.py             the process: settings, start, stop
    moto_patches.py           the table of patched methods: start reading here
    moto_wrapping.py          how a method is patched
    ec2_validation/           checks before a change: what EC2 refuses and moto does not
    moto_fixes.py             what moto does wrongly
    instances.py              boots, stops, starts, reboots and ends the host of an instance
    host_firewalls.py         keeps each host's firewall as its security groups say
    amis.py                   the machine images
    preexisting_resources.py  what the account has before any stack: a hosted zone, and another team's VPC
    request_interceptor.py    records each action, and answers with an injected fault
    string_validation.py      refuses strings that AWS refuses
    fault_injection.py        the table of faults, and those that wait for a request
    metadata_service.py       what an instance finds at 169.254.169.254: metadata, credentials, the EC2 API
    resolver.py               what it finds at 169.254.169.253: names
    load_balancers.py         the traffic of load balancers
    iam_policies.py           whether an instance's role allows a request

Error codes and messages are those of AWS. Left out: traffic through route tables and NAT gateways (the API holds them,
the network does not), block devices, signatures, and IAM for the operator's own requests.
"""
