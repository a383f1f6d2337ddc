"""New credentials are made, or it is said that none were: the script on a folder that stands for the server's disk."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from chef_push_jobs import scripts

STORE = "no such command: show-secret"


def rotated(
    disk: Path, noted: str, version: str, show_secret: int, *, wanted: str = "new"
) -> subprocess.CompletedProcess[str]:
    """`show_secret` is the exit status of Chef server's command of that name."""
    home, push_jobs, opt = disk / "home", disk / "etc/opscode-push-jobs-server", disk / "opt/opscode-push-jobs-server"
    for folder in (home, push_jobs, opt, disk / "bin"):
        folder.mkdir(parents=True)
    (home / "owner").write_text("project/stack/backend-0")
    (push_jobs / "pushy_priv.pem").write_text("the old key")
    (home / "rotated").write_text(f"{noted}\n")
    (opt / "version-manifest.txt").write_text(f"opscode-push-jobs-server {version}\n")
    tools = {
        "chef-server-ctl": f'[ "$1" != show-secret ] || [ {show_secret} = 0 ] || {{ echo "{STORE}" >&2; exit 1; }}',
        "opscode-push-jobs-server-ctl": ":",
        "veil-ingest-secret": f"cat >> {disk}/ingested; echo >> {disk}/ingested",
    }
    for name, does in tools.items():
        (disk / "bin" / name).write_text(f'#!/bin/sh\necho "$0 $*" >> {disk}/called\n{does}\n')
        (disk / "bin" / name).chmod(0o755)
    script = scripts.rotate(wanted).text.replace(scripts.HOME, str(home))
    for path in ("/etc/opscode-push-jobs-server", "/opt/opscode-push-jobs-server"):
        script = script.replace(path, f"{disk}{path}")
    script = script.replace("/opt/opscode/embedded/bin/", f"{disk}/bin/")
    environment = {**os.environ, "PATH": f"{disk}/bin:{os.environ['PATH']}"}
    return subprocess.run(["sh"], input=script, text=True, env=environment, capture_output=True, check=False)


def test_where_the_store_shows_no_credentials_nothing_was_rotated(tmp_path: Path) -> None:
    done = rotated(tmp_path, "old", "2.2.8", show_secret=1)
    assert done.returncode == 1
    assert "nothing was rotated: Chef server does not show push jobs' credentials. Its output:\n" + STORE in done.stdout
    assert (tmp_path / "home" / "rotated").read_text() == "old\n", "the next run tries again"
    assert "reconfigure" not in (tmp_path / "called").read_text()


@pytest.mark.parametrize(
    ("noted", "version", "show_secret"), [("old", "2.2.8", 0), ("(under way)", "2.2.8", 1), ("old", "1.1.6", 1)]
)
def test_else_reconfigure_makes_new_ones_also_where_an_earlier_run_was_ended(
    tmp_path: Path, noted: str, version: str, show_secret: int
) -> None:
    done = rotated(tmp_path, noted, version, show_secret)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "home" / "rotated").read_text() == "new\n"
    called = (tmp_path / "called").read_text()
    kept = [one.read_text() for one in tmp_path.glob("home/credentials-before/*/pushy_priv.pem")]
    assert kept == ([] if noted == "(under way)" else ["the old key"]), "what was left half made is no set"
    assert called.count("opscode-push-jobs-server-ctl reconfigure") == 1
    assert called.count("remove-secret") == (4 if show_secret == 0 else 0)


@pytest.mark.parametrize(("noted", "made"), [("old", 0), ("", 0), ("(under way)", 1)])
def test_a_setting_that_is_taken_out_makes_no_credentials_but_what_was_begun_is_ended(
    tmp_path: Path, noted: str, made: int
) -> None:
    done = rotated(tmp_path, noted, "1.1.6", show_secret=1, wanted="")
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "home" / "rotated").read_text() == ("\n" if made else f"{noted}\n")
    called = tmp_path / "called"
    assert (called.read_text().count("reconfigure") if called.exists() else 0) == made


def test_passwords_that_the_store_would_make_as_they_were_are_given_to_it(tmp_path: Path) -> None:
    assert rotated(tmp_path, "old", "2.2.8", show_secret=0).returncode == 0
    called = (tmp_path / "called").read_text().splitlines()
    order = [line.rsplit("/", 1)[1] for line in called if "show-secret" not in line]
    assert order == [
        *(
            f"chef-server-ctl remove-secret push-jobs-server {name} --yes"
            for name in ("pushy_pub_key", "pushy_priv_key", "sql_password", "sql_ro_password")
        ),
        "veil-ingest-secret push-jobs-server.sql_password",
        "veil-ingest-secret push-jobs-server.sql_ro_password",
        "opscode-push-jobs-server-ctl reconfigure",
    ]
    passwords = (tmp_path / "ingested").read_text().split()
    assert len(set(passwords)) == 2
    assert all(re.fullmatch("[0-9a-f]{50}", password) for password in passwords)


def test_passwords_of_the_first_generation_stay(tmp_path: Path) -> None:
    assert rotated(tmp_path, "old", "1.1.6", show_secret=1).returncode == 0
    assert not (tmp_path / "ingested").exists()
