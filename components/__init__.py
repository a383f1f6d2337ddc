"""A Chef server cluster with push jobs, as Pulumi components. Everything that imports Pulumi is here, and nothing else.

`ChefPushJobsCluster` (cluster.py) is the whole cluster. It checks its settings, and makes these, one noun a file:

    Network           network.py            VPC (vpc.py), subnets, security groups and their rules
    HighAvailability  high_availability.py  what fails over between two backends: volume, address, role
    Servers           servers.py            machines, and the bastion to them (bastion.py)
    ExistingServers   existing_servers.py   in place of all the above, servers that are there already
    LoadBalancer      load_balancer.py      how clients reach Chef server
    Rollout           rollout.py            the tasks of a runbook on the servers, in their order; one a runbook

The project's own program (`__main__.py`) makes the same by `make_cluster`, as resources of the stack itself.

A component takes its name, typed arguments, and Pulumi's options: `Network("chef-network", NetworkArgs(...))`.
`arguments.py` says what each is given of the settings; the rest of `chef_push_jobs/` decides (which rules, which tasks)
and knows no Pulumi. Its arguments are its inputs in the state, but for outputs of other resources and for secrets; what
it is for others is registered as its outputs. All of its children are made in its constructor. Two components that need
each other are joined by `deferred.py`. Type tokens (`chef-push-jobs:index:ChefEntry`) are older than some class names,
and stay: they are part of every URN.

Names
-----
Every resource has one name within a cluster, by which documents, settings (`repair`) and logs speak of it:

    component    a noun                        network, servers, entry, push-jobs
    its child    COMPONENT-WHAT                network-internet, entry-443, availability-data
    a server     as the settings name it       backend-0, and bastion
    a rule       in- or out-, and what for     in-ssh-backend-10.8.0.0-24; a group is called by its tier: backend
    a task       RUNBOOK-STEP-SERVER           push-jobs-copy-backend-0; connect-backend-0 belongs to no runbook

In Pulumi, all names of `ChefPushJobsCluster("chef", ...)` have `chef-` before them, and so do the `Name` tags and what
AWS shows: chef-network, chef-backend-0, chef-push-jobs-copy-backend-0. So a program can hold several clusters. The
project's own program has one cluster, and nothing before the names. A component hands its `prefix` on; this folder
alone knows it. AWS allows 32 characters in a target group's name: so a cluster's name has at most 14.
"""
