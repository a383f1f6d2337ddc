"""The runbook that sets up push jobs for high availability: its eight steps, in its order, as data. Pure.

[n] in a comment is the line of docs/runbook.md; each edge says why it is there.
"""

from __future__ import annotations

from collections.abc import Sequence

from chef_push_jobs import scripts
from chef_push_jobs.config.settings import Settings
from chef_push_jobs.model.shown import line
from chef_push_jobs.model.topology import Kind, Role, Server
from chef_push_jobs.runbook.script_context import ScriptContext
from chef_push_jobs.runbook.steps import (
    Action,
    Step,
    backends,
    every,
    everywhere,
    of_primary,
    others,
    previous,
    primary,
    primary_if_shared,
    primary_of_several,
    push_jobs_servers,
    same,
)
from chef_push_jobs.scripts import InTurn, Script

NAME = "push-jobs"
CHEF_SERVER = "chef"  # the name of Chef server's own runbook
ADD_ON = "push jobs is an add-on to a configured Chef server"
LOSES_NOTHING = "if credentials would be lost, nothing may change on any server"
SETTINGS_FILE = "/etc/opscode-push-jobs-server/opscode-push-jobs-server.rb"
SERVICE = "opscode-pushy-server"
FAILED_OVER = "this backend may have become master meanwhile"
TESTS, TEST_SECONDS = ("test", "test-again"), 10800


def ports(settings: Settings) -> dict[str, int]:
    """By their keys in the settings file (docs/chef.md, Settings of push jobs)."""
    push_jobs = settings.config.push_jobs
    return {
        "server_heartbeat_port": push_jobs.heartbeat_port,
        "command_port": push_jobs.command_port,
        "api_port": push_jobs.api_port,
    }


def checked_ports(settings: Settings) -> list[int]:
    """The ports that must be open on an existing server; the API's only if there are frontends."""
    return [port for key, port in ports(settings).items() if key != "api_port" or settings.topology.frontends]


def _install(cluster: ScriptContext, server: Server) -> Script:
    return scripts.install(cluster.settings.push_jobs_package, cluster.settings.config.ssh.user)


def _configure(cluster: ScriptContext, server: Server) -> Script:
    return scripts.configure(SETTINGS_FILE, settings_file(cluster.settings))


def settings_file(settings: Settings) -> str:
    """The text of the settings file, for every server."""
    quoted = {key: str(port) for key, port in ports(settings).items()}
    # If api_fqdn leads to a load balancer, a single server is reached by its own name (docs/chef.md, Standalone behind
    # a load balancer).
    alone = settings.topology.kind is Kind.STANDALONE and settings.makes_load_balancer
    own_name = {"vip": settings.topology.primary.fqdn} if alone else {}
    return scripts.push_jobs_settings(
        quoted,
        {**own_name, **settings.config.push_jobs.settings},
        database_of_the_master=settings.standby_reaches_database,
    )


def share(cluster: ScriptContext, server: Server) -> Script:
    """Also a step of Chef server's runbook."""
    readers = [cluster.facts[other.name] for other in cluster.topology.others]
    return scripts.share(cluster.settings.config.ssh.user, [(reader.address, reader.copy_key) for reader in readers])


def copy(what: str, cluster: ScriptContext) -> Script:
    """Also a step of Chef server's runbook."""
    source = cluster.facts[cluster.topology.primary.name]
    ssh = cluster.settings.config.ssh
    return scripts.copy(what, ssh.user, ssh.port, source.address, source.host_key)


def _check_firewall(cluster: ScriptContext, server: Server) -> Script:
    """On existing servers, whose firewall the stack does not manage."""
    return scripts.check_firewall(checked_ports(cluster.settings))


def reconfigure_chef_server(cluster: ScriptContext, server: Server) -> Script | InTurn:
    """Also a step of Chef server's runbook. On backends that fail over, it waits until keepalived has decided."""
    fails_over = cluster.topology.kind is Kind.HA and server.role is Role.BACKEND
    chef_server = cluster.settings.config.chef_server
    return scripts.reconfigure_chef_server(
        fails_over=fails_over,
        primary=server == cluster.topology.primary,
        license_accepted=chef_server.accept_license,
        include=chef_server.include,
    )


