"""What a client of push jobs sees meanwhile: when its server answered, and when not."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from tests.sandbox.conftest import Lab

CLIENT = "client-0"
# Connects to each place, ADDRESS:PORT, every 20 ms, which is less than any process takes to start, and prints when it
# could and when not: [number of the place, time, true or false].
PROBE = """
import json, socket, sys, threading, time
patience = float(sys.argv[1])
def answers(place):
    try:
        with socket.create_connection(place, timeout=patience) as connection:
            connection.settimeout(patience)
            return connection.recv(1) == b"\\xff"  # how ZeroMQ greets
    except OSError:
        return False
def probe(number, place):
    while True:
        begun = time.time()
        line = json.dumps([number, begun, answers(place)])
        sys.stdout.write(line + "\\n")
        sys.stdout.flush()
        time.sleep(max(0, begun + 0.02 - time.time()))
for number, text in enumerate(sys.argv[2:]):
    address, _, port = text.partition(":")
    threading.Thread(target=probe, args=(number, (address, int(port)))).start()
"""
Probe = tuple[float, bool]
Interval = tuple[float, float]


@dataclass
class Gaps:
    """Times without an answer, each from the last answer before it to the first one after it, in seconds."""

    lengths: list[float]
    probes: int

    @classmethod
    def of(cls, places: Sequence[Sequence[Probe]]) -> Gaps:
        """Of several places, one that answers is enough: a client goes where the API says."""
        together: list[Interval] = [(-math.inf, math.inf)]
        for probes in places:
            together = list(_both(together, silences(probes)))
        return cls([end - begin for begin, end in together], sum(map(len, places)))


def silences(probes: Sequence[Probe]) -> list[Interval]:
    """In turn. Nobody knows what was before the first probe and after the last: then it was as at these."""
    answers = [time for time, answered in probes if answered]
    failures = [time for time, answered in probes if not answered]
    if not answers:
        return [(-math.inf, math.inf)]
    ends = [-math.inf, *answers, math.inf]
    return [(a, b) for a, b in itertools.pairwise(ends) if any(a < time < b for time in failures)]


def _both(first: Sequence[Interval], second: Sequence[Interval]) -> Iterator[Interval]:
    for a, b in first:
        for c, d in second:
            if max(a, c) < min(b, d):
                yield max(a, c), min(b, d)


@contextmanager
def probed(lab: Lab, *places: str, patience: float = 0.5) -> Iterator[Gaps]:
    """Filled at the end. `patience` is for how many seconds one answer is waited for."""
    lab.output(CLIENT, f"cat > /root/probe.py <<'END'\n{PROBE}\nEND")
    start = f"setsid python3 /root/probe.py {patience} {' '.join(places)} > /root/probe.log 2>&1 < /dev/null & echo $!"
    process = lab.output(CLIENT, start)
    found = Gaps([], 0)
    try:
        lab.output(CLIENT, "sleep 1")
        yield found
    finally:
        lab.output(CLIENT, f"sleep 1; kill {process}")
    lines = [line for line in lab.output(CLIENT, "cat /root/probe.log").splitlines() if line.endswith("]")]
    probes: list[list[Probe]] = [[] for _ in places]
    for line in lines:
        number, when, answered = json.loads(line)
        probes[number].append((when, answered))
    gaps = Gaps.of(probes)
    found.lengths, found.probes = gaps.lengths, gaps.probes
