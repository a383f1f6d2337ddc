"""The cost of a preview, and of its planning alone. Its servers do not exist, because a preview connects to none."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from bench import work
from bench.farm import Farm
from bench.ours import Ours
from bench.results import Row
from bench.rollouts import figures_of, quiet
from bench.work import Place
from sandbox import lifecycle
from sandbox.paths import CLONE, Sandbox

# Prints the seconds that settings and plan take in the program, without creating resources.
PLANNING = """
import sys, time
from pathlib import Path
from chef_push_jobs.config import stack_files
from chef_push_jobs.runbook.stack import load_stack
read = stack_files.read_configuration("existing", Path.cwd(), Path(sys.argv[1]))
begun = time.perf_counter()
load_stack(read, Path.cwd())
print(time.perf_counter() - begun)
"""


def places(count: int) -> list[Place]:
    """Servers that do not exist. Without host keys: a program gets all settings in one variable, at most 128 KiB."""
    return [Place(name, f"10.9.{at // 250}.{at % 250 + 1}", "") for at, name in enumerate(work.names(count))]


@contextmanager
def stack(count: int, folder: Path) -> Iterator[Ours]:
    """A stack of servers that nobody connects to, in its own sandbox."""
    sandbox = Sandbox("benchview")
    folder.mkdir(parents=True, exist_ok=True)
    lifecycle.start(sandbox, quiet)
    try:
        farm = Farm(sandbox, count, folder)
        farm.places = places(count)
        file = folder / "Pulumi.existing.yaml"
        file.write_text(yaml.safe_dump(work.push_jobs_stack(farm.places, PACKAGE)))
        ours = Ours(farm, file, folder)
        ours.forget()
        yield ours
    finally:
        lifecycle.stop(sandbox, quiet)


def first(ours: Ours) -> Row:
    """A preview of the stack before its first `up`."""
    run = ours.preview()
    return Row("first preview", "pulumi preview", len(ours.farm.places), "none", figures_of(run))


def planning(ours: Ours) -> Row:
    argv = [sys.executable, "-c", PLANNING, str(ours.settings)]
    done = subprocess.run(argv, cwd=CLONE, capture_output=True, text=True, check=True)
    return Row("planning", "program", len(ours.farm.places), "none", {"wall s": round(float(done.stdout), 4)})


PACKAGE = {"url": "https://packages.example.com/opscode-push-jobs-server_2.2.8-1_amd64.deb", "sha256": "0" * 64}
