"""The texts of the settings files, in Ruby."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

# A standby has no database at 127.0.0.1. The address that moves is in Chef server's settings, also where the stack does
# not know it (docs/chef.md, "Database on every server").
DATABASE_OF_THE_MASTER = (
    "node.override['private_chef']['postgresql']['vip'] = node['private_chef']['backend_vips']['ipaddress'] "
    "if node['private_chef']['postgresql']['vip'] == '127.0.0.1'"
)


def push_jobs_settings(
    ports: Mapping[str, str], options: Mapping[str, object], *, database_of_the_master: bool = False
) -> str:
    """The text of opscode-push-jobs-server.rb (docs/chef.md, "Settings of push jobs").

    `ports` has server_heartbeat_port, command_port and api_port.
    """
    lines = [f"opscode_pushy_server['{key}'] = {_ruby(value)}" for key, value in {**ports, **options}.items()]
    lines += [DATABASE_OF_THE_MASTER] if database_of_the_master else []
    return "\n".join(["# Written by chef-rollout: change the stack's settings, not this file.", *lines, ""])


def _ruby(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int) else "'" + str(value) + "'"


def chef_settings(
    kind: str,
    api_fqdn: str,
    servers: Sequence[tuple[str, str, str]],
    options: Mapping[str, object],
    *,
    vip: str | None = None,
    ha: Mapping[str, str] | None = None,
    include: str | None = None,
) -> str:
    """The text of chef-server.rb (docs/chef.md, "Settings of Chef server").

    `servers` are (FQDN, role, address), the primary first. `vip` is the backends' address that moves, unless it is the
    primary's own; `ha` are the settings of the HA provider. `include` is a file that is read last.
    """
    lines = ["# Written by chef-rollout: change the stack's settings, not this file.", f'topology "{kind}"']
    lines.append(f'api_fqdn "{api_fqdn}"')
    if kind != "standalone":
        for number, (fqdn, role, address) in enumerate(servers):
            first = [":bootstrap => true"] if number == 0 else []
            cluster = [f':cluster_ipaddress => "{address}"'] if kind == "ha" and role == "backend" else []
            parts = [f':ipaddress => "{address}"', f':role => "{role}"', *first, *cluster]
            lines.append(f'server "{fqdn}", {", ".join(parts)}')
        moving = [f':ipaddress => "{vip or servers[0][2]}"', ':device => "eth0"']
        moving += [':heartbeat_device => "eth0"'] if vip else []
        lines.append(f'backend_vip "{servers[0][0]}", {", ".join(moving)}')
        lines += [f"ha['{key}'] = {_ruby(value)}" for key, value in (ha or {}).items()]
    for key, value in options.items():
        if isinstance(value, Mapping):
            lines += [f"{key}['{inner}'] = {_ruby(one)}" for inner, one in value.items()]
        else:
            lines.append(f"{key} {_ruby(value)}")
    lines += [f"from_file {_ruby(include)}"] if include else []
    return "\n".join([*lines, ""])


def failover_settings(volume: str, device: str) -> Mapping[str, str]:
    """The `ha` table of chef-server.rb. It has no user's keys: the machines' role has the permissions."""
    return {"provider": "aws", "ebs_volume_id": volume, "ebs_device": device}
