"""The product without its Pulumi components: settings, runbooks, scripts, and the command `chef-push-jobs`.

    model/     what all else is made of: servers, ports, packages, subnets, flows, problems
    config/    what a stack file may hold, and every rule about it
    scripts/   the shell scripts that servers are sent
    runbook/   the two runbooks as tables, and the plan of tasks that they make: start reading here
    network/   security groups, failover, and what must hold of a network that exists already
    engine/    Pulumi's CLI, and what it previews, does and did
    cli/       the command, a folder a subcommand

Each folder imports only from those above it; `network` and `runbook` import nothing of each other, nor do `config` and
`scripts`. None imports the Pulumi SDK: `components/` alone does, which a wheel has as `chef_push_jobs.components`.
"""

__version__ = "0.1.0"
