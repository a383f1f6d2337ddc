"""A highly available Chef server with push jobs: the settings, the servers, the two rollouts, and what they tell."""

from pathlib import Path

import pulumi

from components import chef_server, push_jobs
from components.configuration import read_settings
from components.network import ChefNetwork
from components.rollout import Rollout
from components.servers import ChefServers

settings = read_settings(Path(__file__).parent)
network = ChefNetwork("network", settings)
servers = ChefServers("servers", settings, network).servers

chef = Rollout(chef_server.NAME, chef_server.STEPS, settings, servers)
push = Rollout(
    push_jobs.NAME,
    push_jobs.STEPS,
    settings,
    servers,
    firewall=network.push_jobs_rules,
    after=chef,
)

pulumi.export("servers", {name: server.summary for name, server in servers.items()})
pulumi.export("ports", push_jobs.ports(settings))
pulumi.export("test", push.output("test"))
