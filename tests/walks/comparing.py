"""What a walk left, compared with what a fresh rollout of the same settings leaves. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch

Servers = Mapping[str, Sequence[str]]
# Made anew by each rollout, or has what is: compared by which servers have the same, and not by what it is.
MADE_ANEW = (
    "*/opscode-push-jobs-server-secrets.json",
    "*/pushy_*.pem",
    "*/private-chef-secrets.json",
    "*/webui_*.pem",
    "*/worker-*.pem",
    "*/pivotal.p*",
    "*/opscode-push-jobs-server-running.json",
    "*/opscode-pushy-server/etc/app.config",
    "*/opscode-push-jobs-server/stand-in.json",
    "*/.ssh/authorized_keys",
    "*/keepalived.conf",
)
# What Chef makes of its settings file and secrets, which are compared themselves: also which frontends there were.
DERIVED = ("*/chef-server-running.json",)
# What a cluster that was at work has beyond it: sets to go back to, a folder of 1.x that 2.x leaves empty, and what the
# service of an existing backend was started with. And the scripts of the stack that made an existing server.
KEPT = ("*/credentials-before*", "*/opscode-pushy-server/etc", "*/pushy-started-with", "*/chef-rollout/chef-*.sh")
# A frontend reads of Chef server's settings the backends and itself: the others in it are of when it was copied.
OTHER_FRONTENDS = '/^server "frontend-/d'
DIGEST = re.compile(r"([0-9a-f]{64})\s+(?:-\s+)?(\S+)")


@dataclass(frozen=True)
class Named:
    """What tells a server's files by names: `program` is sed's, which puts them in the place of addresses and ids."""

    program: str
    own: str
    frontend: bool

    def digests(self, folders: str) -> str:
        """The shell script that prints a digest of each file that has one of those, in the form of the snapshot."""
        rest = f"{self.program};{OTHER_FRONTENDS}" if self.frontend else self.program
        return (
            f"grep -rlIE --exclude-dir=data --exclude-dir=drbd -e '{self.own}' {folders} | while read -r file; do "
            f"case $file in */chef-server.rb) program='{rest}' ;; *) program='{self.program}' ;; esac; "
            'echo "$(sed -E "$program" "$file" | sha256sum | cut -c 1-64)  ${file#/}"; done'
        )

    @property
    def let_in(self) -> str:
        keys = "s/ (ssh-[a-z0-9]+|ecdsa-[a-z0-9-]+) [^ ]+/ \\1/"
        return f"sed -E '{self.program};{keys};s/^/let in: /' ~ubuntu/.ssh/authorized_keys | sort"


def named(names: Mapping[str, str], server: str) -> Named:
    """`names` are the servers' by their addresses."""
    addresses = {address.replace(".", "[.]"): name for address, name in names.items()}
    program = [f"s/{address}([^0-9]|$)/{name}\\1/g" for address, name in addresses.items()]
    own = [f"{address}([^0-9]|$)" for address in addresses]
    return Named(
        ";".join([*program, "s/(vol|eni|i)-[0-9a-f]{8,}/\\1-id/g"]),
        "|".join([*own, "(vol|eni|i)-[0-9a-f]{8,}"]),
        server.startswith("frontend-"),
    )


def renamed(lines: Sequence[str], told: Sequence[str]) -> list[str]:
    """What a snapshot has, with the digests that were told in the place of its own."""
    paths = {found[2] for line in told if (found := DIGEST.fullmatch(line))}
    kept = [line for line in lines if not ((found := DIGEST.fullmatch(line)) and found[2] in paths)]
    return [*kept, *told]


def differences(walked: Servers, fresh: Servers) -> list[str]:
    """A line each, with its server."""
    found = []
    if set(walked) != set(fresh):
        found.append(f"servers: {sorted(walked)} and {sorted(fresh)}")
    for server in sorted(set(walked) & set(fresh)):
        here, there = set(_told(walked, server)), set(_told(fresh, server))
        found += [f"{server}: only after the walk: {line}" for line in sorted(here - there)]
        found += [f"{server}: only after a fresh rollout: {line}" for line in sorted(there - here)]
    return found


def _told(servers: Servers, server: str) -> Iterator[str]:
    for line in servers[server]:
        if any(fnmatch(word, pattern) for word in line.split() for pattern in KEPT):
            continue
        digest = DIGEST.fullmatch(line)
        if digest and any(fnmatch(digest[2], pattern) for pattern in DERIVED):
            continue
        if digest and any(fnmatch(digest[2], pattern) for pattern in MADE_ANEW):
            alike = [other for other in sorted(servers) if line in servers[other]]
            yield f"{digest[2]} is the same on {' '.join(alike)}"
        else:
            yield line
