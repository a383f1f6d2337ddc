"""Bastions: how to connect through them, and their host keys."""

from __future__ import annotations

import pulumi
import pulumi_command as command

from chef_push_jobs.config.stack_config import Ssh

from .component import Component
from .host_keys import Bastion, meet, pinned_key


def made_bastion(
    ssh: Ssh, address: pulumi.Input[str], identity: pulumi.Input[str], wanted: str | None, parent: Component
) -> Bastion:
    """The bastion on the machine `identity`, with the servers' login; `wanted` is as in `meet`."""
    return _met(Bastion(address, ssh.port, ssh.user, ""), ssh, identity, wanted, parent)


def existing_bastion(ssh: Ssh, parent: Component) -> Bastion | None:
    """The bastion of `ssh.proxy`, or None. If its host key is in the settings, nothing runs on it."""
    proxy = ssh.proxy
    if proxy is None:
        return None
    if key := pinned_key(proxy.host_key):
        return Bastion(proxy.host, proxy.port, proxy.user, key)
    identity = f"{proxy.host} {proxy.host_key or ''}".strip()
    return _met(Bastion(proxy.host, proxy.port, proxy.user, ""), ssh, identity, proxy.host_key, parent)


def _met(there: Bastion, ssh: Ssh, identity: pulumi.Input[str], wanted: str | None, parent: Component) -> Bastion:
    connection = command.remote.ConnectionArgs(
        host=there.host,
        port=there.port,
        user=there.user,
        private_key=ssh.private_key.get_secret_value() if ssh.private_key else None,
        host_key=pinned_key(wanted),
        dial_error_limit=ssh.dial_error_limit,
        per_dial_timeout=ssh.per_dial_timeout,
    )
    key = meet(f"{parent.prefix}connect-bastion", connection, identity, wanted, parent.child_opts)
    return Bastion(there.host, there.port, there.user, key)
