"""The steps that belong to the servers themselves, whichever runbooks a stack runs. Pure."""

from __future__ import annotations

from chef_push_jobs import scripts
from chef_push_jobs.model.topology import Kind, Role, Server
from chef_push_jobs.runbook.script_context import ScriptContext
from chef_push_jobs.runbook.steps import Action, Step, everywhere, of_primary, others, primary, same
from chef_push_jobs.scripts import Script

# Seconds that the first boot may take after SSH answers.
_FIRST_BOOT = 600


def _connect(cluster: ScriptContext, server: Server) -> Script:
    limit = cluster.settings.timeout("connect", _FIRST_BOOT)
    who = owner(cluster, server)
    if not cluster.settings.existing:
        return scripts.connect(limit, who)
    fqdn = "" if cluster.topology.kind is Kind.STANDALONE else server.fqdn
    database = server.role is Role.BACKEND and cluster.settings.standby_reaches_database
    return scripts.connect_existing(limit, who, fqdn=fqdn, reaches_database=database)


def _compare(cluster: ScriptContext, server: Server) -> Script:
    first = cluster.topology.primary.name
    return scripts.compare_credentials(server.name, first, cluster.facts[first].credentials)


def owner(cluster: ScriptContext, server: Server) -> str:
    """What a server records about its owner."""
    return f"{cluster.owner}/{server.name}"


STEPS = (
    # Prepares the server for tasks, and prints the key with which it copies.
    Step("connect", on=everywhere, script=_connect, timeout=_FIRST_BOOT, qualified=False),
    # If push jobs already runs somewhere, the primary must have the credentials that it uses.
    Step(
        "compare-credentials",
        on=others,
        script=_compare,
        column="credentials",
        facts=primary,
        depends_on=(
            same("connect", "the server must be prepared for tasks"),
            of_primary("connect", "it decides which credentials are copied to the others"),
        ),
        triggered_by=(same("connect", "a new machine may have its own credentials"),),
        timeout=60,
        qualified=False,
        taken_over=True,
    ),
    # Uninstalls push jobs when the server leaves the stack, if the settings say so.
    Step(
        "uninstall",
        on=everywhere,
        action=Action.DEPARTURE,
        script=lambda cluster, server: scripts.uninstall(owner(cluster, server)),
        depends_on=(same("connect", "the server must be prepared for tasks"),),
        timeout=900,
        qualified=False,
        adjustable=False,
        taken_over=True,
    ),
)
