"""The whole cluster as one resource of another program."""

import pulumi
from chef_push_jobs.components.cluster import ChefPushJobsCluster

NOT_YET = "0" * 64  # the SHA-256 of your own package
PACKAGES = "https://packages.example.com"

chef = ChefPushJobsCluster(
    "chef",
    {
        "topology": "ha",
        "domain": "chef.example.com",
        "frontends": 2,
        "clientCidrs": ["10.20.0.0/16"],
        "operatorCidrs": ["192.0.2.0/24"],
        "ssh": {"keyName": "operators"},
        "highAvailability": {
            "provider": "aws",
            "package": {"url": f"{PACKAGES}/chef-ha_1.0.0-1_amd64.deb", "sha256": NOT_YET},
        },
        "machines": {"image": {"id": "ami-0123456789abcdef0"}},
        "chefServer": {"package": {"url": f"{PACKAGES}/chef-server-core_12.19.31-1_amd64.deb", "sha256": NOT_YET}},
        "pushJobs": {
            "package": {"url": f"{PACKAGES}/opscode-push-jobs-server_2.2.8-1_amd64.deb", "sha256": NOT_YET},
        },
        "tags": {"team": "platform"},
    },
)

pulumi.export("servers", chef.servers)
pulumi.export("test", chef.test)
