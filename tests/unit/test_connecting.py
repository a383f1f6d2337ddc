"""What a server that is taken over says of itself before anything is written: the script with another `hostname`."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from chef_push_jobs import scripts

FQDN = "backend-0.chef.example.com"


def connected(disk: Path, fqdn: str, hostname: str) -> subprocess.CompletedProcess[str]:
    (disk / "hostname").write_text(f"#!/bin/sh\n{hostname}\n")
    (disk / "hostname").chmod(0o755)
    script = scripts.connect_existing(60, "project/stack/backend-0", fqdn=fqdn).text
    script = script.replace(scripts.HOME, str(disk / "home")).replace(f"exec sh {disk}/home/task", "exec true")
    environment = {**os.environ, "PATH": f"{disk}:{os.environ['PATH']}"}
    return subprocess.run(["sh"], input=script, text=True, env=environment, capture_output=True, check=False)


@pytest.mark.parametrize(
    ("fqdn", "hostname"),
    [
        (FQDN, f"echo {FQDN}"),
        (FQDN, f"echo {FQDN.upper()}."),
        (FQDN, "exit 1"),
        (FQDN, "echo backend-0"),
        (FQDN, "echo localhost.localdomain"),
        (FQDN, "printf 'x.y\\033[2J'"),
        ("", "echo ip-10-0-0-5.ec2.internal"),
    ],
)
def test_a_server_that_says_its_name_or_none_is_connected(tmp_path: Path, fqdn: str, hostname: str) -> None:
    assert connected(tmp_path, fqdn, hostname).returncode == 0
    assert (tmp_path / "home/owner").exists()


@pytest.mark.parametrize("said", ["backend-1.chef.example.com", "ip-10-0-0-5.ec2.internal"])
def test_a_server_with_another_name_is_refused_before_anything_is_written(tmp_path: Path, said: str) -> None:
    done = connected(tmp_path, FQDN, f"echo {said}")
    assert done.returncode == 1
    assert f"this server calls itself {said}, and the stack calls it {FQDN}" in done.stderr
    assert not (tmp_path / "home").exists()
