"""python -m tests.faults.failovers [COUNT]: failovers in turn by stop, power loss and network loss, as clients see it.

Each tells the seconds for which no client got an answer from the address that moves, and those in which both backends
held it: the two see each other, or that is a fault. A backend that is cut off keeps it, where nobody reaches it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle, islice, pairwise
from pathlib import Path
from typing import Any

from sandbox.helped import help_if_asked
from sandbox.hosts import network
from tests.faults.faults import CUT
from tests.faults.lane import Lane, lane
from tests.sandbox.conftest import until

COUNT, VIP, HEARTBEAT = 20, "10.0.15.254", 10000
SILENT_SECONDS = 0.3
# Each prints [time, true or false] all the time: whether push jobs answers there, and whether the address is here.
ANSWERS = f"""
import json, socket, time
while True:
    begun, well = time.time(), False
    try:
        with socket.create_connection(("{VIP}", {HEARTBEAT}), timeout=0.5) as connection:
            connection.settimeout(0.5)
            well = connection.recv(1) == b"\\xff"
    except OSError:
        pass
    print(json.dumps([begun, well]), flush=True)
    time.sleep(max(0, begun + 0.1 - time.time()))
"""
HOLDS = rf"""
import json, re, time
while True:
    held = re.search(r"-- {VIP}\n +/32 host LOCAL", open("/proc/net/fib_trie").read())
    print(json.dumps([time.time(), bool(held)]), flush=True)
    time.sleep(0.05)
"""
Samples = Sequence[tuple[float, bool]]


@dataclass(frozen=True)
class Way:
    """How the master is lost, and how it comes back. `apart` is where the two do not see each other meanwhile."""

    name: str
    lose: Callable[[Lane, str], object]
    bring_back: Callable[[Lane, str], object]
    apart: bool = False


def _nft(own: Lane, server: str, rules: str) -> None:
    subprocess.run([*network.enter(own.namespace(server)), "nft", "-f", "-"], input=rules, text=True, check=True)


WAYS = (
    Way(
        "keepalived stopped",
        lambda own, master: own.lab.output(master, "chef-server-ctl stop keepalived"),
        lambda own, master: own.lab.output(master, "chef-server-ctl start keepalived"),
    ),
    Way("power lost", lambda own, master: own.lab.hosts.reboot(own.host_id(master)), lambda own, master: None),
    Way(
        "network lost",
        lambda own, master: _nft(own, master, CUT),
        lambda own, master: _nft(own, master, "delete table inet fault"),
        apart=True,
    ),
)


@contextmanager
def _watched(own: Lane, folder: Path) -> Iterator[Mapping[str, Path]]:
    """What each host printed; a backend that reboots prints nothing for that time."""
    files = {host: folder / f"{host}.jsonl" for host in ("client-0", *own.backends)}
    started = []
    for host, file in files.items():
        program = ANSWERS if host == "client-0" else HOLDS
        with file.open("a") as output:
            started.append(subprocess.Popen(own.lab.hosts.command(host, ["python3", "-c", program]), stdout=output))
    try:
        yield files
    finally:
        for host in files:
            own.lab.shell(host, "pkill -f json.dumps")
        for process in started:
            process.wait()


def _read(file: Path) -> Samples:
    return [tuple(json.loads(line)) for line in file.read_text().splitlines() if line.endswith("]")]


def gap(samples: Samples) -> float:
    """The longest time from an answer to the next one, where one in between failed."""
    well = [at for at, answered in samples if answered]
    failed = [at for at, answered in samples if not answered]
    return max((b - a for a, b in pairwise(well) if any(a < at < b for at in failed)), default=0.0)


def both(first: Samples, second: Samples) -> float:
    """Seconds in which both held it. One that has said nothing for a moment is off."""
    marks = sorted((at, n, held) for n, one in enumerate((first, second)) for at, held in one)
    until_when, total = [0.0, 0.0], 0.0
    for (at, n, held), (then, *_) in pairwise(marks):
        until_when[n] = at + SILENT_SECONDS if held else 0.0
        total += max(0.0, min(*until_when, then) - at)
    return total


def once(own: Lane, way: Way, folder: Path) -> dict[str, Any]:
    folder.mkdir()
    master = own.wait_for_master(*own.backends)
    (other,) = set(own.backends) - {master}
    with _watched(own, folder) as files:

        def answers() -> bool:
            """For a second by now."""
            seen = _read(files["client-0"])[-10:]
            return len(seen) == 10 and all(well for _, well in seen)

        until(answers, 60)
        way.lose(own, master)
        until(
            lambda: "master" in own.lab.shell(other, "cat /var/opt/opscode/keepalived/current_cluster_status").stdout,
            60,
        )
        until(answers, 60)
        found = {"way": way.name, "gap": gap(_read(files["client-0"]))}
        found["both"] = both(*(_read(files[one]) for one in own.backends))
    way.bring_back(own, master)
    own.recover_master()
    return found


def main(count: int = COUNT) -> int:
    broken = 0
    with tempfile.TemporaryDirectory(prefix="failovers-") as folder, lane(Path(folder) / "lane") as own:
        own.up()
        for number, way in enumerate(islice(cycle(WAYS), count)):
            found = once(own, way, Path(folder) / f"failover-{number}")
            wrong = found["both"] > 0 and not way.apart
            broken += wrong
            print(
                f"{number + 1:>3} {way.name:<20} no answer {found['gap']:.1f} s, both {found['both']:.1f} s", flush=True
            )
    return 1 if broken else 0


if __name__ == "__main__":
    help_if_asked(__doc__)
    raise SystemExit(main(*map(int, sys.argv[1:])))
