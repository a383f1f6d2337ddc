"""A name is not an identity: a server is asked whose it is before push jobs is taken off."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from chef_push_jobs import scripts

MINE = "project/stack/backend-0"


@pytest.fixture
def server(tmp_path: Path) -> Path:
    """A folder that stands for a server's disk, on which push jobs is a package."""
    for name in ("etc/opscode-push-jobs-server", "var/lib/chef-rollout", "bin"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("dpkg", "dpkg-query"):
        (tmp_path / "bin" / name).write_text(f'#!/bin/sh\necho {name} "$@" >> {tmp_path}/ran\n')
        (tmp_path / "bin" / name).chmod(0o755)
    return tmp_path


def leave(server: Path, owner: str) -> str:
    text = scripts.uninstall(owner).text
    for folder in ("/etc/", "/var/"):
        text = text.replace(f" {folder}", f" {server}{folder}").replace(f"={folder}", f"={server}{folder}")
    path = f"{server}/bin:{os.environ['PATH']}"
    done = subprocess.run(["sh"], input=text, text=True, capture_output=True, check=True, env={"PATH": path})
    return done.stdout


@pytest.mark.parametrize("now", ["project/stack/primary", "project/other/backend-0"], ids=["renamed", "taken over"])
def test_a_server_that_is_somebody_elses_by_now_keeps_push_jobs(server: Path, now: str) -> None:
    (server / "var/lib/chef-rollout/owner").write_text(now)
    assert f"this server is {now} now" in leave(server, MINE)
    assert (server / "etc/opscode-push-jobs-server").exists()
    assert not (server / "ran").exists()


@pytest.mark.parametrize("noted", [MINE, None], ids=["its own", "prepared by an older version"])
def test_a_server_that_is_its_own_is_left(server: Path, noted: str | None) -> None:
    if noted:
        (server / "var/lib/chef-rollout/owner").write_text(noted)
    leave(server, MINE)
    assert not (server / "etc/opscode-push-jobs-server").exists()
    assert "purge" in (server / "ran").read_text()
    assert not (server / "var/lib/chef-rollout/owner").exists()
