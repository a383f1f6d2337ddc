"""The key pair that a server copies with: made where a half of it is missing, and else left as it is."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from chef_push_jobs import scripts
from chef_push_jobs.model.ssh_keys import printed_keys

KEY, PUBLIC = "id_ed25519", "id_ed25519.pub"


def prepare(home: Path) -> str:
    """The copy key that is printed."""
    script = scripts.Script("prepare-server", brings={"manifest": scripts.Script("manifest")}).text
    script = script.replace(scripts.HOME, str(home))
    done = subprocess.run(["sh"], input=script, text=True, capture_output=True, check=True)
    (key,) = printed_keys(done.stdout)
    return key


@pytest.mark.parametrize("lost", [(), (KEY,), (PUBLIC,), (KEY, PUBLIC)])
def test_a_key_pair_is_whole_afterwards_and_new_only_where_a_half_was_lost(
    tmp_path: Path, lost: tuple[str, ...]
) -> None:
    before = prepare(tmp_path)
    for name in lost:
        (tmp_path / name).unlink()
    after = prepare(tmp_path)
    assert (after == before) == (not lost)
    derived = subprocess.run(["ssh-keygen", "-y", "-f", tmp_path / KEY], text=True, capture_output=True, check=True)
    assert derived.stdout.startswith(after), "the halves belong together"
