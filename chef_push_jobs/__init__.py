"""The product without Pulumi. Everything here can be imported, run and tested without an engine, a cloud or a server.

The folders build on each other; import-linter (pyproject.toml) refuses an import that goes the other way:

    model/     what everything speaks of: servers and topologies, packages, subnets, flows, problems
    config/    what a stack file may hold: settings, the rule of each and of several together, the one parser
    scripts/   what a server is sent: shell files, and the values that each is given
    network/   what the firewall lets through, and what must hold of a network that exists already
    runbook/   the runbooks as tables of steps, and the plan of tasks that they make of a stack's settings
    engine/    Pulumi from outside: its CLI, its previews, its events, the state and history of a stack
    cli/       the command `chef-push-jobs`, a folder a subcommand

Start with `runbook/push_jobs.py`: it is docs/runbook.md, step by step. The Pulumi program itself is in `components/`,
which turns a plan into resources and decides nothing; a wheel has that folder as `chef_push_jobs.components`.
"""

__version__ = "0.1.0"
