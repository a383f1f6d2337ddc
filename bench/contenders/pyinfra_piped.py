"""Imported by pyinfra's deploy, once for all hosts: the rounds, and an operation whose input may contain keys."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pyinfra.api import StringCommand, operation

ROUNDS: list[dict[str, Any]] = json.loads(Path("rounds.json").read_text())
TOLD: dict[str, Any] = {}  # by host, the operation that prints its key


def _piped(task: Mapping[str, Any] | None) -> Iterator[StringCommand]:
    """Runs at its place in the rollout, when the keys are known; not at all on a host that is not in the round."""
    assert task is not None
    stdin = task["stdin"]
    for host, mark in task["keys"].items():
        stdin = stdin.replace(mark, TOLD[host].stdout_lines[1])
    yield StringCommand(task["command"], _stdin=stdin)


piped = operation(is_idempotent=False)(_piped)
