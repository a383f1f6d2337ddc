"""What doctor asks a server: one read-only shell script, and how its answers are read. Pure.

Nothing secret is answered: of a credential, a digest that is keyed with a number of this run only.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from chef_push_jobs import scripts

SERVICE = "opscode-pushy-server"
PACKAGES = ("opscode-push-jobs-server", "chef-server-core")
ETC = "/etc/opscode-push-jobs-server"
# What makes the cluster one, in either generation of the package (docs/chef.md, Credentials of push jobs).
CREDENTIALS = (
    f"{ETC}/opscode-push-jobs-server-secrets.json",
    f"{ETC}/pushy_priv.pem",
    f"{ETC}/pushy_pub.pem",
    "/etc/opscode/private-chef-secrets.json",
)

# The login shell says where the connection comes from: sudo would not.
COMMAND = "printf 'from\\t%s\\n' \"${SSH_CONNECTION%% *}\"; exec sudo -n sh -s"


class IncompleteFacts(ValueError):
    """The script did not get to its end."""


@dataclass(frozen=True)
class File:
    """A file as it was found; `digest` is keyed, so it is comparable within a run only."""

    owner: str
    mode: str
    digest: str


@dataclass(frozen=True)
class ServerFacts:
    """What a server says of itself.

    `source` is this machine's address as the server sees it. `packages` are versions, or `none`; `newer` are those that
    are newer than the stack's. `service` is runit's word for it (`run`, `down`), or
    `none` where it is not enabled. `cluster` is keepalived's (`master`, `backup`), None outside of ha;
    `keepalived` is whether its scripts name the service, None where there are none.
    """

    source: str
    prepared: bool
    packages: Mapping[str, str]
    newer: frozenset[str]
    files: Mapping[str, File]
    service: str
    cluster: str | None = None
    keepalived: bool | None = None
    listens: frozenset[int] = field(default_factory=frozenset)


def script(nonce: str, files: Iterable[str], ports: Iterable[int], versions: Mapping[str, str]) -> str:
    """Answers in lines of words with tabs between them. `nonce` is hexadecimal, `versions` the stack's by package."""
    wanted = {name: versions.get(name, "") for name in PACKAGES}
    return scripts.probe(nonce, files, ports, wanted).text


def keyed(nonce: str, content: str) -> str:
    """The digest that the script tells of a file with this content."""
    return hashlib.sha256((nonce + content).encode()).hexdigest()


def parse_facts(text: str) -> ServerFacts:
    """Raises IncompleteFacts."""
    lines = [line.split("\t") for line in text.splitlines()]
    if not lines or lines[-1] != ["end", "of-answers"]:
        raise IncompleteFacts("its answer is not complete")
    one = {words[0]: words[1] for words in lines if len(words) == 2}
    return ServerFacts(
        source=one.get("from", ""),
        prepared=one["prepared"] == "yes",
        packages={words[1]: words[2] for words in lines if words[0] == "package"},
        newer=frozenset(words[1] for words in lines if words[0] == "package" and words[3] == "yes"),
        files={words[1]: File(*words[2:5]) for words in lines if words[0] == "file"},
        service=one["service"],
        cluster=one.get("cluster"),
        keepalived=one["keepalived"] == "yes" if "keepalived" in one else None,
        listens=frozenset(int(words[1]) for words in lines if words[0] == "listens"),
    )
