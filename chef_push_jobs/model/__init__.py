"""What everything else speaks of. These modules import nothing of the project but each other.

topology.py     servers, their roles, and which sets of them Chef server knows
packages.py     where a package comes from, and what its name says of version, system and architecture
versions.py     which versions of push jobs, Chef server and the system go together
chef_settings.py the names that chef-server.rb knows
subnets.py      the address blocks of a VPC, and the address that moves between backends
flows.py        who connects to whom, by topology and version: the table behind firewall and docs/chef.md
aws_strings.py  what AWS allows in names, tags and descriptions
prices.py       what AWS takes, and how much an account may have at first: the tables of docs/aws.md
order.py        frontend-2 before frontend-10
problems.py     a mistake in the settings: what was given, the rule, what to do
"""
