"""The words that all else is made of: servers, ports, packages, subnets, problems."""