def _test(cluster: ScriptContext, server: Server) -> Script:
    config = cluster.settings.config
    push_jobs = config.push_jobs
    return scripts.test(push_jobs.heartbeat_port, push_jobs.command_port, push_jobs.verify, config.reverify)


def tested(lines: Sequence[str]) -> str:
    """The test's result on the master, from the last lines of all backends. Raises ValueError if none was master."""
    for said in lines:
        if scripts.STANDBY not in said:
            return line(said)
    raise ValueError(
        "nothing was tested: no backend was master, for example during a failover\nRule: push jobs runs on the "
        "backend that keepalived has made master.\nDo:   look at `sudo chef-server-ctl ha-status` on the "
        "backends; once one is master, change reverify."
    )


def _of_chef_server(settings: Settings) -> str:
    """The parts of Chef server's settings that reconfigure reads: the address that moves, or a single server's name.

    Source: docs/chef.md, Standalone behind a load balancer.
    """
    return settings.vip or (settings.api_fqdn if settings.topology.kind is Kind.STANDALONE else "")


STEPS = (
    # [1] Install the package on all servers that are running the Chef server.
    Step(
        "install",
        number=1,
        on=everywhere,
        script=_install,
        package=lambda settings: settings.push_jobs_package,
        depends_on=(
            same("connect", "the server must be up and prepared for tasks"),
            same("install", "packages come first, Chef server's before its add-on's", runbook=CHEF_SERVER),
            same("compare-credentials", LOSES_NOTHING),
            every("compare-credentials", LOSES_NOTHING, primary),
        ),
        triggered_by=(same("connect", "a new machine has nothing installed"),),
        timeout=900,
    ),
    # [4] TCP ports 10000 and 10003 must be open, on the backends only. Done here, because reconfigure restarts the
    # service if its settings changed, and clients come back at once.
    Step(
        "firewall",
        number=4,
        on=push_jobs_servers,
        action=Action.RULES,
        script=_check_firewall,
        triggered_by=(same("connect", "a different machine may have a different packet filter"),),
        timeout=900,
        qualified=False,
        adjustable=False,
    ),
    # Only the primary gets the settings, with the ports; the copy sends them to the others.
    Step(
        "configure",
        on=primary,
        script=_configure,
        depends_on=(
            same("install", "the package creates the directory of the file"),
            same("reconfigure-primary", ADD_ON, runbook=CHEF_SERVER),
            every(
                "firewall", "reconfigure restarts the service with these settings, and clients reconnect immediately"
            ),
        ),
        triggered_by=(same("install", "a new machine or package may bring different settings"),),
        timeout=60,
    ),
    # [2] Reconfigure the primary backend push jobs server.
    Step(
        "reconfigure-primary",
        number=2,
        on=primary,
        script=lambda cluster, server: scripts.reconfigure_push_jobs(),
        column="reconfigure",
        restarts={Role.BACKEND: SERVICE},
        depends_on=(
            same("configure", "reconfigure reads the settings file"),
            every(
                "install",
                "the runbook installs on all servers first, so a package that fails anywhere stops it in time",
            ),
        ),
        triggered_by=(
            same("install", "a different package brings different services"),
            same("configure", "reconfigure applies the settings"),
        ),
        rerun_token=_of_chef_server,
        timeout=1800,
    ),
    # New credentials, if the setting asks for them. Otherwise it only records the current ones.
    Step(
        "rotate",
        on=primary,
        script=lambda cluster, server: scripts.rotate(cluster.settings.config.push_jobs.rotate_credentials),
        depends_on=(same("reconfigure-primary", "the first reconfigure creates the first credentials"),),
        triggered_by=(same("connect", "a new machine has no record of them"),),
        timeout=1800,
    ),
    # [3] Copy the entire /etc/opscode-push-jobs-server directory from the primary to all other servers.
    Step(
        "share",
        number=3,
        on=primary_if_shared,
        script=share,
        column="share, copy",
        facts=others,
        depends_on=(
            same("rotate", "these are the credentials that are shared"),
            same("share", "both change which servers are authorized", runbook=CHEF_SERVER),
            every("connect", "the primary needs each server's key to authorize it"),
        ),
        triggered_by=(
            same("reconfigure-primary", "a new primary has not authorized any server"),
            same("rotate", "a server that is not authorized would keep the old credentials"),
            every("connect", "a new machine has a new key"),
        ),
        timeout=60,
        revision=3,
    ),
    Step(
        "copy",
        number=3,
        on=others,
        column="share, copy",
        script=lambda cluster, server: copy("push-jobs", cluster),
        facts=primary,
        depends_on=(
            every("share", "the primary must authorize this server first"),
            same("install", "the copy replaces the directory that the package creates"),
            same("reconfigure", ADD_ON, runbook=CHEF_SERVER),
        ),
        triggered_by=(
            of_primary("reconfigure-primary", "the credentials or settings may have changed"),
            of_primary("rotate", "the credentials may have changed"),
            same("install", "a new machine or package may bring its own files"),
        ),
    ),
    # [5] Reconfigure the remaining push jobs servers.
    Step(
        "reconfigure",
        number=5,
        on=others,
        script=lambda cluster, server: scripts.reconfigure_push_jobs(),
        restarts={Role.BACKEND: SERVICE, Role.FRONTEND: "nginx"},
        depends_on=(same("copy", "without the primary's credentials it would create its own"),),
        triggered_by=(same("copy", "reconfigure applies the copied files"),),
        timeout=1800,
    ),
    # [6] chef-server-ctl reconfigure on each of the backend servers, for the keepalived scripts.
    Step(
        "chef-reconfigure",
        number=6,
        on=backends,
        one_at_a_time=True,
        script=reconfigure_chef_server,
        restarts={Role.BACKEND: "keepalived"},
        depends_on=(
            of_primary("rotate", "the scripts list the services that are configured"),
            every("reconfigure", "the runbook reconfigures all push jobs servers first"),
        ),
        triggered_by=(
            same("reconfigure-primary", "its services may have changed"),
            same("rotate", "its services may have changed"),
            same("reconfigure", "its services may have changed"),
        ),
        timeout=1800,
    ),
    # [7] Restart all servers on which push jobs will run.
    Step(
        "restart-pushy",
        number=7,
        on=push_jobs_servers,
        one_at_a_time=True,
        column="restart",
        restarts={Role.BACKEND: SERVICE},
        always_restarts=True,
        script=lambda cluster, server: scripts.restart_pushy(
            ports(cluster.settings).values(), unless_fresh=bool(cluster.settings.existing)
        ),
        depends_on=(every("chef-reconfigure", "keepalived must know the service before it is restarted"),),
        triggered_by=(same("chef-reconfigure", "the service reads its configuration when it starts"),),
    ),
    # [8] Verify the installation. On both backends of an ha cluster, because only they know which one is master now.
    Step(
        "test",
        number=8,
        on=push_jobs_servers,
        one_at_a_time=True,
        script=_test,
        timeout=TEST_SECONDS,
        depends_on=(
            every("restart-pushy", "it tests the running service"),
            every("firewall", "it tests what clients will use"),
        ),
        triggered_by=(
            every("restart-pushy", "a changed service is tested"),
            every("reconfigure", "a changed server is tested"),
            every("share", "a changed set of servers is tested"),
            previous("test", FAILED_OVER),
        ),
        # A different instance type has stopped the machines.
        rerun_token=lambda settings: settings.config.machines.instance_type,
        tail_lines=1,
    ),
    # If the last test failed because its master was lost, the first backend is master now, and said before that it is
    # not. So it is asked again, after every test.
    Step(
        "test-again",
        on=primary_of_several,
        script=_test,
        timeout=TEST_SECONDS,
        depends_on=(every("test", "it is for what may have become master meanwhile"),),
        triggered_by=(every("test", FAILED_OVER),),
        tail_lines=1,
        column="test",
    ),
)
