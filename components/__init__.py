"""A Chef server cluster with push jobs, as Pulumi components. Everything that imports Pulumi is here, and nothing else.

`ChefPushJobsCluster` (cluster.py) is the whole cluster. It checks its settings and creates these, one noun per file:

    Network           network.py            VPC (vpc.py), subnets, security groups and their rules
    HighAvailability  high_availability.py  what fails over between two backends: volume, address, role
    Servers           servers.py            machines, and the bastion to them (bastion.py)
    ExistingServers   existing_servers.py   instead of all the above: servers that exist already
    LoadBalancer      load_balancer.py      how clients reach Chef server
    Rollout           rollout.py            the tasks of a runbook on the servers, in order; one for each runbook

The project's own program (`__main__.py`) calls `make_cluster` to create the same as resources of the stack itself.

A component takes its name, typed arguments, and Pulumi's options: `Network("chef-network", NetworkArgs(...))`.
`arguments.py` makes the arguments from the settings; the decisions (which rules, which tasks) are in `chef_push_jobs/`,
which does not know Pulumi. The arguments are the component's inputs in the state, except outputs of other resources and
secrets; what others need from it is registered as its outputs. It creates all of its children in its constructor.
`deferred.py` connects two components that need each other. Some type tokens (`chef-push-jobs:index:ChefEntry`) are
older than the class names, and stay: they are part of every URN.

Names
-----
Every resource has one name within a cluster, which documents, settings (`repair`) and logs use:

    component    a noun                        network, servers, entry, push-jobs
    its child    COMPONENT-WHAT                network-internet, entry-443, availability-data
    a server     as the settings name it       backend-0, and bastion
    a rule       in- or out-, and what for     in-ssh-backend-10.8.0.0-24; a group is called by its tier: backend
    a task       RUNBOOK-STEP-SERVER           push-jobs-copy-backend-0; connect-backend-0 belongs to no runbook

In Pulumi, all names of `ChefPushJobsCluster("chef", ...)` begin with `chef-`, and so do the `Name` tags and what AWS
shows: chef-network, chef-backend-0, chef-push-jobs-copy-backend-0. So a program can contain several clusters. The
project's own program has one cluster, and its names have no prefix. A component passes its `prefix` on; only this
folder uses it. AWS allows 32 characters in a target group's name, so a cluster's name has at most 14.
"""
