"""A new primary of an ha cluster is set up where no cluster answers yet, and never beside one that is at work."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from chef_push_jobs import scripts

WELL = '{"status": "pong", "upstreams": {"chef_sql": "pong"}}'
FAILING = '{"status": "fail", "upstreams": {"chef_sql": "fail"}}'


@pytest.mark.parametrize(
    ("secrets", "answer", "status"),
    [
        (None, f"echo '{WELL}'", 1),
        (None, f"echo '{FAILING}'; exit 22", 1),
        (None, "echo 'curl: (7) Failed to connect' >&2; exit 7", 0),
        (None, "echo '<html>503 Service Temporarily Unavailable</html>'", 0),
        ("", f"echo '{WELL}'", 1),
        ("the cluster's own", "echo asked; exit 9", 0),
    ],
    ids=["at work", "not well", "nobody", "a load balancer alone", "secrets lost", "secrets there"],
)
def test_it_ends_before_anything_is_changed(tmp_path: Path, secrets: str | None, answer: str, status: int) -> None:
    (tmp_path / "curl").write_text(f"#!/bin/sh\n{answer}\n")
    (tmp_path / "curl").chmod(0o755)
    if secrets is not None:
        (tmp_path / "private-chef-secrets.json").write_text(secrets)
    script = scripts.require_no_cluster("chef.example.com").text.replace("/etc/opscode/", f"{tmp_path}/")
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(["sh"], input=script, text=True, env=environment, capture_output=True, check=False)
    assert done.returncode == status
    told = done.stdout.splitlines()
    assert told == [] if status == 0 else [line.split()[0] for line in told] == ["this", "Rule:", "Do:"]
