"""A highly available Chef server with push jobs: the settings, the servers, the two rollouts, and what they tell."""

from pathlib import Path

import pulumi

from components import chef_server, push_jobs
from components.configuration import read_settings
from components.connection import Cluster
from components.entry import ChefEntry
from components.existing import ExistingServers
from components.lookup import look_up
from components.network import ChefNetwork
from components.rollout import Rollout
from components.servers import ChefServers

settings = read_settings(Path(__file__).parent)

cluster: Cluster
if settings.existing:
    cluster = ExistingServers("servers", settings)
else:
    network = ChefNetwork("network", settings, look_up(settings))
    cluster = made = ChefServers("servers", settings, network)
    entry = ChefEntry("entry", settings, network, made.machines)
    pulumi.export("entry", {"apiFqdn": settings.api_fqdn, "loadBalancer": entry.address})
    if made.bastion:
        pulumi.export("bastion", made.bastion.summary)

chef = None
if settings.runs_chef_server_runbook:
    chef = Rollout(chef_server.NAME, chef_server.STEPS, settings, cluster.servers)

push = Rollout(push_jobs.NAME, push_jobs.STEPS, settings, cluster.servers, firewall=cluster.firewall, after=chef)
cluster.depart_after(push.last)

pulumi.export("servers", {name: server.summary for name, server in cluster.servers.items()})
pulumi.export("ports", push_jobs.ports(settings))
pulumi.export("test", push.output("test"))
