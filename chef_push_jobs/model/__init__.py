"""What everything else uses. Of this project, these modules only import each other.

topology.py     servers, their roles, and the sets of them that Chef server supports
packages.py     where a package comes from, and the version, system and architecture in its name
versions.py     which versions of push jobs, Chef server and the system work together
chef_settings.py the names that chef-server.rb knows
subnets.py      the address blocks of a VPC, and the address that moves between backends
flows.py        who connects to whom, by topology and version: the source of the firewall and of docs/chef.md
aws_strings.py  what AWS accepts in names, tags and descriptions
prices.py       AWS's prices and an account's first quotas: the tables in docs/aws.md
order.py        natural order: frontend-2 before frontend-10
problems.py     a mistake in the settings: what was given, the rule, what to do
"""
