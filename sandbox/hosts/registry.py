"""The hosts of a sandbox: a JSON file for each, read by both the API server and the command line."""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass, field, replace
from ipaddress import IPv4Interface
from pathlib import Path

from sandbox.locks import lock
from sandbox.paths import Sandbox
from sandbox.processes import Process, SandboxError


class HostError(SandboxError):
    """A host that cannot be created, found or entered."""


@dataclass(frozen=True)
class Record:
    """One host in the registry. User data is not in it, because it may contain secrets."""

    id: str
    name: str
    address: str
    prefix: int
    image: str
    packages: tuple[str, ...] = ()
    init: Process | None = None  # its pid 1, None until that runs
    created: int = field(default_factory=time.time_ns)

    @property
    def interface(self) -> IPv4Interface:
        return IPv4Interface(f"{self.address}/{self.prefix}")


class Registry:
    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    def claim(self, record: Record) -> None:
        """Records a new host, before anything of it is created. Raises HostError if its id or address is taken."""
        with lock(self._sandbox.registry / "lock"):
            for other in self.all():
                if other.id == record.id:
                    raise HostError(f"host {record.id} exists already")
                if other.interface.ip == record.interface.ip:
                    raise HostError(f"host {record.id}: its address {record.address} is that of host {other.id}")
            self._write(record)

    def started(self, host_id: str, init: Process) -> None:
        self._write(replace(self.get(host_id), init=init))

    def remove(self, host_id: str) -> None:
        self._sandbox.record(host_id).unlink(missing_ok=True)

    def get(self, host_id: str) -> Record:
        record = self._read(self._sandbox.record(host_id))
        if record is None:
            raise HostError(f"there is no host {host_id}; `python -m sandbox status` lists them")
        return record

    def find(self, host: str) -> Record:
        """By id, otherwise the newest with this name. Raises HostError."""
        found = [record for record in self.all() if host in (record.id, record.name)]
        if not found:
            known = ", ".join(record.name for record in self.all()) or "none"
            raise HostError(f"there is no host {host}; running: {known}")
        return max(found, key=lambda record: (record.id == host, record.created))

    def all(self) -> list[Record]:
        """By name; those with the same name in the order of their creation."""
        records = (self._read(file) for file in self._sandbox.registry.glob("*.json"))
        return sorted((record for record in records if record), key=lambda record: (record.name, record.created))

    def _write(self, record: Record) -> None:
        file = self._sandbox.record(record.id)
        new = file.with_suffix(".new")
        new.write_text(json.dumps(asdict(record)))
        os.replace(new, file)

    @staticmethod
    def _read(file: Path) -> Record | None:
        try:
            values = json.loads(file.read_text())
        except FileNotFoundError:
            return None
        init = values.pop("init")
        packages = tuple(values.pop("packages"))
        return Record(**values, packages=packages, init=Process(**init) if init else None)
