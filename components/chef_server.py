"""The runbook of Chef server itself: primary first, its /etc/opscode to the others, then those (F9). Pure.

Its settings file lists all servers. The backends follow each change of that list; a frontend reads of it only the
backends and itself, so that another frontend more or less is nothing to it.
"""

from __future__ import annotations

from collections.abc import Sequence

from components import commands
from components.cluster import Cluster
from components.push_jobs import copy, share
from components.runbook import (
    Step,
    backends,
    every,
    everywhere,
    of_primary,
    others,
    primary,
    primary_if_shared,
    same,
)
from components.settings import Settings
from components.topology import Server

NAME = "chef"
SETTINGS_FILE = "/etc/opscode/chef-server.rb"


def _install(cluster: Cluster, server: Server) -> str:
    package = cluster.settings.chef_server_package
    return commands.install(package, cluster.settings.file.ssh.user) if package else commands.require_chef_server()


def _configure(cluster: Cluster, server: Server) -> str:
    return commands.configure(SETTINGS_FILE, _settings_file(cluster, everywhere(cluster.topology)))


def _settings_file(cluster: Cluster, listed: Sequence[Server]) -> str:
    topology, chef_server = cluster.topology, cluster.settings.file.chef_server
    servers = [(s.fqdn, str(s.role), cluster.facts[s.name].address) for s in listed]
    return commands.chef_settings(topology.kind, cluster.settings.api_fqdn, servers, chef_server.settings)


def without_frontends(settings: Settings) -> str:
    """The settings file but for the list of frontends: what concerns every server."""
    listed = settings.topology.backends
    return _settings_file(Cluster(settings.topology, settings).symbolic(listed), listed)


STEPS = (
    Step("connect", on=everywhere),
    Step(
        "install",
        on=everywhere,
        script=_install,
        package=lambda settings: settings.chef_server_package,
        after=(same("connect", "the server must be up, and prepared for tasks"),),
        reruns_with=(same("connect", "a new machine has nothing installed"),),
        limit=1800,
    ),
    Step(
        "configure",
        on=primary,
        script=_configure,
        facts=everywhere,
        after=(
            same("install", "the package brings the folder of the file"),
            every("connect", "the file lists the address of every server"),
        ),
        reruns_with=(
            same("install", "a new machine has no settings"),
            every("connect", "a new machine may have a new address"),
        ),
        limit=60,
    ),
    Step(
        "reconfigure-primary",
        on=primary,
        script=lambda cluster, server: commands.chef_reconfigure(),
        after=(same("configure", "reconfigure reads the settings file"),),
        reruns_with=(
            same("install", "another package brings other services"),
            same("configure", "reconfigure puts the settings into effect"),
        ),
        limit=1800,
    ),
    Step(
        "share",
        on=primary_if_shared,
        script=share,
        facts=others,
        after=(
            same("reconfigure-primary", "it makes the secrets that are shared"),
            every("connect", "each server's key must be known to be let in"),
        ),
        reruns_with=(
            same("reconfigure-primary", "a new primary has let nobody in"),
            every("connect", "a new machine has a new key"),
        ),
        limit=60,
    ),
    Step(
        "copy",
        on=others,
        script=lambda cluster, server: copy("chef", cluster),
        facts=primary,
        after=(
            every("share", "the primary must let this server in"),
            same("install", "the copy replaces the folder that the package brings"),
        ),
        reruns_with=(
            of_primary("install", "a new primary, or another package, makes other secrets"),
            of_primary("reconfigure-primary", "a backend follows the list of all servers", only=backends),
            same("install", "a new machine has no secrets"),
        ),
        nonce=without_frontends,
    ),
    Step(
        "reconfigure",
        on=others,
        script=lambda cluster, server: commands.chef_reconfigure(),
        after=(same("copy", "without the primary's secrets it would make its own"),),
        reruns_with=(same("copy", "reconfigure puts the copied files into effect"),),
        limit=1800,
    ),
)
