"""Push jobs as its clients see it: whether it answers, all the time."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.e2e.conftest import Stack

HEARTBEAT = 10000

# Connects every 20 ms, which is less than any process takes to start, and prints when it could and when not.
PROBE = """
import json, socket, sys, time
address, port = sys.argv[1], int(sys.argv[2])
while True:
    begun = time.time()
    try:
        with socket.create_connection((address, port), timeout=0.5) as connection:
            connection.settimeout(0.5)
            answered = connection.recv(1) == b"\\xff"  # how ZeroMQ greets
    except OSError:
        answered = False
    print(json.dumps([begun, answered]), flush=True)
    time.sleep(max(0, begun + 0.02 - time.time()))
"""


@dataclass
class Gaps:
    """Times without an answer, each from the last answer before it to the first one after it, in seconds."""

    lengths: list[float]
    probes: int

    @classmethod
    def of(cls, probes: list[tuple[float, bool]]) -> Gaps:
        answers = [time for time, answered in probes if answered]
        failures = [time for time, answered in probes if not answered]
        between = itertools.pairwise(answers)
        return cls([b - a for a, b in between if any(a < time < b for time in failures)], len(probes))


@contextmanager
def probed(cluster: Stack, address: str = "") -> Iterator[Gaps]:
    """What a client of push jobs sees meanwhile, at that address or backend-0's own."""
    address = address or cluster.outputs()["servers"]["backend-0"]["address"]
    cluster.output("client-0", f"cat > /root/probe.py <<'END'\n{PROBE}\nEND")
    start = f"setsid python3 /root/probe.py {address} {HEARTBEAT} > /root/probe.log 2>&1 < /dev/null & echo $!"
    process = cluster.output("client-0", start)
    found = Gaps([], 0)
    try:
        cluster.output("client-0", "sleep 1")
        yield found
    finally:
        cluster.output("client-0", f"sleep 1; kill {process}")
    lines = cluster.output("client-0", "cat /root/probe.log").splitlines()
    gaps = Gaps.of([tuple(json.loads(line)) for line in lines])
    found.lengths, found.probes = gaps.lengths, gaps.probes
