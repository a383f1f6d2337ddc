"""What doctor asks a server: one read-only shell script, and how to read its answers. Pure.

No secret is in an answer: a credential is represented by a digest, keyed with a number of this run.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import dropwhile

from chef_push_jobs import scripts
from chef_push_jobs.model.shown import line

SERVICE = "opscode-pushy-server"
PACKAGES = ("opscode-push-jobs-server", "chef-server-core")
ETC = "/etc/opscode-push-jobs-server"
# The credentials that all servers of a cluster share, for both generations of the package (docs/chef.md, Credentials of
# push jobs).
CREDENTIALS = (
    f"{ETC}/opscode-push-jobs-server-secrets.json",
    f"{ETC}/pushy_priv.pem",
    f"{ETC}/pushy_pub.pem",
    "/etc/opscode/private-chef-secrets.json",
)

# Read in the login shell: sudo would hide the address that the connection comes from.
COMMAND = scripts.as_root("sh -s", first='printf "from\\t%s\\n" "${SSH_CONNECTION%% *}"; ')


class IncompleteFacts(ValueError):
    """The script did not finish, or the output is not an answer of it."""


# Exactly what each line of an answer may contain. Everything else is refused, so that no other text of a server gets
# any further.
DIGEST, NUMBER, YES_NO = r"[0-9a-f]{64}", r"\d{1,12}", "yes|no"
VERSION = r"[A-Za-z0-9.+:~^_-]{1,100}"
PATH, NAME = r"/[A-Za-z0-9._/+@-]{0,200}", r"[A-Za-z0-9_.-]{1,64}"
LINES: Mapping[str, tuple[str, ...]] = {
    "from": (r"[0-9a-fA-F:.]{0,45}",),
    "prepared": (YES_NO,),
    "owner": (DIGEST,),
    "named": (r"[a-z0-9.-]{1,253}",),
    "package": (NAME, VERSION, YES_NO),
    "file": (PATH, NAME, r"[0-7]{1,5}", DIGEST),
    "service": ("[a-z]{1,20}",),
    "cluster": ("[a-z]{1,20}",),
    "ha-status": (NUMBER,),
    "keepalived": (YES_NO,),
    "copy-key": (DIGEST,),
    "reader": (DIGEST,),
    "uploads": (NUMBER,),
    "used": (PATH, NUMBER),
    "time": (NUMBER,),
    "certificate": (NUMBER,),
    "listens": (NUMBER,),
    "end": ("of-answers",),
}


@dataclass(frozen=True)
class File:
    """A file on a server. `digest` is keyed, so it can only be compared within one run."""

    owner: str
    mode: str
    digest: str


@dataclass(frozen=True)
class ServerFacts:
    """What a server reported about itself.

    `source` is this machine's address as the server sees it. `packages` are versions, or `none`; `newer` are those that
    are newer than the stack's. `service` is runit's word for it (`run`, `down`), or `none` if it is not enabled.
    `cluster` is keepalived's (`master`, `backup`), None except in ha; `keepalived` says whether its scripts name the
    service, None if there are no scripts; `ha_status` is the exit status of its own check. `copy_key` is the keyed
    digest of the key with which it copies, `readers` those of the keys that may copy from it. `used` is how full its
    file systems are, in percent; `time` is its clock, `certificates` are the ends of the API's certificates, both in
    Unix time (0: unreadable). `owner` is the keyed digest of the owner that it recorded; `named` is what it calls
    itself, None if that is no name in a domain. `old_uploads` is the number of package files of other versions in the
    login user's home.
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
    ha_status: int | None = None
    copy_key: str | None = None
    readers: frozenset[str] = field(default_factory=frozenset)
    used: Mapping[str, int] = field(default_factory=dict)
    time: int | None = None
    certificates: tuple[int, ...] = ()
    owner: str | None = None
    named: str | None = None
    old_uploads: int = 0


def script(
    nonce: str,
    files: Iterable[str],
    ports: Iterable[int],
    versions: Mapping[str, str],
    user: str,
    *,
    uploads: Iterable[str] = (),
) -> str:
    """A script that answers in lines of tab-separated words.

    `nonce` is hexadecimal; `versions` are the stack's, by package.
    """
    wanted = {name: versions.get(name, "") for name in PACKAGES}
    return scripts.probe(nonce, files, ports, wanted, user, uploads=uploads).text


def keyed(nonce: str, content: str) -> str:
    """The digest that the script reports for a file with this content."""
    return hashlib.sha256((nonce + content).encode()).hexdigest()


def parse_facts(text: str) -> ServerFacts:
    """Skips what a login shell prints before the answer. Raises IncompleteFacts."""
    lines = list(dropwhile(lambda words: words[0] != "from", (one.split("\t") for one in text.split("\n")[:-1])))
    if not lines or lines[-1] != ["end", "of-answers"]:
        raise IncompleteFacts("its answer is incomplete")
    for words in lines:
        if not _is_answer(words):
            raise IncompleteFacts(f"it gave an unexpected answer: {line('  '.join(words), 60)}")
    one = {words[0]: words[1] for words in lines if len(words) == 2}
    if missing := {"prepared", "service"} - set(one):
        raise IncompleteFacts(f"its answer lacks {', '.join(sorted(missing))}")
    if missing := set(PACKAGES) - {words[1] for words in lines if words[0] == "package"} - {""}:
        raise IncompleteFacts(f"its answer lacks the version of {', '.join(sorted(missing))}")
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
        ha_status=int(one["ha-status"]) if "ha-status" in one else None,
        copy_key=one.get("copy-key"),
        readers=frozenset(words[1] for words in lines if words[0] == "reader"),
        used={words[1]: int(words[2]) for words in lines if words[0] == "used"},
        time=int(one["time"]) if "time" in one else None,
        certificates=tuple(int(words[1]) for words in lines if words[0] == "certificate"),
        owner=one.get("owner"),
        named=one.get("named"),
        old_uploads=int(one.get("uploads", 0)),
    )


def _is_answer(words: Sequence[str]) -> bool:
    rules = LINES.get(words[0], ())
    matching = len(words) == len(rules) + 1
    return matching and all(re.fullmatch(rule, word, re.ASCII) for rule, word in zip(rules, words[1:], strict=True))
