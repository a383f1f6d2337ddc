"""The sandbox's cloud with hosts that only take notes, as a process that needs no root.

`python -m tests.contract.fake_cloud DIRECTORY`. The port is the one line on stdout; every call of a host's method is a
line of JSON in DIRECTORY/hosts.jsonl. User data that holds FAIL cannot be booted; SLOW takes a second.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sandbox.aws import api_server
from sandbox.hosts.host import HostError, HostSpec


class NotingHosts:
    """Has the methods of `sandbox.hosts.host.Hosts` that the cloud calls."""

    def __init__(self, notes: Path) -> None:
        self._notes = notes
        self._lock = threading.Lock()

    def _note(self, method: str, **details: Any) -> None:
        with self._lock, self._notes.open("a") as file:
            file.write(json.dumps({"method": method, **details}) + "\n")

    def boot(self, spec: HostSpec) -> None:
        self._note("boot", **asdict(spec))
        if "SLOW" in spec.user_data:
            time.sleep(1)
        if "FAIL" in spec.user_data:
            raise HostError(f"host {spec.id} does not boot: its user data says so")
        self._note("booted", id=spec.id)

    def terminate(self, host_id: str) -> None:
        time.sleep(0.2)
        self._note("terminate", id=host_id)

    def take_volume(self, host_id: str, volume: str) -> None: ...

    def stop(self, host_id: str) -> None:
        self._note("stop", id=host_id)

    def start(self, host_id: str) -> None:
        self._note("start", id=host_id)

    def reboot(self, host_id: str) -> None:
        self._note("reboot", id=host_id)

    def set_firewall(self, host_id: str, ruleset: str) -> None:
        self._note("set_firewall", id=host_id, ruleset=ruleset)


def main(directory: Path) -> None:
    server = api_server.serve(NotingHosts(directory / "hosts.jsonl"), directory, port=0)
    print(server.get_host_and_port()[1], flush=True)
    sys.stdin.read()  # until whoever started this is gone


if __name__ == "__main__":
    main(Path(sys.argv[1]))
