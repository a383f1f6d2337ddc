"""The paths of one sandbox's files, and the names of its namespaces. Touches no file itself."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

CLONE = Path(__file__).resolve().parent.parent
ROOT = Path("/run/chef-sandbox")
NAMESPACES = Path("/run/netns")  # iproute2's directory of named network namespaces
CLOUD_URL = "http://127.0.0.1:5000"  # inside the operator namespace only
REGION = "us-east-1"
FAULTS_FILE = "faults.json"  # in the run directory: faults that wait for a request: `aws/fault_injection.py`
ACTIONS_FILE = "actions"  # also there: each action that was requested, one per line
METADATA = "169.254.169.254"  # of the metadata service
RESOLVER, TIME = "169.254.169.253", "169.254.169.123"  # EC2's resolver and time service

_NAME = re.compile(r"[a-z0-9]{1,12}")
_HOST_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


def default_name(environment: Mapping[str, str] = os.environ, clone: Path = CLONE) -> str:
    """The variable SANDBOX, otherwise a name for this clone: two clones on a machine never share a sandbox."""
    return environment.get("SANDBOX") or "s" + hashlib.sha256(str(clone).encode()).hexdigest()[:6]


@dataclass(frozen=True)
class Sandbox:
    """One sandbox's paths (below its own tmpfs) and namespace names. Raises ValueError for an invalid name."""

    name: str

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(
                f"sandbox name {self.name!r}: must be 1 to 12 lower-case letters and digits; set SANDBOX to such a name"
            )

    @classmethod
    def default(cls) -> Sandbox:
        return cls(default_name())

    # Network namespaces. A sandbox's name contains no dash, so one sandbox's prefix is never another's.
    @property
    def namespace_prefix(self) -> str:
        return f"cpj-{self.name}-"

    @property
    def router(self) -> str:
        return self.namespace_prefix + "router"

    @property
    def operator(self) -> str:
        return self.namespace_prefix + "operator"

    def namespace(self, host_id: str) -> str:
        """The name of a host's namespace. Raises ValueError for an invalid id, or one that the sandbox itself uses."""
        if not _HOST_ID.fullmatch(host_id):
            raise ValueError(f"host id {host_id!r}: must be lower-case letters, digits and dashes, at most 63")
        if host_id in ("router", "operator"):
            raise ValueError(f"host id {host_id!r}: is the sandbox's own")
        return self.namespace_prefix + host_id

    @staticmethod
    def namespace_path(namespace: str) -> Path:
        """The path for `nsenter --net=`."""
        return NAMESPACES / namespace

    # Files of one run
    @property
    def run(self) -> Path:
        return ROOT / self.name

    @property
    def lock(self) -> Path:
        """Outside the run directory, because it is held while that is created and removed."""
        return ROOT / f"{self.name}.lock"

    @property
    def registry(self) -> Path:
        return self.run / "registry"

    def record(self, host_id: str) -> Path:
        return self.registry / f"{host_id}.json"

    def host(self, host_id: str) -> Path:
        """A host's directory: upper and work layer, mount point, console."""
        return self.run / "hosts" / host_id

    def layer(self, image: str) -> Path:
        return self.run / "layers" / image

    @property
    def state(self) -> Path:
        return self.run / "state"

    @property
    def agent(self) -> Path:
        return self.run / "agent.sock"

    @property
    def cloud_log(self) -> Path:
        return self.run / "cloud.log"

    @property
    def cloud_process(self) -> Path:
        return self.run / "cloud.json"

    @property
    def agent_process(self) -> Path:
        return self.run / "agent.json"

    @property
    def cloud_ready(self) -> Path:
        return self.run / "cloud.ready"

    @property
    def faults(self) -> Path:
        return self.run / FAULTS_FILE

    @property
    def actions(self) -> Path:
        return self.run / ACTIONS_FILE

    # Files of the clone, shared by its sandboxes
    @property
    def operator_key(self) -> Path:
        return CLONE / ".sandbox" / "id_ed25519"

    @property
    def operator_public_key(self) -> Path:
        return self.operator_key.with_suffix(".pub")

    @property
    def packages(self) -> Path:
        return CLONE / ".sandbox" / "packages"
