"""A whole walk: its steps, what they left beside a fresh rollout of the same settings, and what a destroy leaves."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sandbox.paths import REGION
from tests.e2e.clients import probed
from tests.e2e.test_doctor import doctor
from tests.e2e.test_existing import open_database
from tests.e2e.test_operators import assert_nothing_left, destroy, inside
from tests.e2e.test_rolling import DUMP, SECRETS, credentials
from tests.faults import snapshot
from tests.walks import comparing
from tests.walks.model import PORTS, Choice, replay
from tests.walks.world import World, world

SETTLED_SECONDS = 10.0
FOLDERS = "/etc/opscode /etc/opscode-push-jobs-server /var/opt/opscode /var/opt/opscode-push-jobs-server"
# What is in the encrypted store, which is another file each time that it is written.
SORTED = "import json, sys; print(json.dumps(json.load(sys.stdin), sort_keys=True))"
STORE = f"""
if [ -e {SECRETS} ]; then
  echo "$({DUMP} | python3 -c '{SORTED}' | sha256sum | cut -c 1-64)  {SECRETS.removeprefix("/")}"
fi"""
# The rules of the stack's groups: [group, in or out, protocol, from, to, where], ids as names.
RULES = """
import boto3, json, sys
ec2 = boto3.client("ec2", region_name=sys.argv[1], endpoint_url="http://127.0.0.1:5000")
names = {g["GroupId"]: g["GroupName"].rsplit("-", 1)[0] for g in ec2.describe_security_groups()["SecurityGroups"]}
rules = ec2.describe_security_group_rules()["SecurityGroupRules"]
print(json.dumps(sorted(
    [names[r["GroupId"]], r["IsEgress"], r["IpProtocol"], r.get("FromPort"), r.get("ToPort"),
     r.get("CidrIpv4") or names.get(r.get("ReferencedGroupInfo", {}).get("GroupId"), "")]
    for r in rules
), indent=0))
"""

Say = Callable[[str], None]


@dataclass
class Result:
    """`outages` are the seconds for which clients had no answer, by step. `ended` is whether the end was compared."""

    topology: str
    seed: int | None
    steps: list[str]
    problems: list[str] = field(default_factory=list)
    outages: list[tuple[str, float]] = field(default_factory=list)
    restart: float = 0.0
    seconds: float = 0.0
    ended: bool = False


def run(kind: str, choices: Sequence[Choice], folder: Path, say: Say, seed: int | None = None) -> Result:
    """Whatever goes wrong is among the problems."""
    result = Result(kind, seed, [str(choice) for choice in choices])
    begun = time.monotonic()
    try:
        with world(kind, folder) as own:
            try:
                _walk(own, choices, say)
                _compare(own, say)
                result.ended = True
            finally:
                result.problems, result.outages, result.restart = own.problems, own.outages, own.restart
    except Exception as error:  # whatever it is, the other walks are still to be taken
        result.problems.append(f"{type(error).__name__}: {str(error)[-4000:]}")
    result.seconds = time.monotonic() - begun
    return result


def _walk(own: World, choices: Sequence[Choice], say: Say) -> None:
    own.stack.up()
    own.lane.wait_for_master(own.cluster.master)
    own.restart = _restart(own)
    for choice, after in replay(own.cluster.topology, choices):
        begun, before = time.monotonic(), len(own.problems)
        own.take(choice, after)
        bad = own.problems[before:]
        struck = f"{own.struck}: " if own.struck else ""
        verdict = f"{len(bad)} problems" if bad else "as it should"
        took = f"no answer {own.outages[-1][1]:.2f} s ({time.monotonic() - begun:.0f} s)"
        say("\n".join([f"    {choice}: {struck}{verdict}, {took}", *(f"        {problem[:3000]}" for problem in bad)]))
    if own.cluster.protect:
        own.stack.change(protect=None)
        own.stack.up()
    own.lane.master = own.cluster.backends[0]
    own.lane.return_mastership()


def _restart(own: World) -> float:
    with probed(own.stack.lab, f"{own.address}:{PORTS['usual'][0]}") as gaps:
        own.output(own.cluster.master, "chef-server-ctl restart opscode-pushy-server")
    (length,) = gaps.lengths
    return length


def _compare(own: World, say: Say) -> None:
    """With a fresh rollout of the same settings, in the same cloud, after what was there is gone from it."""
    own.nothing_to_do("at the end")
    seen = doctor(own.stack)
    if seen.status:
        own.problems.append(f"at the end, doctor says:\n{seen.told[-3000:]}")
    sets = {server: json.dumps(credentials(own.stack, server), sort_keys=True) for server in own.cluster.servers}
    if len(set(sets.values())) != 1:
        own.problems.append(f"the servers hold {len(set(sets.values()))} sets of credentials")
    walked = _take(own)
    _end(own)
    if own.maker:
        own.maker.up()
        open_database(own.maker)
        own.move(own.cluster)
    own.stack.up()
    own.lane.wait_for_master(own.cluster.backends[0])
    deadline = time.monotonic() + SETTLED_SECONDS
    while (found := comparing.differences(walked, _take(own))) and time.monotonic() < deadline:
        time.sleep(1)
    own.problems += found
    _end(own)


def _take(own: World) -> dict[str, list[str]]:
    """With addresses and ids as names. The cloud is one more server."""
    found = snapshot.take(own.stack.lab, own.cluster.servers)
    everything = (own.maker or own.stack).outputs()["servers"]
    names = {told["address"]: name for name, told in everything.items()}
    for server in own.cluster.servers:
        named = comparing.named(names, server)
        told = own.output(server, f"{named.digests(FOLDERS)}{STORE}\n{named.let_in}").splitlines()
        found[server] = comparing.renamed(found[server], told)
    found["cloud"] = [json.dumps(rule) for rule in json.loads(inside(own.stack, sys.executable, "-c", RULES, REGION))]
    return found


def _end(own: World) -> None:
    """Servers that exist stay as they are; then they go with the stack that made them."""
    if own.maker:
        before = snapshot.take(own.stack.lab, own.cluster.servers)
        destroy(own.stack)
        left = snapshot.take(own.stack.lab, own.cluster.servers)
        own.problems += [f"after it was left, {line}" for line in snapshot.differences(before, left)]
        destroy(own.maker)
        assert_nothing_left(own.maker)
    else:
        destroy(own.stack)
        assert_nothing_left(own.stack)
