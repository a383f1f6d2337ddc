"""The bastion that the stack makes, as the way to the servers: its address, and its host key once it is up."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_command as command

from chef_push_jobs import scripts
from chef_push_jobs.config.stack_config import Ssh
from chef_push_jobs.runbook.script_context import printed_keys


@dataclass(frozen=True)
class ManagedBastion:
    """`host_key` is an OpenSSH line, trusted at first use. It is logged in to as the servers are."""

    host: pulumi.Input[str]
    port: int
    user: str
    host_key: pulumi.Output[str]

    @property
    def summary(self) -> dict[str, pulumi.Input[str] | int]:
        """What a stack's outputs say of it; the settings of ssh.proxy."""
        return {"host": self.host, "port": self.port, "user": self.user, "hostKey": self.host_key}


def connect_bastion(
    name: str, ssh: Ssh, address: pulumi.Input[str], identity: pulumi.Input[str], opts: pulumi.ResourceOptions
) -> ManagedBastion:
    """Asks the machine `identity` for its host key, again when another one takes its place."""
    asked = command.remote.Command(
        name,
        connection=command.remote.ConnectionArgs(
            host=address,
            port=ssh.port,
            user=ssh.user,
            private_key=ssh.private_key.get_secret_value() if ssh.private_key else None,
            dial_error_limit=ssh.dial_error_limit,
            per_dial_timeout=ssh.per_dial_timeout,
        ),
        create=scripts.HOST_KEY,
        triggers=[identity],
        add_previous_output_in_env=False,
        logging=command.remote.Logging.NONE,
        opts=opts,
    )
    return ManagedBastion(address, ssh.port, ssh.user, asked.stdout.apply(_host_key))


def _host_key(printed: str) -> str:
    if keys := printed_keys(printed):
        return keys[-1]
    raise pulumi.RunError(
        "connect-bastion: no host key was printed\n"
        "Rule: the login shell of ssh.user prints /etc/ssh/ssh_host_ed25519_key.pub when it is asked to.\n"
        "Do:   look at that file on the bastion; a bastion of which nothing else is needed can be made anew."
    )
