"""Every way in and out of a cluster, and what must hold of a network that exists already."""
