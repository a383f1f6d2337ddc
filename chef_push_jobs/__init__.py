"""The product without Pulumi. Everything here can be imported, run and tested without an engine, a cloud or a server.

The folders build on each other; import-linter (pyproject.toml) refuses an import that goes the other way:

    model/     what everything else uses: servers and topologies, packages, subnets, flows, problems
    config/    what a stack file may contain: the settings, their rules, the one parser
    scripts/   what is sent to servers: shell files, and the values for each
    network/   what the firewall allows, and what an existing network must have
    runbook/   the runbooks as tables of steps, and the plan of tasks that follows from a stack's settings
    engine/    Pulumi from outside: its CLI, its previews, its events, the state and history of a stack
    cli/       the command `chef-push-jobs`, a folder for each subcommand

Start with `runbook/push_jobs.py`: it is docs/runbook.md, step by step. The Pulumi program itself is in `components/`,
which turns a plan into resources and decides nothing. A wheel contains that folder as `chef_push_jobs.components`.
"""

__version__ = "0.1.0"
