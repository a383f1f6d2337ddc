"""What doctor asks a server: one read-only shell script, and how its answers are read. Pure.

Nothing secret is answered: of a credential, a digest that is keyed with a number of this run only.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from shlex import quote

from chef_push_jobs.scripts import HOME, RUNNER

SERVICE = "opscode-pushy-server"
PACKAGES = ("opscode-push-jobs-server", "chef-server-core")
ETC = "/etc/opscode-push-jobs-server"
# What makes the cluster one, in either generation of the package (F5).
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
    wanted = "\n".join(f"    {quote(name)}) wanted={quote(version)} ;;" for name, version in versions.items())
    return f"""\
set -u
export LC_ALL=C
tell() {{
  printf '%s' "$1"
  shift
  printf '\\t%s' "$@"
  echo
}}
if [ -x {RUNNER} ] && [ -s {HOME}/id_ed25519.pub ]; then tell prepared yes; else tell prepared no; fi
for package in {" ".join(PACKAGES)}; do
  wanted=''
  case $package in
{wanted}
    *) ;;
  esac
  newer=no
  if command -v dpkg-query > /dev/null; then
    is=$(dpkg-query -W -f '${{Status}} ${{Version}}' "$package" 2> /dev/null | sed -n 's/^install ok installed //p')
    if [ -n "$wanted" ] && dpkg --compare-versions "$is" gt "$wanted"; then newer=yes; fi
  else
    is=$(rpm -q --queryformat '%{{VERSION}}-%{{RELEASE}}' "$package" 2> /dev/null) || is=
    if [ -n "$wanted" ] && ! printf '%s\\n' "$is" "$wanted" | sort -V -C; then newer=yes; fi
  fi
  tell package "$package" "${{is:-none}}" "$newer"
done
for file in {" ".join(files)}; do
  if [ -f "$file" ]; then
    digest=$({{ printf %s {nonce}; cat "$file"; }} | sha256sum | cut -d ' ' -f 1)
    tell file "$file" "$(stat -c %U "$file")" "$(stat -c %a "$file")" "$digest"
  fi
done
service=
if command -v chef-server-ctl > /dev/null; then
  service=$(timeout 15 chef-server-ctl status {SERVICE} 2> /dev/null | sed -n 's/^\\([a-z]*\\): {SERVICE}:.*/\\1/p')
fi
tell service "${{service:-none}}"
keepalived=/var/opt/opscode/keepalived
if [ -f $keepalived/current_cluster_status ]; then tell cluster "$(cat $keepalived/current_cluster_status)"; fi
if [ -d $keepalived/bin ]; then
  if grep -rq {SERVICE} $keepalived/bin; then tell keepalived yes; else tell keepalived no; fi
fi
for port in {" ".join(str(port) for port in ports)}; do
  if ss -Hltn "sport = :$port" | grep -q .; then tell listens "$port"; fi
done
tell end of-answers
"""


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
