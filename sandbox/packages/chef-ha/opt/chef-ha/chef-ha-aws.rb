# Stand-in: not read. The stand-in of chef-server-core has what this enables.
