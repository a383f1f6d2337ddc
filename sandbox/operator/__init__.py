"""The operator's workstation: where Pulumi runs, and how Pulumi gets there.

A network namespace beside the hosts holds an ssh-agent with the operator's key and the AWS API on loopback. Commands
run there with made-up credentials, with the state in a local directory, and without any real credentials or proxies
from the environment that they were started in. `python -m sandbox run -- COMMAND` is the way in.

    workstation.py          the namespace, the key, the agent, the environment of commands
    engine.py               finds, downloads or builds the Pulumi CLI
    plugins.py              chooses the plugins one by one, and keeps the choice
    releases.py             downloads, checks and unpacks published releases
    versions.py             the versions that are pinned, and whether newer ones can be had
    yaml_language_host.py   the same for Pulumi's YAML language host
    environments.py         Python environments for the policies and the benchmark
    pulumi-cli/             go.mod and go.sum to build the CLI from
    pulumi-yaml/            go.mod and go.sum to build the YAML language host from

Real: the Pulumi engine, SSH and its agent. The plugins are the official ones or those of `sandbox.plugins`, as
`plugins.py` says. Left out: a file system of its own (commands see this machine's files), and any way out to the
internet.
"""
