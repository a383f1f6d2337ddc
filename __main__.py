"""A highly available Chef server with push jobs: the settings, the servers, the two rollouts, and what they tell."""

from pathlib import Path

import pulumi

from components import chef_server, push_jobs
from components.configuration import read_settings
from components.connection import Cluster
from components.existing import ExistingServers
from components.high_availability import HighAvailability
from components.network import ChefNetwork
from components.rollout import Rollout
from components.servers import ChefServers

settings = read_settings(Path(__file__).parent)

cluster: Cluster
if settings.existing:
    cluster = ExistingServers("servers", settings)
else:
    network = ChefNetwork("network", settings)
    availability = HighAvailability("availability", settings, network) if settings.file.high_availability else None
    cluster = ChefServers("servers", settings, network, availability)

chef = None
if settings.runs_chef_server_runbook:
    chef = Rollout(chef_server.NAME, chef_server.STEPS, settings, cluster.servers)

push = Rollout(push_jobs.NAME, push_jobs.STEPS, settings, cluster.servers, firewall=cluster.firewall, after=chef)
cluster.depart_after(push.last)

pulumi.export("servers", {name: server.summary for name, server in cluster.servers.items()})
if settings.vip:
    pulumi.export("vip", settings.vip)
pulumi.export("ports", push_jobs.ports(settings))
pulumi.export("test", push.output("test", push_jobs.tested))
