"""What the primary gives to the servers that copy from it, run for real on a folder that stands for its disk."""

from __future__ import annotations

import getpass
import io
import os
import subprocess
import tarfile
import time
from pathlib import Path

import pytest

from chef_push_jobs import scripts

READERS, ROUNDS = 40, 4
OPERATOR = "ssh-ed25519 AAAAOPERATOR operator"
ASKED = '/var/lib/chef-rollout/shared-files \\"$SSH_ORIGINAL_COMMAND\\""'
COMMAND = f'restrict,command="{"" if os.geteuid() == 0 else "sudo -n "}sh {ASKED}'
OLDER = f'restrict,command="sudo -n {ASKED},from="10.0.0.9" ssh-ed25519 AAAAOLD chef-rollout'
OURS = f'{COMMAND},from="10.0.0.9" ssh-ed25519 AAAAOLD chef-rollout'
# What somebody else may have written: with the mark, or nearly in the form.
OTHERS = [
    "ssh-ed25519 AAAAADMIN admin@chef-rollout",
    "ssh-ed25519 AAAAADMIN for the chef-rollout",
    "# what the stack writes ends in chef-rollout",
    'restrict,command="x" ssh-ed25519 AAAAADMIN chef-rollout',
    f'{COMMAND},from="10.0.0.9" ssh-ed25519 AAAAADMIN not of chef-rollout',
    f'{COMMAND},no-pty,from="10.0.0.9" ssh-ed25519 AAAAADMIN chef-rollout',
    f"{OURS}-by-hand",
]


def sharer(disk: Path) -> list[str]:
    """The command that gives the shared files of `disk`."""
    home, shared = disk / "home", disk / "etc" / "opscode"
    home.mkdir()
    shared.mkdir(parents=True)
    (shared / "pivotal.pem").write_text("a key")
    (home / "manifest").write_text(scripts.Script("manifest").text)
    script = scripts.Script("shared-files").text.replace(scripts.HOME, str(home)).replace("\ncd /\n", f"\ncd {disk}\n")
    (disk / "shared-files").write_text(script)
    return ["sh", str(disk / "shared-files"), "chef"]


def test_readers_that_come_at_once_do_not_disturb_each_other(tmp_path: Path) -> None:
    command = sharer(tmp_path)
    for _ in range(ROUNDS):
        readers = [
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=False)
            for _ in range(READERS)
        ]
        for reader in readers:
            archive, said = reader.communicate()
            assert (reader.returncode, said) == (0, b"")
            with tarfile.open(fileobj=io.BytesIO(archive)) as files:
                assert "etc/opscode/pivotal.pem" in files.getnames()
    assert not list((tmp_path / "home").glob("share.*")), "nothing of the credentials is left behind"


def test_what_a_killed_reader_left_goes_with_the_next_one_and_not_what_one_works_in(tmp_path: Path) -> None:
    """Whatever the clock says, which may be set meanwhile."""
    command = sharer(tmp_path)
    killed = subprocess.Popen(["true"])
    killed.wait()
    names = (f"share.{killed.pid}.AAAAAA", "share.BBBBBB", f"share.{os.getpid()}.CCCCCC")
    of_killed, of_an_older_version, at_work = (tmp_path / "home" / name for name in names)
    for left in (of_killed, of_an_older_version, at_work):
        left.mkdir()
        (left / "pivotal.pem").write_text("a key")
        os.utime(left, (time.time() - 3700, time.time() - 3700))
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    assert [left.exists() for left in (of_killed, of_an_older_version, at_work)] == [False, False, True]


@pytest.mark.parametrize(
    "before",
    [
        "\n".join([*OTHERS, OURS]),
        f"{OLDER}\n{OPERATOR}",
        OPERATOR,
        f"{OPERATOR}\n",
        f"{OURS}\n{OPERATOR}",
        f"{OPERATOR}\n{OURS}",
        "",
    ],
)
@pytest.mark.parametrize("linked", [False, True], ids=["a file", "a link"])
def test_who_could_log_in_before_still_can_and_the_readers_can_too(tmp_path: Path, before: str, linked: bool) -> None:
    """Also where the last line of the file has no end, run twice. A link stays one."""
    keys = tmp_path / ".ssh" / "authorized_keys"
    keys.parent.mkdir()
    if linked:
        (tmp_path / "keys").mkdir()
        keys.symlink_to("../keys/of-user")
    keys.write_text(before)
    user = getpass.getuser()
    asked = 'home=$(getent passwd "$1" | cut -d: -f6)'
    script = scripts.share(user, [("10.0.0.5", "ssh-ed25519 AAAANEW")]).text
    assert asked in script
    script = script.replace(asked, f"home={tmp_path}").replace(scripts.HOME, str(tmp_path))
    script = script.replace(f"asked='{tmp_path}", f"asked='{scripts.HOME}")
    for _ in range(2):
        subprocess.run(["sh"], input=script, text=True, check=True)
        assert keys.is_symlink() == linked
        assert sorted(keys.resolve().parent.iterdir()) == [keys.resolve()]
        *others, ours = keys.read_text().splitlines()
        assert others == [line for line in before.splitlines() if line not in (OURS, OLDER)]
        assert ours.startswith("restrict,") and ours.endswith(" ssh-ed25519 AAAANEW chef-rollout")
    assert (tmp_path / "credentials").read_text() == "none\n", "its own are of this rollout, once another is the first"
