"""The TCP ports of Chef server itself, each with its reason (Chef docs, "Firewalls and ports", F10). Pure."""

from __future__ import annotations

# What clients (knife, chef-client) use, on the servers that answer them.
ENTRY_PORTS = {443: "Chef server API over HTTPS", 80: "redirect to HTTPS"}

# What frontends use on backends.
BACKEND_PORTS = {
    4321: "bookshelf",
    5432: "PostgreSQL",
    5672: "RabbitMQ",
    8000: "erchef",
    8983: "Solr",
    9683: "oc_bifrost",
    16379: "Redis",
}

# What the two backends of an ha cluster use between each other.
REPLICATION_PORTS = {7788: "DRBD replication"}

RESERVED = {**ENTRY_PORTS, **BACKEND_PORTS, **REPLICATION_PORTS}
