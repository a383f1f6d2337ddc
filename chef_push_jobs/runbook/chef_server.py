"""The runbook of Chef server itself: the primary first, then its /etc/opscode to the others, then those. Pure.

Source: docs/chef.md, Settings of Chef server. The settings file lists all servers. Each change of that list re-runs the
backends. A frontend only uses the entries of the backends and its own, so another frontend does not concern it.
"""

from __future__ import annotations

from collections.abc import Sequence

from chef_push_jobs import scripts
from chef_push_jobs.config.settings import Settings
from chef_push_jobs.model.topology import Kind, Role, Server
from chef_push_jobs.runbook.push_jobs import CHEF_SERVER, LOSES_NOTHING, copy, reconfigure_chef_server, share
from chef_push_jobs.runbook.script_context import ScriptContext
from chef_push_jobs.runbook.steps import (
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
from chef_push_jobs.scripts import InTurn, Script

NAME = CHEF_SERVER
SETTINGS_FILE = "/etc/opscode/chef-server.rb"
SERVICES = "Chef server's services"


def _install(cluster: ScriptContext, server: Server) -> Script | InTurn:
    settings, user = cluster.settings, cluster.settings.config.ssh.user
    package, failing_over = settings.chef_server_package, settings.config.high_availability
    parts = [scripts.install(package, user, upgrades=False) if package else scripts.require_chef_server()]
    if failing_over and server in cluster.topology.backends:
        parts += [scripts.install(settings.chef_ha_package, user)] if settings.chef_ha_package else []
        parts += [scripts.require_lvm()] if failing_over.prepare_volume else []
    return scripts.in_turn(*parts)


def _configure(cluster: ScriptContext, server: Server) -> Script | InTurn:
    """Also prepares the data volume, which reconfigure needs. Refuses a new primary next to a working cluster."""
    failing_over, vip = cluster.settings.config.high_availability, cluster.settings.vip
    parts = [scripts.configure(SETTINGS_FILE, _settings_file(cluster, everywhere(cluster.topology)))]
    if failing_over and vip and failing_over.prepare_volume:
        parts = [*_device(cluster, server), scripts.prepare_volume(failing_over.device, vip), *parts]
    if cluster.topology.kind is Kind.HA:
        parts = [scripts.require_no_cluster(cluster.settings.api_fqdn), *parts]
    return scripts.in_turn(*parts)


def _device(cluster: ScriptContext, server: Server) -> list[Script]:
    """Gives the data volume the same name on each backend, before either can become master."""
    failing_over, topology = cluster.settings.config.high_availability, cluster.topology
    if failing_over is None or not failing_over.prepare_volume or server not in topology.backends:
        return []
    return [scripts.name_device(cluster.facts[topology.primary.name].volume, failing_over.device)]


def _settings_file(cluster: ScriptContext, listed: Sequence[Server]) -> str:
    topology, chef_server = cluster.topology, cluster.settings.config.chef_server
    servers = [(s.fqdn, str(s.role), cluster.facts[s.name].address) for s in listed]
    failing_over, vip = cluster.settings.config.high_availability, cluster.settings.vip
    ha = None
    if failing_over:
        volume = cluster.facts[topology.primary.name].volume
        ha = scripts.failover_settings(volume, failing_over.device)
    return scripts.chef_settings(
        topology.kind,
        cluster.settings.api_fqdn,
        servers,
        chef_server.settings,
        vip=vip,
        ha=ha,
        include=chef_server.include,
    )


def without_frontends(settings: Settings) -> str:
    """The settings file without the list of frontends: the part that concerns every server."""
    listed = settings.topology.backends
    return _settings_file(ScriptContext(settings.topology, settings).placeholder(listed), listed)


STEPS = (
    Step(
        "install",
        on=everywhere,
        script=_install,
        package=lambda settings: settings.chef_server_package,
        depends_on=(
            same("connect", "the server must be up and prepared for tasks"),
            same("compare-credentials", LOSES_NOTHING),
            every("compare-credentials", LOSES_NOTHING, primary),
        ),
        triggered_by=(same("connect", "a new machine has nothing installed"),),
        timeout=1800,
    ),
    Step(
        "configure",
        on=primary,
        script=_configure,
        facts=everywhere,
        depends_on=(
            same("install", "the package creates the directory of the file"),
            every("connect", "the file lists the address of every server"),
        ),
        triggered_by=(
            same("install", "a new machine has no settings"),
            every("connect", "a new machine may have a new address"),
        ),
        timeout=300,
    ),
    Step(
        "reconfigure-primary",
        on=primary,
        script=reconfigure_chef_server,
        column="reconfigure",
        restarts={Role.BACKEND: SERVICES},
        depends_on=(same("configure", "reconfigure reads the settings file"),),
        triggered_by=(
            same("install", "a different package brings different services"),
            same("configure", "reconfigure applies the settings"),
        ),
        timeout=1800,
    ),
    Step(
        "share",
        on=primary_if_shared,
        script=share,
        column="share, copy",
        facts=others,
        depends_on=(
            same("reconfigure-primary", "it creates the secrets that are shared"),
            every("connect", "the primary needs each server's key to authorize it"),
        ),
        triggered_by=(
            same("reconfigure-primary", "a new primary has not authorized any server"),
            every("connect", "a new machine has a new key"),
        ),
        timeout=60,
        revision=3,
    ),
    Step(
        "copy",
        on=others,
        column="share, copy",
        script=lambda cluster, server: scripts.in_turn(*_device(cluster, server), copy("chef", cluster)),
        facts=primary,
        depends_on=(
            every("share", "the primary must authorize this server first"),
            same("install", "the copy replaces the directory that the package creates"),
        ),
        triggered_by=(
            of_primary("install", "a new primary or a different package creates new secrets"),
            of_primary("reconfigure-primary", "the settings of each backend list all servers", only=backends),
            same("install", "a new machine has no secrets"),
        ),
        rerun_token=without_frontends,
    ),
    Step(
        "reconfigure",
        on=others,
        script=reconfigure_chef_server,
        restarts={Role.BACKEND: SERVICES, Role.FRONTEND: SERVICES},
        depends_on=(same("copy", "without the primary's secrets it would create its own"),),
        triggered_by=(same("copy", "reconfigure applies the copied files"),),
        timeout=1800,
    ),
)
